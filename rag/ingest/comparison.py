"""A plan in the making: files are held against the index in a thread, and it is told how far."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from rag.events import Comparing
from rag.ingest.discovery import discover
from rag.ingest.plan import IngestPlan, make_plan
from rag.ingest.sources import Index
from rag.paths import located
from rag.readers.formats import SUFFIXES

EVERY_S: Final = 0.5  # between two tellings


async def comparison(
    paths: Sequence[Path],
    index: Index,
    recipe: str,
    *,
    retry: bool = False,
    reread: bool = False,
    own: Path | None = None,
    every_s: float = EVERY_S,
) -> AsyncGenerator[Comparing | IngestPlan]:
    """Comparing now and then, the plan at last; closing it stops the thread soon.

    Raises PathNotFound for a path that names nothing.
    """
    latest, stopped = Comparing(0, None), threading.Event()

    def compared(step: Comparing) -> None:
        nonlocal latest
        latest = step
        if stopped.is_set():
            raise asyncio.CancelledError

    def make() -> IngestPlan:
        found = discover(paths, SUFFIXES, lambda count: compared(Comparing(count, None)), own=own)
        roots = [located(path) for path in paths]
        return make_plan(found, roots, index, recipe, retry=retry, reread=reread, compared=compared)

    making = asyncio.create_task(asyncio.to_thread(make))
    try:
        while not (await asyncio.wait({making}, timeout=every_s))[0]:
            yield latest
        yield making.result()
    finally:
        stopped.set()
        with suppress(asyncio.CancelledError):
            await making
