"""Keep the index in step with folders: each quiet moment after a change is one ingest."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING

from rag.errors import IndexLocked
from rag.events import IngestEvent
from rag.readers.formats import SUFFIXES

if TYPE_CHECKING:
    from watchfiles import Change

Ingest = Callable[[], AsyncGenerator[IngestEvent]]

# A copy of a large file changes it many times: wait until nothing has changed for this long.
QUIET_MS = 1000
# But take up what has arrived after this long, should changes never cease.
LONGEST_MS = 15_000


async def watch(
    folders: Iterable[Path],
    ingest: Ingest,
    stop: asyncio.Event | None = None,
    *,
    waiting: Callable[[str], None] = lambda _: None,
) -> AsyncGenerator[IngestEvent]:
    """Ingest once, then after every change below `folders`, until `stop` is set."""
    from watchfiles import awatch

    changes = awatch(
        *folders,
        watch_filter=_concerns_us,
        step=QUIET_MS,
        debounce=LONGEST_MS,
        stop_event=stop,
        yield_on_timeout=False,
        ignore_permission_denied=True,
    )
    # Watching begins before the first ingest, so that nothing which arrives meanwhile is missed.
    change = asyncio.ensure_future(anext(changes, None))
    await asyncio.sleep(0)  # its task runs up to its first wait, which is after it subscribed
    try:
        while True:
            async for event in _run(ingest, waiting):
                yield event
            if await change is None:
                return
            change = asyncio.ensure_future(anext(changes, None))
    finally:
        change.cancel()


async def _run(ingest: Ingest, waiting: Callable[[str], None]) -> AsyncGenerator[IngestEvent]:
    """One ingest. While another process writes there is nothing to do: it ends, we try again."""
    for attempt in itertools.count():
        try:
            async with aclosing(ingest()) as events:
                async for event in events:
                    yield event
            return
        except IndexLocked as error:
            if attempt == 0:
                waiting(f"{error}; waiting for it")
            await asyncio.sleep(1)


def _concerns_us(_: Change, path: str) -> bool:
    file = Path(path)
    return file.suffix.lower() in SUFFIXES and not file.name.startswith(".")
