"""The data of both flows. All frozen: a stored thing is another type than one not yet stored.

Offsets are counts of Unicode code points (Python string indices), end exclusive.
Pages are numbered from 1. Boxes are (x0, y0, x1, y1) in points, origin at the top left of the
page as it is displayed (rotation applied), as PyMuPDF gives them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Literal, get_args

from rag.computation import Computation
from rag.encoding import well_formed

Box = tuple[float, float, float, float]
BlockKind = Literal["heading", "text", "list", "table"]
# What stands on a page and could not be read: a picture of text, text drawn as outlines, a font
# that says other letters than it draws; or the page itself.
Unread = Literal["", "scan", "outlines", "garbled", "damaged"]
PageSource = Literal["text", "layout", "ocr", "empty", "scan", "outlines", "garbled", "damaged"]
SOURCES: tuple[str, ...] = get_args(PageSource)
UNREAD: Mapping[str, str] = MappingProxyType({
    "scan": "a picture of text", "outlines": "text drawn as outlines", "damaged": "damage",
    "garbled": "a font that names other letters",
})  # fmt: skip
Role = Literal["system", "user", "assistant"]
PAGE_BREAK = "\n\n"  # stands between two pages in the text of a whole document


# ── ingest ────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph, heading, list or table: `page.text[start:end]`, drawn inside `box`."""

    kind: BlockKind
    start: int
    end: int
    box: Box
    level: int = 0  # of a heading, 1 (highest) to 6; otherwise 0


@dataclass(frozen=True, slots=True)
class Word:
    """`page.text[start:end]`, drawn inside `box`. A word hyphenated over two lines is two Words."""

    start: int
    end: int
    box: Box


@dataclass(frozen=True, slots=True)
class Page:
    """One page: text in reading order, its blocks in order (non-overlapping), its words.

    `source` says where the text came from: the fast path ("text"), layout analysis ("layout"),
    OCR, or nowhere ("empty"). The other sources are of pages with something on them that was not
    read (Unread). `label` is the printed page number where the PDF gives one.
    """

    number: int
    label: str
    text: str
    blocks: tuple[Block, ...]
    words: Sequence[Word]
    width: float
    height: float
    source: PageSource


@dataclass(frozen=True, slots=True)
class ParsedDocument:
    """A file turned into text. `metadata` holds what the file says of itself (author, date…)."""

    title: str
    language: str  # ISO 639-1 of most of the text, "" when unsure
    pages: tuple[Page, ...]
    metadata: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The pages joined by PAGE_BREAK: what chunk offsets point into."""
        return PAGE_BREAK.join(page.text for page in self.pages)


def content_of(header: str, text: str) -> str:
    """What of a chunk is embedded and searched."""
    return f"{header}\n{text}" if header else text


@dataclass(frozen=True, slots=True)
class Chunk:
    """A passage of a document: exactly `document.text[start:end]`.

    `header` is context that is not part of the quoted text: "title > heading", and under it the
    header rows of a table that was split. It is embedded, searched and shown to the model.
    """

    text: str
    header: str
    start: int
    end: int
    first_page: int
    last_page: int
    kind: BlockKind
    tokens: int  # of header + text, in the embedder's own tokens

    @property
    def content(self) -> str:
        """What is embedded and searched."""
        return content_of(self.header, self.text)


@dataclass(frozen=True, slots=True)
class Coverage:
    """How the pages of a document were read. `empty` names the pages without any text, `unread`
    those with something that was not read, by what it is (Unread)."""

    text: int
    layout: int
    ocr: int
    empty: tuple[int, ...]
    unread: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    @property
    def unread_pages(self) -> int:
        return sum(len(pages) for pages in self.unread.values())

    @classmethod
    def of(cls, pages: Sequence[Page]) -> Coverage:
        numbers = {kind: tuple(p.number for p in pages if p.source == kind) for kind in SOURCES}
        return cls(
            text=len(numbers["text"]),
            layout=len(numbers["layout"]),
            ocr=len(numbers["ocr"]),
            empty=numbers["empty"],
            unread={kind: numbers[kind] for kind in UNREAD if numbers[kind]},
        )


# ── stored ────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Document:
    """A document in the index. `id` follows from the content and from how it was chunked."""

    id: str
    path: Path
    title: str
    sha256: str
    size: int  # bytes
    mtime_ns: int
    pages: int
    chunks: int
    language: str
    coverage: Coverage
    metadata: Mapping[str, str]
    added_at: str  # ISO 8601, UTC
    warnings: tuple[str, ...] = ()  # what could not be read of it

    @property
    def name(self) -> str:
        return well_formed(self.path.name)


@dataclass(frozen=True, slots=True)
class StoredChunk:
    """A chunk in the index."""

    id: str
    document_id: str
    ordinal: int
    text: str
    header: str
    start: int
    end: int
    first_page: int
    last_page: int
    kind: BlockKind
    tokens: int

    @property
    def content(self) -> str:
        """What was embedded and is searched."""
        return content_of(self.header, self.text)


@dataclass(frozen=True, slots=True)
class Failure:
    """A file that could not be ingested: remembered, so that it is not tried again unchanged."""

    path: Path
    kind: str  # ExtractionError.kind
    reason: str
    hint: str
    size: int
    mtime_ns: int


# ── ask ───────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a chat."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class Hit:
    """A chunk that a search found. `ranks` holds its rank (from 1) in each list that had it.

    `gains` holds what each of these lists adds to the score, and sums to it; `header_words` are the
    words of the chunk's header that the question has too, whatever their endings.
    """

    chunk: StoredChunk
    document: Document
    score: float
    ranks: Mapping[str, int]
    similarity: float | None = None  # cosine to the question, where the dense list had it
    gains: Mapping[str, float] = field(default_factory=dict)
    header_words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Finish:
    """How a generation ended. Tokens are the chat model's."""

    reason: Literal["stop", "length"]
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int


@dataclass(frozen=True, slots=True)
class Piece:
    """What an engine streams: text of the answer, or a `thought` that is no part of it; with the
    last piece how it ended. `restart`: all text before this piece was thought, too."""

    text: str
    finish: Finish | None = None
    thought: str = ""
    restart: bool = False


@dataclass(frozen=True, slots=True)
class Citation:
    """The place that supports a claim: `quote` stands on page `page` of `document`."""

    number: int  # of the source, as shown to the reader, from 1
    document: Document
    page: int
    page_label: str
    quote: str
    boxes: tuple[Box, ...]
    score: float  # 0 to 1; 1 is a verbatim quote
    chunk_id: str


# What the passages say of a claim. supported: a place says so. worded_differently: a place comes
# near and nothing strict differs. not_said: none speaks of it. contradicted: one says otherwise.
Finding = Literal["supported", "worded_differently", "not_said", "contradicted"]


@dataclass(frozen=True, slots=True)
class Claim:
    """`answer.text[start:end]`: a sentence, list item or table row, and the sources it rests on."""

    start: int
    end: int
    sources: tuple[int, ...]  # Citation.number; empty: nothing shown supports it
    finding: Finding = "not_said"
    near: Citation | None = None  # what it contradicts or says in other words; its number is 0


@dataclass(frozen=True, slots=True)
class Answer:
    """A finished answer. `text` carries the markers [1], [2] of its verified citations."""

    question: str
    search_text: str
    text: str
    claims: tuple[Claim, ...]
    citations: tuple[Citation, ...]
    hits: tuple[Hit, ...]
    refused: bool
    finish: Finish | None
    model: str
    computation: Computation | None = None
    quoted: int = 0  # its first characters: sentences of the passages, which no model wrote
