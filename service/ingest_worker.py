"""The process in which uploads are ingested, so that answers never wait for it.

Reads one Order and writes the ingest's events (see rag.worker_process); an error is a problem
document, a dict.
"""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from rag import worker_process
from rag.config import Settings
from rag.errors import RagError
from service.problems import problem_of

# Below the service, whose answers somebody waits for.
_NICENESS = 10


@dataclass(frozen=True, slots=True)
class Order:
    settings: Settings
    paths: tuple[Path, ...]


async def ingest(order: Order, events: IO[bytes]) -> None:
    from rag.pipeline import open_pipeline

    async with (
        open_pipeline(order.settings) as pipeline,
        aclosing(pipeline.ingest(order.paths, retry=True)) as steps,
    ):
        async for event in steps:
            worker_process.write(events, event)


def main() -> int:
    if hasattr(os, "nice"):
        os.nice(_NICENESS)
    orders, events = worker_process.pipes()
    try:
        asyncio.run(ingest(worker_process.read(orders), events))
    except RagError as error:
        worker_process.write(events, problem_of(error))
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
