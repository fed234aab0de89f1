"""Jobs: one queue and one writer a collection; what is ingested is in a process of its own.

Uploads that wait next to each other run together: starting a process and loading the embedding
model takes seconds, a folder dropped on the page is many uploads.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from itertools import starmap, takewhile
from pathlib import Path
from typing import Any, Protocol

from rag.config import Settings
from rag.errors import DocumentNotFound, IndexLocked, IndexMissing, RagError, StorageFull
from rag.events import FileFailed, FileIngested, IngestEvent, Progress, Summary
from rag.pipeline import Pipeline
from rag.worker_process import WorkerProcess
from service.ingest_worker import Order
from service.job import Job, JobFile
from service.problems import Refused, problem, problem_of, problem_of_file

_KEPT = 500  # finished jobs that can still be asked for
# What a job waits for as long as it takes: another writer, `rag ingest` say; and a full disk.
_PASSING = {"index_locked": 3.0, "storage_full": 10.0}  # seconds until it is tried again
_STOP_S = 5.0
_TELL_S = 1.0


@dataclass(frozen=True, slots=True)
class Waiting:
    """A question waits for documents: so many files read of those that were under way."""

    files_done: int
    files_total: int


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

    def add(self, collection: str, files: Mapping[Path, str]) -> Job:
        """Ingest files, each with its content's SHA-256 ("" where it is not known)."""
        return self._add(Job(_id(), collection, list(starmap(JobFile, files.items()))))

    def add_removal(self, collection: str, document_id: str) -> Job:
        """Remove a document with its uploads once the collection's writer comes to it."""
        return self._add(Job(_id(), collection, [], "remove", document_id))

    def _add(self, job: Job) -> Job:
        collection = job.collection
        self._jobs[job.id] = job
        self._forget_old()
        if collection not in self._writers:
            task = asyncio.create_task(self._write(collection))
            self._writers[collection] = task
        return job

    def under_way(self, collection: str) -> list[Job]:
        """Those that have not ended, the first first."""
        return [
            job for job in self._jobs.values() if job.collection == collection and not job.ended
        ]

    def files_left(self, collection: str) -> int:
        """Files of the collection that are still to be read."""
        return sum(job.files_left for job in self.under_way(collection))

    async def waiting(self, collection: str) -> AsyncGenerator[Waiting]:
        """Tells how far the files are read that are under way now, until they are."""
        jobs = [job for job in self.under_way(collection) if job.files_left]
        total = sum(job.files_left for job in jobs)
        while left := sum(job.files_left for job in jobs):
            yield Waiting(total - left, total)
            await next(job for job in jobs if job.files_left).change(_TELL_S)

    async def abandon(self, collection: str) -> None:
        """Stop its writer and drop what waits: the collection is about to go."""
        if writer := self._writers.get(collection):
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)
        for job in self.under_way(collection):
            job.fail(problem(410, f"the collection {collection} was deleted"))

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
            while batch := self._next(collection):
                for job in batch:
                    job.runs()
                try:
                    if batch[0].kind == "remove":
                        await self._remove(batch[0])
                    else:
                        await self._run(collection, batch)
                except RagError as error:
                    for job in batch:
                        job.fail(problem_of(error))
        finally:
            del self._writers[collection]

    def _next(self, collection: str) -> list[Job]:
        """The first that waits; with an upload, those right behind it."""
        waiting = [job for job in self.under_way(collection) if job.status == "queued"]
        if waiting and waiting[0].kind == "remove":
            return waiting[:1]
        return list(takewhile(lambda job: job.kind == "ingest", waiting))

    async def _remove(self, job: Job) -> None:
        while True:
            try:
                removed = await self._collections.pipeline(job.collection).remove([job.document_id])
                break
            except (IndexLocked, StorageFull) as error:
                job.waits(why := problem_of(error))
                await asyncio.sleep(_PASSING[why["code"]])
            except (DocumentNotFound, IndexMissing):  # somebody else removed it meanwhile
                removed = []
                break
        job.files = [JobFile(gone.path) for gone in removed]
        folder = self._collections.files_dir(job.collection)
        for gone in removed:
            if gone.path.is_relative_to(folder):
                gone.path.unlink(missing_ok=True)
        job.settle({gone.path: gone.id for gone in removed})

    async def _run(self, collection: str, batch: Sequence[Job]) -> None:
        while (why := await self._attempt(collection, batch)) is not None:
            passing = _PASSING.get(str(why.get("code")))
            if passing is None:
                for job in batch:
                    job.fail(why)
                return
            for job in batch:
                job.waits(why)
            await asyncio.sleep(passing)
            for job in batch:
                job.runs()
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


def _id() -> str:
    return secrets.token_urlsafe(9)


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
