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
from rag.ingest.plan import Index, IngestPlan, make_plan
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
    every_s: float = EVERY_S,
) -> AsyncGenerator[Comparing | IngestPlan]:
    """Comparing now and then, the plan at last; closing it stops the thread at the next file.

    Raises PathNotFound for a path that names nothing.
    """
    denied: list[OSError] = []
    files = await asyncio.to_thread(discover, paths, SUFFIXES, denied.append)
    done, stopped = 0, threading.Event()

    def compared(count: int) -> None:
        nonlocal done
        done = count
        if stopped.is_set():
            raise asyncio.CancelledError

    roots = [located(path) for path in paths]
    how = {"retry": retry, "reread": reread}
    work = asyncio.to_thread(
        make_plan, files, roots, index, recipe, denied=denied, compared=compared, **how
    )
    making = asyncio.create_task(work)
    try:
        while not (await asyncio.wait({making}, timeout=every_s))[0]:
            yield Comparing(done, len(files))
        yield making.result()
    finally:
        stopped.set()
        with suppress(asyncio.CancelledError):
            await making
