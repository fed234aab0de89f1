"""What goes over the wire. Field names are those of rag.types; what is added here are the URLs."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote, urlencode

from pydantic import BaseModel, ConfigDict, Field

from rag import types
from rag.config import COLLECTION_NAME
from rag.pipeline import AskOptions, Scope

Collection = Annotated[str, Field(pattern=COLLECTION_NAME, examples=["default"])]


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Out(BaseModel):
    model_config = ConfigDict(from_attributes=True)


# ── requests ──────────────────────────────────────────────────────────────────────────────────


class Turn(_In):
    """An earlier message, for clients that keep the conversation themselves."""

    role: Literal["user", "assistant"]
    content: str = Field(max_length=100_000)


class PageRange(_In):
    first: int = Field(ge=1, le=1_000_000)
    last: int = Field(ge=1, le=1_000_000)


class Search(_In):
    question: str = Field(
        min_length=1, max_length=20_000, examples=["How long is the notice period?"]
    )
    collection: Collection | None = None
    documents: list[str] = Field(
        [], max_length=1000, description="ids, names, titles or globs; empty: all"
    )
    pages: PageRange | None = None
    metadata: dict[str, Annotated[str, Field(min_length=1, max_length=1000)]] = Field(
        {},
        max_length=20,
        description="only documents whose title, language, path or metadata holds the value",
        examples=[{"author": "Fenwick"}],
    )
    since: date | None = Field(None, description="only documents made on this day or later")
    until: date | None = Field(None, description="only documents made on this day or before")
    k: int | None = Field(None, ge=1, le=100, description="passages; default: the setting")
    history: list[Turn] = Field([], max_length=200)

    @property
    def scope(self) -> Scope:
        pages = (self.pages.first, self.pages.last) if self.pages else None
        told = tuple(self.metadata.items())
        return Scope(tuple(self.documents), pages, told, self.since, self.until)

    @property
    def messages(self) -> list[types.Message]:
        return [types.Message(turn.role, turn.content) for turn in self.history]


class Query(Search):
    session_id: str | None = Field(None, max_length=64, description="goes on with this session")
    replaces: int | None = Field(None, description="take back this turn of the session first")
    model: str | None = Field(None, max_length=200, description="one of GET /models")
    max_tokens: int | None = Field(None, ge=1, le=32_768)
    temperature: float | None = Field(None, ge=0, le=2)
    stream: bool = Field(False, description="server-sent events instead of one JSON document")
    render: bool = Field(False, description="add the answer as HTML, safe to show")

    @property
    def options(self) -> AskOptions:
        return AskOptions(self.k, self.max_tokens, self.temperature, self.model)


class SessionIn(_In):
    title: str = Field("", max_length=200)
    collection: Collection | None = None


class SessionPatch(_In):
    title: str = Field(min_length=1, max_length=200)


class CollectionIn(_In):
    name: Collection


class ModelIn(_In):
    model: str = Field(min_length=1, max_length=200, examples=["SmolLM2-135M-Instruct"])
    default: bool = Field(False, description="questions that name no model go to it from now on")


# ── answers ───────────────────────────────────────────────────────────────────────────────────


class CoverageOut(_Out):
    """How the pages were read; `empty` names those without any text."""

    text: int
    layout: int
    ocr: int
    empty: list[int]


class DocumentOut(_Out):
    id: str
    name: str
    path: Path = Field(description="only the name where clients come from other machines")
    title: str
    sha256: str
    size: int
    mtime_ns: int
    pages: int
    chunks: int
    language: str
    coverage: CoverageOut
    metadata: dict[str, str]
    added_at: str


class ChunkOut(_Out):
    id: str
    document_id: str
    ordinal: int
    text: str
    header: str
    start: int
    end: int
    first_page: int
    last_page: int
    kind: types.BlockKind
    tokens: int


class HitOut(_Out):
    chunk: ChunkOut
    document: DocumentOut
    score: float
    ranks: dict[str, int]
    similarity: float | None
    gains: dict[str, float] = Field(description="what each list adds to the score")
    header_words: tuple[str, ...] = Field(description="words of the header that were asked for")


class CitationOut(_Out):
    number: int
    document: DocumentOut
    page: int
    page_label: str
    quote: str
    boxes: list[types.Box]
    score: float
    chunk_id: str
    image_url: str = Field("", description="the page with the quote marked")
    page_url: str = Field("", description="the file, opened at the page")


class ClaimOut(_Out):
    start: int
    end: int
    sources: list[int]


class FinishOut(_Out):
    reason: Literal["stop", "length"]
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int


class AnswerOut(_Out):
    question: str
    search_text: str
    text: str
    claims: list[ClaimOut]
    citations: list[CitationOut]
    hits: list[HitOut]
    refused: bool
    finish: FinishOut | None
    model: str
    session_id: str | None = None
    turn_id: int | None = None
    html: str | None = None


class SearchOut(BaseModel):
    question: str
    search_text: str
    hits: list[HitOut]


class SessionOut(_Out):
    id: str
    title: str
    collection: str
    created_at: str
    updated_at: str
    turns: int


class TurnOut(BaseModel):
    id: int
    question: str
    text: str
    state: Literal["answering", "done", "stopped", "failed"]
    created_at: str
    details: dict[str, Any]
    html: str | None = None


class SessionDetail(SessionOut):
    messages: list[TurnOut]


# ── from the domain to the wire ───────────────────────────────────────────────────────────────


class Wire:
    """Turns domain objects into answers for clients of one collection."""

    def __init__(self, collection: str, *, show_paths: bool) -> None:
        self.collection = collection
        self.show_paths = show_paths

    def document(self, document: types.Document) -> DocumentOut:
        out = DocumentOut.model_validate(document)
        return out if self.show_paths else out.model_copy(update={"path": Path(document.name)})

    def hit(self, hit: types.Hit) -> HitOut:
        return HitOut(
            chunk=ChunkOut.model_validate(hit.chunk),
            document=self.document(hit.document),
            score=hit.score,
            ranks=dict(hit.ranks),
            similarity=hit.similarity,
            gains=dict(hit.gains),
            header_words=hit.header_words,
        )

    def citation(self, citation: types.Citation) -> CitationOut:
        out = CitationOut.model_validate(citation)
        urls = {
            "document": self.document(citation.document),
            "image_url": self.image_url(citation),
            "page_url": self.page_url(citation),
        }
        return out.model_copy(update=urls)

    def answer(self, answer: types.Answer) -> AnswerOut:
        return AnswerOut(
            question=answer.question,
            search_text=answer.search_text,
            text=answer.text,
            claims=[ClaimOut.model_validate(claim) for claim in answer.claims],
            citations=[self.citation(citation) for citation in answer.citations],
            hits=[self.hit(hit) for hit in answer.hits],
            refused=answer.refused,
            finish=FinishOut.model_validate(answer.finish) if answer.finish else None,
            model=answer.model,
        )

    def image_url(self, citation: types.Citation) -> str:
        query = {"collection": self.collection}
        if citation.boxes:
            boxes = (",".join(f"{side:.1f}" for side in box) for box in citation.boxes)
            query["boxes"] = ";".join(boxes)
        path = f"/documents/{quote(citation.document.id)}/pages/{citation.page}.png"
        return f"{path}?{urlencode(query, safe=',;')}"

    def page_url(self, citation: types.Citation) -> str:
        path = f"/documents/{quote(citation.document.id)}/file"
        return f"{path}?{urlencode({'collection': self.collection})}#page={citation.page}"
