"""Watching a folder, with real file events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

from rag.errors import IndexLocked
from rag.events import IngestEvent, Planned
from rag.ingest.watch import watch


async def test_each_quiet_moment_after_a_change_is_one_ingest(tmp_path: Path) -> None:
    stop, seen = asyncio.Event(), []

    async def ingest() -> AsyncGenerator[IngestEvent]:
        names = sorted(path.name for path in tmp_path.iterdir())
        seen.append(names)
        if len(seen) == 1:
            (tmp_path / "a.pdf").write_text("arrives while the first ingest runs")
            (tmp_path / "note.xyz").write_text("no document")
        yield Planned(len(names), 0, 0, 0, 0, 0)
        if len(names) >= 2:
            stop.set()

    events = [event async for event in watch([tmp_path], ingest, stop)]
    assert seen == [[], ["a.pdf", "note.xyz"]]
    assert len(events) == 2


async def test_a_locked_index_is_tried_again(tmp_path: Path) -> None:
    stop, tries = asyncio.Event(), []

    async def ingest() -> AsyncGenerator[IngestEvent]:
        tries.append(1)
        if len(tries) < 3:
            raise IndexLocked("somebody writes")
        stop.set()
        yield Planned(0, 0, 0, 0, 0, 0)

    told: list[str] = []
    events = [event async for event in watch([tmp_path], ingest, stop, waiting=told.append)]
    assert (len(events), len(tries)) == (1, 3)
    assert told == ["somebody writes; waiting for it"]
