"""Carry out a plan: extract, embed and store side by side, each waiting for none of the others.

    jobs ──extract (worker processes)──▶ queue ──embed──▶ batch ──store──▶ LanceDB

Documents are committed whole, in batches. A crash loses the batch in hand, which the next run does
again; rows that it left behind are deleted first.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rag.embedders.base import Embedder, Vectors
from rag.errors import ExtractionError
from rag.events import FileFailed, FileIngested, IngestEvent
from rag.ingest.calibration import calibrate
from rag.ingest.counters import Tally
from rag.ingest.extractor import Extractor
from rag.ingest.messages import Extracted
from rag.ingest.plan import IngestPlan, Job
from rag.ingest.sources import require_unchanged
from rag.store import Addition, StoreWriter
from rag.store.schema import now
from rag.types import Coverage, Document, Failure

# A commit costs some tens of milliseconds and leaves a fragment: few large ones.
COMMIT_CHUNKS = 4096
COMMIT_SECONDS = 20.0
# Texts handed to the embedder at once: enough to sort by length, few enough to show progress.
EMBED_CHUNKS = 256
# Until the first commits are optimised, full-text search sees nothing of them.
OPTIMIZE_EVERY = 25


@dataclass(frozen=True, slots=True)
class _Ready:
    job: Job
    extracted: Extracted


class Ingest:
    """One run. `events` may be iterated once; closing it stops the run cleanly."""

    def __init__(
        self,
        plan: IngestPlan,
        store: StoreWriter,
        embedder: Embedder,
        extractor: Extractor,
        *,
        recipe: str,
        password: str | None = None,
        prune: bool = False,
        parallel: int = 2,
    ) -> None:
        self._plan = plan
        self._store = store
        self._embedder = embedder
        self._extractor = extractor
        self._recipe = recipe
        self._password = password
        self._prune = prune
        self._tally = Tally(plan, prune=prune)
        self._parallel = parallel
        self._events: asyncio.Queue[IngestEvent | None] = asyncio.Queue()
        # Bounded, so that extraction cannot run ahead of embedding and fill the memory.
        self._ready: asyncio.Queue[_Ready | None] = asyncio.Queue(maxsize=2 * parallel)
        self._batch: list[Addition] = []
        self._failures: list[Failure] = list(plan.unreadable)
        self._last_commit = time.monotonic()
        self._commits = 0
        self._indexed: frozenset[Path] = frozenset()

    async def events(self) -> AsyncGenerator[IngestEvent]:
        """Plan counts, then progress and results as they come, then one Summary."""
        yield self._plan.counts()
        work = asyncio.create_task(self._work())
        work.add_done_callback(lambda _: self._events.put_nowait(None))
        try:
            while (event := await self._events.get()) is not None:
                yield event
            await work
        finally:
            work.cancel()
            with suppress(asyncio.CancelledError):
                await work

    async def _work(self) -> None:
        for failure in self._failures:
            self._tell_failed(failure)
        await self._store.repair()
        self._indexed = frozenset((await self._store.snapshot()).by_path)
        await self._write_known()
        jobs = iter(self._plan.jobs)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._embed_all())
                async with asyncio.TaskGroup() as extracting:
                    for _ in range(self._parallel):
                        extracting.create_task(self._extract(jobs))
                await self._ready.put(None)
        except ExceptionGroup as errors:
            raise _first(errors) from errors
        await self._commit()
        with self._tally.timed("optimize"):
            await self._store.optimize()
        with self._tally.timed("calibrate"):
            await calibrate(self._store, self._embedder)
        self._events.put_nowait(self._tally.summary())

    async def _write_known(self) -> None:
        """Rows of files whose content is in the index already; documents that are gone."""
        plan, recipe = self._plan, self._recipe
        await self._store.upsert([(document, recipe) for document in plan.known])
        await self._store.remove([*plan.moved, *(plan.gone if self._prune else ())])
        await self._store.forget_failures(plan.recovered)
        for document in plan.known:
            self._events.put_nowait(FileIngested(document))

    # ── extract ───────────────────────────────────────────────────────────────────────────────

    async def _extract(self, jobs: Iterator[Job]) -> None:
        """One file after another, until those who share `jobs` have done all."""
        for job in jobs:
            self._tally.current = job.sources[0].path
            self._tell_progress()
            try:
                extracted = await self._extractor.extract(
                    job.sources[0].path, password=self._password
                )
                require_unchanged(job.sources[0])
            except ExtractionError as error:
                self._fail(job, error)
                continue
            self._tally.pages += len(extracted.document.pages)
            self._tally.extracted += len(extracted.chunks)
            self._tally.add_seconds("extract", extracted.seconds)
            await self._ready.put(_Ready(job, extracted))

    def _fail(self, job: Job, error: ExtractionError) -> None:
        """A file that was sound before keeps what the index has of it."""
        self._tally.bytes_done += job.sources[0].size
        for source in job.sources:
            kept = "; its earlier version stays in the index"
            reason = f"{error}{kept if source.path in self._indexed else ''}"
            failure = Failure(
                source.path, error.kind, reason, error.hint, source.size, source.mtime_ns
            )
            self._failures.append(failure)
            self._tell_failed(failure)

    def _tell_failed(self, failure: Failure) -> None:
        self._tally.failed += 1
        self._tally.files_done += 1
        self._events.put_nowait(FileFailed(failure))

    # ── embed ─────────────────────────────────────────────────────────────────────────────────

    async def _embed_all(self) -> None:
        """Embed group after group, two at a time so that the embedder never waits for us."""
        groups: asyncio.Queue[asyncio.Task[list[Addition]] | None] = asyncio.Queue(maxsize=1)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._collect(groups))
            while (group := await self._next_group()) is not None:
                await groups.put(tasks.create_task(self._embed(group)))
            await groups.put(None)

    async def _collect(self, groups: asyncio.Queue[asyncio.Task[list[Addition]] | None]) -> None:
        while (task := await groups.get()) is not None:
            self._batch += await task
            waiting = sum(len(addition.chunks) for addition in self._batch)
            if waiting >= COMMIT_CHUNKS or time.monotonic() - self._last_commit > COMMIT_SECONDS:
                await self._commit()

    async def _next_group(self) -> list[_Ready] | None:
        """Documents with about EMBED_CHUNKS chunks in all: no waiting once there is one."""
        first = await self._ready.get()
        if first is None:
            return None
        group, size = [first], len(first.extracted.chunks)
        while size < EMBED_CHUNKS and not self._ready.empty():
            ready = self._ready.get_nowait()
            if ready is None:
                self._ready.put_nowait(None)
                break
            group.append(ready)
            size += len(ready.extracted.chunks)
        return group

    async def _embed(self, group: Sequence[_Ready]) -> list[Addition]:
        contents = [chunk.content for ready in group for chunk in ready.extracted.chunks]
        known = await self._store.vectors([id_ for ready in group for id_ in ready.job.replaces])
        missing = list(dict.fromkeys(text for text in contents if text not in known))
        for start in range(0, len(missing), EMBED_CHUNKS):
            texts = missing[start : start + EMBED_CHUNKS]
            with self._tally.embedding():
                vectors = await self._embedder.embed_documents(texts)
            known.update(zip(texts, vectors, strict=True))
            self._tally.embedded += len(texts)
            self._tell_progress()
        self._tally.reused += len(contents) - len(missing)
        self._tally.embedded += len(contents) - len(missing)
        self._tally.bytes_done += sum(ready.job.sources[0].size for ready in group)
        return [addition for ready in group for addition in self._additions(ready, known)]

    def _additions(self, ready: _Ready, vectors: dict[str, Vectors]) -> Iterator[Addition]:
        """One addition for each file that holds this content."""
        parsed, chunks = ready.extracted.document, ready.extracted.chunks
        matrix = np.stack([vectors[chunk.content] for chunk in chunks])
        for source in ready.job.sources:
            document = Document(
                id=ready.job.document_id,
                path=source.path,
                title=parsed.title,
                sha256=source.sha256,
                size=source.size,
                mtime_ns=source.mtime_ns,
                pages=len(parsed.pages),
                chunks=len(chunks),
                language=parsed.language,
                coverage=Coverage.of(parsed.pages),
                metadata=parsed.metadata,
                added_at=now(),
                warnings=parsed.warnings,
            )
            yield Addition(document, self._recipe, parsed.pages, chunks, matrix)

    # ── store ─────────────────────────────────────────────────────────────────────────────────

    async def _commit(self) -> None:
        batch, self._batch = self._batch, []
        failures, self._failures = self._failures, []
        with self._tally.timed("store"):
            await self._store.commit(batch)
            await self._store.record_failures(failures)
        self._commits += 1
        if self._commits % OPTIMIZE_EVERY == 1:
            with self._tally.timed("optimize"):
                await self._store.optimize()
        self._last_commit = time.monotonic()
        for addition in batch:
            self._tally.add(addition.document)
            self._events.put_nowait(FileIngested(addition.document))
        self._tell_progress()

    def _tell_progress(self) -> None:
        self._events.put_nowait(self._tally.progress())


def _first(error: Exception) -> Exception:
    """The error inside nested groups: callers know our tree, not groups of it."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error
