"""Where to look for an answer, and how to answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class Scope:
    """Where to look: documents by name, path, id or glob (none: all), and a range of pages.

    `metadata` are (key, value): what the document says under the key must hold the value, in any
    case. `since` and `until` are days, both included; `rag.retrieval.filters` says what a
    document's day is.
    """

    documents: tuple[str, ...] = ()
    pages: tuple[int, int] | None = None
    metadata: tuple[tuple[str, str], ...] = ()
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
    JSON that fits it, with its citations beside each field.
    """

    k: int | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    model: str | None = None
    whole: bool | None = None
    schema: Mapping[str, object] | None = None
