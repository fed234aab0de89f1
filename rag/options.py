"""Where to look for an answer, and how to answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, ClassVar, Literal

LAST_PAGE = 1_000_000  # a higher number is no page
# What of an answer is the one to three sentences of the passages that answer best. first: it
# begins with them. only: it is these, and no model is asked. off: nothing. auto: first, where the
# model was not measured to be capable.
QuotesMode = Literal["auto", "first", "only", "off"]


def quotes_mode(value: QuotesMode | bool | None, default: QuotesMode = "auto") -> QuotesMode:
    """True stands for "only" and False for "off", as `--quotes` and `--no-quotes` say."""
    if isinstance(value, bool):
        return "only" if value else "off"
    return default if value is None else value


@dataclass(frozen=True, slots=True)
class PageRange:
    """First and last page, from 1, both included. Raises ValueError."""

    first: int
    last: int

    # For the service, whose requests hold one: unknown fields are refused there.
    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    def __post_init__(self) -> None:
        if not 1 <= self.first <= self.last <= LAST_PAGE:
            raise ValueError(f"{self.first} to {self.last} is no range of pages from 1")


@dataclass(frozen=True, slots=True)
class MetadataFilter:
    """What a document says under `key` (its title, language, path or metadata) must hold `value`,
    in any case."""

    key: str
    value: str


def metadata_filters(values: Mapping[str, str | Sequence[str]]) -> tuple[MetadataFilter, ...]:
    """From keys to the value, or the values, that each must hold: as the service's requests say."""
    return tuple(
        MetadataFilter(key, value)
        for key, held in values.items()
        for value in ([held] if isinstance(held, str) else held)
    )


def metadata_values(filters: Sequence[MetadataFilter]) -> dict[str, str | list[str]]:
    """The inverse of metadata_filters."""
    found: dict[str, list[str]] = {}
    for each in filters:
        found.setdefault(each.key, []).append(each.value)
    return {key: held[0] if len(held) == 1 else held for key, held in found.items()}


@dataclass(frozen=True, slots=True)
class Scope:
    """Where to look: documents by name, path, id or glob (none: all), and a range of pages.

    All of `metadata` must hold. `since` and `until` are days, both included;
    `rag.retrieval.filters` says what a document's day is.
    """

    documents: tuple[str, ...] = ()
    pages: PageRange | None = None
    metadata: tuple[MetadataFilter, ...] = ()
    since: date | None = None
    until: date | None = None

    @property
    def all_documents(self) -> bool:
        return not (self.documents or self.metadata or self.since or self.until)


@dataclass(frozen=True, slots=True)
class AskOptions:
    """How to answer; None takes the setting.

    `whole` reads the documents of the scope from the first page to the last; None does so where
    the question asks for it ("summarise …"), and False never. With a JSON `schema` the answer is
    JSON that fits it, with its citations beside each field. `quotes` is a QuotesMode; True stands
    for "only", False for "off". `begun` is the beginning of an answer that broke off: the model
    goes on from there. `stop`: the model's answer ends before the first of these words.
    """

    k: int | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    model: str | None = None
    whole: bool | None = None
    schema: Mapping[str, object] | None = None
    quotes: QuotesMode | bool | None = None
    begun: str = ""
    stop: tuple[str, ...] = ()
