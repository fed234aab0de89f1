"""The process in which uploads are ingested, so that answers never wait for it.

Reads one line of JSON from standard input, {"settings": …, "paths": […]}, and writes the ingest's
events to standard output, one JSON document a line; an error is {"kind": "error", "problem": …}.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from rag.config import Settings
from rag.errors import RagError
from rag.events import IngestEvent
from service.problems import problem_of

EVENTS: TypeAdapter[IngestEvent] = TypeAdapter(IngestEvent)
# Below the service, whose answers somebody waits for.
_NICENESS = 10


async def ingest(order: dict[str, Any]) -> None:
    from rag.pipeline import open_pipeline

    settings = Settings(**order["settings"])
    paths = [Path(path) for path in order["paths"]]
    async with (
        open_pipeline(settings) as pipeline,
        contextlib.aclosing(pipeline.ingest(paths, retry=True)) as events,
    ):
        async for event in events:
            _tell(EVENTS.dump_json(event).decode())


def main() -> int:
    if hasattr(os, "nice"):
        os.nice(_NICENESS)
    try:
        asyncio.run(ingest(json.loads(sys.stdin.readline())))
    except RagError as error:
        _tell(json.dumps({"kind": "error", "problem": problem_of(error)}))
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _tell(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
