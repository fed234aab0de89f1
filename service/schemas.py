"""What goes over the wire. Field names are those of rag.types; what is added are the URLs."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from rag import types
from rag.computation import Computation
from rag.config import COLLECTION_NAME
from rag.options import AskOptions, PageRange, QuotesMode, Scope, metadata_filters
from service.sound import Sound

_SCHEMA = {
    "type": "object",
    "properties": {"deposit": {"type": "string"}, "months": {"type": "integer"}},
    "required": ["deposit", "months"],
}
QUESTION_CHARS = 20_000
STOPS, STOP_CHARS = 16, 200
Collection = Annotated[str, Field(pattern=COLLECTION_NAME, examples=["default"])]
_Value = Annotated[str, Field(min_length=1, max_length=1000)]
_Stop = Annotated[str, Field(min_length=1, max_length=STOP_CHARS)]
Metadata = Annotated[
    dict[str, _Value | Annotated[list[_Value], Field(min_length=1, max_length=20)]],
    Field(
        max_length=20,
        description="only documents whose title, language, path or metadata holds the value, or"
        " all of several",
        examples=[{"author": "Fenwick"}],
    ),
]
Since = Annotated[date | None, Field(description="only documents made on this day or later")]
Until = Annotated[date | None, Field(description="only documents made on this day or before")]


_PENDING = "files of the collection that were still to be read, and that it so knows nothing of"


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Out(BaseModel):
    model_config = ConfigDict(from_attributes=True)


# ── requests ──────────────────────────────────────────────────────────────────────────────────


class HistoryMessage(_In):
    """An earlier message, for clients that keep the conversation themselves."""

    role: Literal["user", "assistant"]
    content: str = Field(max_length=100_000)


class Search(Sound, _In):
    question: str = Field(
        min_length=1, max_length=QUESTION_CHARS, examples=["How long is the notice period?"]
    )
    collection: Collection | None = None
    documents: list[str] = Field(
        [], max_length=1000, description="ids, names, titles or globs; empty: all"
    )
    pages: PageRange | None = None
    metadata: Metadata = {}
    since: Since = None
    until: Until = None
    k: int | None = Field(None, ge=1, le=100, description="passages; default: the setting")
    history: list[HistoryMessage] = Field([], max_length=200)

    @property
    def scope(self) -> Scope:
        told = metadata_filters(self.metadata)
        return Scope(tuple(self.documents), self.pages, told, self.since, self.until)

    @property
    def messages(self) -> list[types.Message]:
        return [types.Message(turn.role, turn.content) for turn in self.history]


class Query(Search):
    session_id: str | None = Field(None, max_length=64, description="continue this session")
    replaces: int | None = Field(
        None,
        ge=1,
        le=2**63 - 1,
        description="a branch beside this turn of the session, which stays",
    )
    continues: int | None = Field(
        None,
        ge=1,
        le=2**63 - 1,
        description="a turn of the session that broke off: the answer goes on from its text",
    )
    model: str | None = Field(None, max_length=200, description="one of GET /models")
    max_tokens: int | None = Field(None, ge=1, le=32_768)
    temperature: float | None = Field(None, ge=0, le=2)
    whole: bool | None = Field(
        None,
        description="read the chosen documents from the first page to the last; false never does;"
        " null where the question wants it",
        examples=[None],
    )
    # Pydantic's models have a `schema` of their own.
    answer_schema: dict[str, Any] | None = Field(
        None,
        alias="schema",
        description="a JSON Schema: the answer's text is JSON that fits it, its claims the fields",
        examples=[_SCHEMA],
    )
    quotes: QuotesMode | bool | None = Field(
        None,
        description="the sentences that answer best. first: they begin the answer; only (true):"
        " they are it, and no model is asked; off (false); auto: first where the model is not"
        " capable; null: the setting",
        examples=[None],
    )
    stop: Annotated[list[_Stop], Field(max_length=STOPS)] = Field(
        [], description="what the model writes ends before the first of these words"
    )
    wait: bool = Field(
        False, description="answer once the documents that are being read now have been read"
    )
    stream: bool = Field(False, description="server-sent events instead of one JSON document")
    render: bool = Field(False, description="add the answer as HTML, safe to show")

    @property
    def options(self) -> AskOptions:
        return AskOptions(
            self.k,
            self.max_tokens,
            self.temperature,
            self.model,
            self.whole,
            self.answer_schema,
            self.quotes,
            stop=tuple(self.stop),
        )


class SessionIn(_In):
    title: str = Field("", max_length=200)
    collection: Collection | None = None


class SessionPatch(_In):
    title: str = Field(min_length=1, max_length=200)


class BranchIn(_In):
    turn: int = Field(ge=1, le=2**63 - 1)


class CollectionIn(_In):
    name: Collection


class ModelIn(_In):
    model: str = Field(min_length=1, max_length=200, examples=["SmolLM2-135M-Instruct"])
    default: bool = Field(False, description="from now on it answers questions that name no model")


# ── answers ───────────────────────────────────────────────────────────────────────────────────


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
    coverage: types.Coverage
    metadata: dict[str, str]
    added_at: str
    warnings: tuple[str, ...] = Field(description="what could not be read of it")


class HitOut(_Out):
    chunk: types.StoredChunk
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
    finding: types.Finding = "not_said"
    near: CitationOut | None = Field(
        None, description="what it contradicts, or says in other words; its number is 0"
    )
    note: str = Field("", description="why it is not cited, in words for the reader")


class AnswerOut(_Out):
    question: str
    search_text: str
    text: str
    claims: list[ClaimOut]
    citations: list[CitationOut]
    hits: list[HitOut]
    refused: bool
    finish: types.Finish | None
    model: str
    computation: Computation | None = Field(
        None,
        description="where the question wants arithmetic: its operands, each with its citation",
    )
    fields: dict[str, tuple[int, ...]] | None = Field(
        None,
        description="of an answer by schema: JSON pointers to the numbers of their citations;"
        " an empty list where nothing supports the field",
    )
    quoted: int = Field(
        0, description="so many characters of the text are the passages' own sentences"
    )
    session_id: str | None = None
    turn_id: int | None = None
    pending: int = Field(0, description=_PENDING)
    html: str | None = None


class QuotedOut(BaseModel):
    """The sentences that an answer begins with, before a model writes."""

    text: str
    citations: list[CitationOut]
    html: str | None = None


class SearchOut(BaseModel):
    question: str
    search_text: str
    hits: list[HitOut]
    pending: int = Field(0, description=_PENDING)


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
    state: Literal["answering", "done", "stopped", "unfinished", "failed"]
    created_at: str
    details: dict[str, Any]
    branches: list[int] = Field(description="turns in this one's place, itself too, in order")
    html: str | None = None


class SessionDetail(SessionOut):
    messages: list[TurnOut]
