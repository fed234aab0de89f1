"""Watching a folder, with real file events."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from watchfiles import Change

from rag.errors import IndexLocked, PathNotFound
from rag.events import IngestEvent, Planned
from rag.ingest.changes import Changes
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


class Folder:
    """A folder that is watched, with an ingest that notes which names stand in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.seen: list[set[str]] = []
        self.told: list[str] = []
        self.complained = asyncio.Event()
        self._stop, self._looked = asyncio.Event(), asyncio.Condition()

    def _complain(self, why: str) -> None:
        self.told.append(why)
        self.complained.set()

    async def _ingest(self) -> AsyncGenerator[IngestEvent]:
        if not self.path.is_dir():
            raise PathNotFound("no such folder")
        names = {str(path.relative_to(self.path)) for path in self.path.rglob("*")}
        async with self._looked:
            self.seen.append(names)
            self._looked.notify_all()
        yield Planned(len(names), 0, 0, 0, 0, 0)

    async def until(self, seen: Callable[[set[str]], bool]) -> None:
        """The last ingest saw what it should."""
        async with self._looked, asyncio.timeout(60):
            await self._looked.wait_for(lambda: bool(self.seen) and seen(self.seen[-1]))

    @asynccontextmanager
    async def watched(self, rescan_s: float = 3600) -> AsyncIterator[None]:
        async def follow() -> None:
            events = watch(
                [self.path], self._ingest, self._stop, waiting=self._complain, rescan_s=rescan_s
            )
            async for _ in events:
                pass

        task = asyncio.create_task(follow())
        try:
            await self.until(lambda _: True)
            yield
        finally:
            self._stop.set()
            await task  # raises what ended it too early


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    (tmp_path / "w").mkdir()
    return Folder(tmp_path / "w")


NO_UTF8 = os.fsdecode(b"caf\xe9.txt")


@pytest.mark.skipif(
    sys.platform == "darwin", reason="file systems of macOS take names in UTF-8 alone"
)
async def test_a_name_that_is_no_utf_8_does_not_end_it(folder: Folder) -> None:
    async with folder.watched():
        (folder.path / NO_UTF8).write_text("The mooring fee is 47 crowns.")
        await folder.until(lambda names: NO_UTF8 in names)
        (folder.path / "census.pdf").write_text("arrives after it")
        await folder.until(lambda names: "census.pdf" in names)
        (folder.path / NO_UTF8).unlink()
        await folder.until(lambda names: NO_UTF8 not in names)
    assert folder.told == []


async def test_a_folder_that_is_moved_here_brings_its_files(folder: Folder, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a.pdf").write_text("a")
    async with folder.watched():
        (tmp_path / "elsewhere").rename(folder.path / "sub")
        await folder.until(lambda names: "sub/a.pdf" in names)
        (folder.path / "sub").rename(tmp_path / "out")
        await folder.until(lambda names: not names)


async def test_a_folder_that_goes_away_is_waited_for(folder: Folder, tmp_path: Path) -> None:
    (folder.path / "a.pdf").write_text("a")
    async with folder.watched():
        folder.path.rename(tmp_path / "unmounted")
        async with asyncio.timeout(60):
            await folder.complained.wait()
        (tmp_path / "other").mkdir()
        (tmp_path / "other" / "b.pdf").write_text("b")
        (tmp_path / "other").rename(folder.path)
        await folder.until(lambda names: names == {"b.pdf"})
        (folder.path / "c.pdf").write_text("watched again")
        await folder.until(lambda names: "c.pdf" in names)
    assert folder.told == ["no such folder; trying again"]


async def test_what_the_system_does_not_tell_of_is_found_now_and_then(folder: Folder) -> None:
    async with folder.watched(rescan_s=1):
        before = len(folder.seen)
        await folder.until(lambda _: len(folder.seen) >= before + 2)


async def test_hidden_files_and_our_own_are_no_change(folder: Folder) -> None:
    changes = Changes(
        [folder.path], [folder.path / "home"], None, rescan_s=3600, notice=folder.told.append
    )
    (folder.path / "home").mkdir()
    (folder.path / ".git").mkdir()
    (folder.path / "sub").mkdir()

    def concerns(name: str, change: Change = Change.added) -> bool:
        return changes.concern(change, str(folder.path / name))

    assert concerns("a.PDF")
    assert concerns("sub")
    assert concerns("gone", Change.deleted)
    assert not concerns("notes.xyz")
    assert not concerns("notes.xyz", Change.deleted)
    assert not concerns(".a.pdf")
    assert not concerns(".git/a.pdf")
    assert not concerns("home/data/a.txt")
    assert not concerns("home")


async def test_a_thousand_files_at_once_are_taken_together(folder: Folder) -> None:
    async with folder.watched():
        for number in range(3000):
            (folder.path / f"{number}.txt").write_text("x")
        await folder.until(lambda names: len(names) == 3000)


async def test_an_error_of_the_first_ingest_is_the_callers(tmp_path: Path) -> None:
    async def ingest() -> AsyncGenerator[IngestEvent]:
        raise PathNotFound("no such folder")
        yield Planned(0, 0, 0, 0, 0, 0)

    with pytest.raises(PathNotFound):
        _ = [event async for event in watch([tmp_path], ingest)]
