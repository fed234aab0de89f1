"""Ingest jobs: queued by collection, one writer each, run in a process of their own.

Jobs that wait for the same collection run together: starting a process and loading the embedding
model takes seconds, a folder dropped on the page is many uploads.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from rag.config import Settings
from rag.errors import IndexMissing, RagError
from rag.events import FileFailed, FileIngested, IngestEvent, Progress, Summary
from rag.pipeline import Pipeline
from rag.worker_process import WorkerProcess
from service.ingest_worker import Order
from service.problems import Refused, problem, problem_of, problem_of_file

JobStatus = Literal["queued", "running", "done", "failed"]
FileStatus = Literal["queued", "done", "failed"]
_KEPT = 500  # finished jobs that can still be asked for
_LOCKED_RETRY_S = 3.0
_STOP_S = 5.0


@dataclass(slots=True)
class JobFile:
    path: Path
    status: FileStatus = "queued"
    document_id: str | None = None
    problem: dict[str, Any] | None = None


@dataclass(slots=True)
class Job:
    """Files that were uploaded together."""

    id: str
    collection: str
    files: list[JobFile]
    status: JobStatus = "queued"
    progress: Progress | None = None
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def ended(self) -> bool:
        return self.status in ("done", "failed")

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

    def settle(self, ids: Mapping[Path, str]) -> None:
        """What is still queued when the writer has ended is done, as the index had it already."""
        for file in self.files:
            if file.status == "queued":
                file.status, file.document_id = "done", ids.get(file.path)
        failed = all(file.status == "failed" for file in self.files)
        self.status = "failed" if failed else "done"
        self.touch()

    def fail(self, why: dict[str, Any]) -> None:
        for file in self.files:
            if file.status == "queued":
                file.status, file.problem = "failed", why
        self.settle({})


class Collections(Protocol):
    """Where the documents of a service are: its State."""

    def pipeline(self, collection: str | None = None) -> Pipeline:
        """The pipeline of a collection, which need not have an index yet."""

    def collection_settings(self, collection: str | None) -> Settings:
        """The service's settings with the collection's name."""

    def files_dir(self, collection: str) -> Path:
        """Where uploads to a collection are kept."""


class Jobs:
    """All jobs of a service."""

    def __init__(self, collections: Collections) -> None:
        self._collections = collections
        self._jobs: dict[str, Job] = {}
        self.closing = False
        self._writers: dict[str, asyncio.Task[None]] = {}

    def add(self, collection: str, paths: Sequence[Path]) -> Job:
        job = Job(secrets.token_urlsafe(9), collection, [JobFile(path) for path in paths])
        self._jobs[job.id] = job
        self._forget_old()
        if collection not in self._writers:
            task = asyncio.create_task(self._write(collection))
            self._writers[collection] = task
        return job

    def get(self, id_: str) -> Job:
        if id_ not in self._jobs:
            raise Refused(404, f"no job {id_[:40]!r}", "Jobs are forgotten when the service ends.")
        return self._jobs[id_]

    def all(self) -> list[Job]:
        """The latest first."""
        return list(reversed(self._jobs.values()))

    def stop_watching(self) -> None:
        """Let those go who follow a job: the service ends."""
        self.closing = True
        for job in self._jobs.values():
            job.touch()

    async def close(self) -> None:
        """Stop the writers. What they had not committed is taken up when the service starts."""
        tasks = list(self._writers.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # ── one writer a collection ───────────────────────────────────────────────────────────────

    async def _write(self, collection: str) -> None:
        try:
            while batch := self._waiting(collection):
                for job in batch:
                    job.status = "running"
                    job.touch()
                try:
                    await self._run(collection, batch)
                except RagError as error:
                    for job in batch:
                        job.fail(problem_of(error))
        finally:
            del self._writers[collection]

    def _waiting(self, collection: str) -> list[Job]:
        jobs = self._jobs.values()
        return [job for job in jobs if job.collection == collection and job.status == "queued"]

    async def _run(self, collection: str, batch: Sequence[Job]) -> None:
        while (why := await self._attempt(collection, batch)) is not None:
            if why.get("code") != "index_locked":
                for job in batch:
                    job.fail(why)
                return
            await asyncio.sleep(_LOCKED_RETRY_S)  # somebody else writes: `rag ingest`, say
        ids = await self._ids(collection)
        for job in batch:
            job.settle(ids)
        self._remove_failed(batch)

    async def _ids(self, collection: str) -> dict[Path, str]:
        pipeline = self._collections.pipeline(collection)
        await pipeline.refresh()
        try:
            documents = await pipeline.documents()
        except IndexMissing:  # none of the files could be read
            return {}
        return {document.path: document.id for document in documents}

    async def _attempt(self, collection: str, batch: Sequence[Job]) -> dict[str, Any] | None:
        """Run the process to its end. Returns a problem document if it could not do its work."""
        files = {file.path: (job, file) for job in batch for file in job.files}
        ended = False
        async with aclosing(self._events(collection, list(files))) as events:
            async for event in events:
                if isinstance(event, dict):
                    return event
                ended = ended or isinstance(event, Summary)
                _note(event, files, batch)
        return None if ended else problem(500, "the ingest process ended before its work was done")

    async def _events(
        self, collection: str, paths: Sequence[Path]
    ) -> AsyncGenerator[IngestEvent | dict[str, Any]]:
        """Of a process of its own, which is interrupted, then killed, if nobody reads on."""
        process = await WorkerProcess.start("service.ingest_worker")
        try:
            settings = self._collections.collection_settings(collection)
            await process.send(Order(settings, tuple(paths)))
            while True:
                yield await process.receive()
        except (ConnectionError, asyncio.IncompleteReadError):
            await process.exit_code()
        finally:
            await asyncio.shield(process.stop(_STOP_S))

    def _remove_failed(self, batch: Sequence[Job]) -> None:
        """Uploads that cannot be read are of no use; their job says what was wrong."""
        for job in batch:
            folder = self._collections.files_dir(job.collection)
            for file in job.files:
                if file.status == "failed" and file.path.is_relative_to(folder):
                    file.path.unlink(missing_ok=True)

    def _forget_old(self) -> None:
        ended = [id_ for id_, job in self._jobs.items() if job.ended]
        for id_ in ended[: max(0, len(self._jobs) - _KEPT)]:
            del self._jobs[id_]


def _note(event: IngestEvent, files: dict[Path, tuple[Job, JobFile]], batch: Sequence[Job]) -> None:
    """Write an event down in the jobs that it is about."""
    if isinstance(event, Progress):
        for job in batch:
            job.progress = event
            job.touch()
    elif isinstance(event, FileIngested) and event.document.path in files:
        job, file = files[event.document.path]
        file.status, file.document_id = "done", event.document.id
        job.touch()
    elif isinstance(event, FileFailed) and event.failure.path in files:
        job, file = files[event.failure.path]
        file.status, file.problem = "failed", problem_of_file(event.failure)
        job.touch()
