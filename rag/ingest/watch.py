"""Keep the index in step with folders: each quiet moment after a change is one ingest.

What befalls the system's watcher or a folder while it is watched is told and outlived: the watcher
is set up anew, and an ingest looks at the folders themselves, so nothing stays unseen.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import aclosing
from pathlib import Path

from rag.errors import IndexLocked, RagError
from rag.events import IngestEvent
from rag.ingest.changes import Changes

Ingest = Callable[[], AsyncGenerator[IngestEvent]]

_LONGEST_WAIT_S = 60  # between two tries of an ingest that fails


async def watch(
    folders: Iterable[Path],
    ingest: Ingest,
    stop: asyncio.Event | None = None,
    *,
    waiting: Callable[[str], None] = lambda _: None,
    own: Sequence[Path] = (),
    rescan_s: float = 300.0,
) -> AsyncGenerator[IngestEvent]:
    """Ingest once, then after every change below `folders`, until `stop` is set.

    Also every `rescan_s` seconds, for changes that the system does not tell of. What happens below
    `own` is this program's doing. `waiting` is told why nothing happens. Raises RagError where the
    first ingest does; later ones are tried again.
    """
    changes = Changes(list(folders), own, stop, rescan_s=rescan_s, notice=waiting)
    # Watching begins before the first ingest, so that nothing which arrives meanwhile is missed.
    await changes.start()
    try:
        async for event in _run(ingest, waiting, once=True):
            yield event
        while await changes.wait():
            async for event in _run(ingest, waiting):
                yield event
    finally:
        await changes.close()


async def _run(
    ingest: Ingest, waiting: Callable[[str], None], *, once: bool = False
) -> AsyncGenerator[IngestEvent]:
    """One ingest, tried until it ends well: another process may be writing, a folder may be away.
    `once`: what is wrong but for that is the caller's."""
    told = ""
    for attempt in itertools.count():
        try:
            async with aclosing(ingest()) as events:
                async for event in events:
                    yield event
            return
        except RagError as error:
            locked = isinstance(error, IndexLocked)
            if once and not locked:
                raise
            if str(error) != told:
                told = str(error)
                waiting(f"{error}; waiting for it" if locked else f"{error}; trying again")
            await asyncio.sleep(1 if locked else min(2**attempt, _LONGEST_WAIT_S))
