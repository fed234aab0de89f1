"""What the two flows tell while they run: one vocabulary, printed by terminal, NDJSON and SSE."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from rag.jsonable import UNTOLD
from rag.options import PageRange
from rag.types import Answer, Citation, Document, Failure, Hit

# ── ingest ────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Comparing:
    """Files are held against the index, at once and then while it lasts.

    At first folders are searched: `files_done` were found, `files_total` is None. Then so many of
    all are compared; those that are new or changed are read for that, so many bytes of all.
    """

    files_done: int
    files_total: int | None
    bytes_done: int = 0
    bytes_total: int = 0
    kind: Literal["comparing"] = "comparing"


@dataclass(frozen=True, slots=True)
class Planned:
    """How many files need what; nothing but Comparing comes before it.

    `known_bad` failed before and did not change; `passed_over` are of formats that are not read, by
    suffix.
    """

    new: int
    changed: int
    moved: int
    unchanged: int
    gone: int
    known_bad: int
    passed_over: Mapping[str, int] = field(default_factory=dict)
    kind: Literal["planned"] = "planned"


@dataclass(frozen=True, slots=True)
class Progress:
    """Counts so far. Pages and chunks are those of files that were extracted and embedded.

    `skipped` files needed nothing (unchanged, or bad as before). `seconds_left` goes by the bytes
    of the files, as their pages are not known before; None while there is nothing to go by.
    """

    files_done: int
    files_total: int
    pages: int
    chunks_extracted: int
    chunks_embedded: int
    failed: int
    current: Path | None
    skipped: int = 0
    seconds_left: float | None = None
    kind: Literal["progress"] = "progress"


@dataclass(frozen=True, slots=True)
class FileIngested:
    """A document is in the index (committed, not merely read)."""

    document: Document
    kind: Literal["ingested"] = "ingested"


@dataclass(frozen=True, slots=True)
class FileFailed:
    """A file was skipped. The rest goes on."""

    failure: Failure
    kind: Literal["failed"] = "failed"


@dataclass(frozen=True, slots=True)
class Summary:
    """Last event of an ingest.

    What was not taken: `unread_pages` have something on them that was not read, `empty_pages`
    nothing, and `warned` documents hold more (attachments, a form in XFA, an encoding that was
    guessed), all of the files ingested; `passed_over` are files of formats that are not read, by
    suffix.
    """

    ingested: int
    moved: int
    removed: int
    unchanged: int
    failed: int
    known_bad: int
    pages: int
    chunks: int
    reused_vectors: int
    seconds: float
    stage_seconds: Mapping[str, float] = field(default_factory=dict)
    unread_pages: int = 0
    empty_pages: int = 0
    warned: int = 0
    passed_over: Mapping[str, int] = field(default_factory=dict)
    kind: Literal["summary"] = "summary"


IngestEvent = Comparing | Planned | Progress | FileIngested | FileFailed | Summary

# ── ask ───────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Retrieved:
    """What a search found: the first event of an answer.

    `search_text` is what was searched for in the question's place, `hits` are best first. The
    answer goes on from here, so `documents` and `pages` say where it may look further: the
    documents of the scope in order of their paths (none: the scope is open), and its pages.
    """

    question: str
    search_text: str
    hits: tuple[Hit, ...]
    documents: tuple[Document, ...] = field(default=(), metadata=UNTOLD)
    pages: PageRange | None = field(default=None, metadata=UNTOLD)
    kind: Literal["retrieved"] = "retrieved"


@dataclass(frozen=True, slots=True)
class Quoted:
    """The sentences that answer best, with the markers of their citations, before any model writes:
    the answer will begin with them, unless it becomes a refusal. The deltas go on behind them."""

    text: str
    citations: tuple[Citation, ...]
    kind: Literal["quoted"] = "quoted"


@dataclass(frozen=True, slots=True)
class MapProgress:
    """Where documents are read whole: parts and pages read so far, of how many. At the end every
    page has been read."""

    parts_done: int
    parts_total: int
    pages_done: int
    pages_total: int
    kind: Literal["map_progress"] = "map_progress"


@dataclass(frozen=True, slots=True)
class Delta:
    """The next piece of the answer's text, as the model writes it (not yet verified)."""

    text: str
    kind: Literal["delta"] = "delta"


@dataclass(frozen=True, slots=True)
class Thought:
    """The next piece of what the model thinks before it answers: no part of the answer. `restart`:
    the deltas so far were thoughts, too, and the answer begins anew."""

    text: str
    restart: bool = False
    kind: Literal["thought"] = "thought"


@dataclass(frozen=True, slots=True)
class Done:
    """Last event of an answer, once: the verified answer. Its text may differ from the deltas."""

    answer: Answer
    kind: Literal["done"] = "done"


AnswerEvent = Retrieved | Quoted | MapProgress | Thought | Delta | Done
