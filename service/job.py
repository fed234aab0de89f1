"""One piece of a collection's work: files to ingest, or documents to remove."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from rag.events import Progress

JobKind = Literal["ingest", "remove"]
JobStatus = Literal["queued", "running", "done", "failed"]
FileStatus = Literal["queued", "done", "failed"]


@dataclass(slots=True)
class JobFile:
    path: Path
    sha256: str = ""  # where it is known
    status: FileStatus = "queued"
    document_id: str | None = None
    problem: dict[str, Any] | None = None


@dataclass(slots=True)
class Job:
    """Files that were uploaded together, or of a document that is to go (`document_id`).

    `problem` says what a job waits for, or why it failed as a whole.
    """

    id: str
    collection: str
    files: list[JobFile]
    kind: JobKind = "ingest"
    document_id: str = ""
    status: JobStatus = "queued"
    progress: Progress | None = None
    problem: dict[str, Any] | None = None
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def ended(self) -> bool:
        return self.status in ("done", "failed")

    @property
    def files_left(self) -> int:
        """Files that are still to be read."""
        if self.kind != "ingest" or self.ended:
            return 0
        return sum(file.status == "queued" for file in self.files)

    def touch(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def change(self, timeout_s: float) -> bool:
        """Wait for a change; False if none came in time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._changed.wait()
                return True
        return False

    async def end(self, timeout_s: float) -> bool:
        """Wait until it has ended; False if it has not in time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while not self.ended:
                    await self._changed.wait()
        return self.ended

    def waits(self, why: dict[str, Any]) -> None:
        self.problem = why
        self.touch()

    def runs(self) -> None:
        self.status, self.problem = "running", None
        self.touch()

    def settle(self, ids: Mapping[Path, str]) -> None:
        """What is still queued when the writer has ended is done, as the index had it already."""
        for file in self.files:
            if file.status == "queued":
                file.status, file.document_id = "done", ids.get(file.path)
        failed = bool(self.files) and all(file.status == "failed" for file in self.files)
        self.status, self.problem = "failed" if failed else "done", None
        self.touch()

    def fail(self, why: dict[str, Any]) -> None:
        for file in self.files:
            if file.status == "queued":
                file.status, file.problem = "failed", why
        self.settle({})
        self.status, self.problem = "failed", why
