"""What an ingest counts while it runs, and what it tells of that."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rag.events import Progress, Summary
from rag.ingest.plan import IngestPlan
from rag.types import Document


class Tally:
    """Counts of one run, from its beginning."""

    def __init__(self, plan: IngestPlan, *, prune: bool) -> None:
        self.files_done = 0
        self.bytes_done = 0
        self.pages = 0
        self.extracted = 0  # chunks
        self.embedded = 0  # chunks, with those whose vectors were there
        self.reused = 0
        self.ingested = 0
        self.unread = 0  # pages
        self.empty = 0  # pages
        self.warned = 0  # documents
        self.failed = 0
        self.current: Path | None = None
        self._plan = plan
        self._removed = len(plan.gone) if prune else 0
        self._files = sum(len(job.sources) for job in plan.jobs) + len(plan.unreadable)
        self._bytes = sum(job.sources[0].size for job in plan.jobs)
        self._seconds: dict[str, float] = {}
        self._started = time.monotonic()
        self._at_embedder = 0
        self._embedder_since = 0.0

    def add(self, document: Document) -> None:
        """One that is stored."""
        self.ingested += 1
        self.files_done += 1
        self.unread += document.coverage.unread_pages
        self.empty += len(document.coverage.empty)
        self.warned += bool(document.warnings)

    def progress(self) -> Progress:
        return Progress(
            files_done=self.files_done,
            files_total=self._files,
            pages=self.pages,
            chunks_extracted=self.extracted,
            chunks_embedded=self.embedded,
            failed=self.failed,
            current=self.current,
            skipped=self._plan.unchanged + len(self._plan.known_bad),
            seconds_left=self._seconds_left(),
        )

    def _seconds_left(self) -> float | None:
        if not self.bytes_done:
            return None
        spent = time.monotonic() - self._started
        return round(spent * (self._bytes - self.bytes_done) / self.bytes_done, 1)

    def summary(self) -> Summary:
        return Summary(
            ingested=self.ingested,
            moved=len(self._plan.moved),
            removed=self._removed,
            unchanged=self._plan.unchanged,
            failed=self.failed,
            known_bad=len(self._plan.known_bad),
            pages=self.pages,
            chunks=self.embedded,
            reused_vectors=self.reused,
            seconds=time.monotonic() - self._started,
            stage_seconds={name: round(spent, 3) for name, spent in self._seconds.items()},
            unread_pages=self.unread,
            empty_pages=self.empty,
            warned=self.warned,
            passed_over=self._plan.counts().passed_over,
        )

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        started = time.monotonic()
        yield
        self.add_seconds(stage, time.monotonic() - started)

    @contextmanager
    def embedding(self) -> Iterator[None]:
        """Time with the embedder at work: of two groups at once it counts once."""
        if not self._at_embedder:
            self._embedder_since = time.monotonic()
        self._at_embedder += 1
        yield
        self._at_embedder -= 1
        if not self._at_embedder:
            self.add_seconds("embed", time.monotonic() - self._embedder_since)

    def add_seconds(self, stage: str, seconds: float) -> None:
        self._seconds[stage] = self._seconds.get(stage, 0.0) + seconds
