"""Which documents a Scope takes, by what they say of themselves and by their date. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime
from types import MappingProxyType
from typing import Final

from rag.encoding import name_key, well_formed
from rag.errors import DocumentNotFound, InvalidQuestion
from rag.options import Scope
from rag.types import Document

# What every document has, beside its own metadata.
_OWN: Final[Mapping[str, Callable[[Document], str]]] = MappingProxyType(
    {
        "title": lambda document: document.title,
        "language": lambda document: document.language,
        "path": lambda document: well_formed(str(document.path)),
    }
)
# PDF's dates ("D:20230105161720-05'00'") and ISO 8601's begin alike, but for the dashes.
_DATE = re.compile(r"(?:D:)?\s*(\d{4})-?(\d{2})?-?(\d{2})?")
_DATED = ("creationDate", "modDate", "created", "date", "modified")
# Years that a document can be of; others are a broken clock's, or a placeholder.
_FIRST_YEAR = 1970


def matching(documents: Sequence[Document], scope: Scope) -> list[Document]:
    """The documents that hold every value and lie between the dates of the scope.

    Raises InvalidQuestion for a key that no document has, DocumentNotFound where none is left.
    """
    for wanted in scope.metadata:
        _require_key(wanted.key, documents)
    if scope.since and scope.until and scope.since > scope.until:
        raise InvalidQuestion(
            f"no date is both since {scope.since} and until {scope.until}",
            hint="Give the earlier date as since.",
        )
    found = [document for document in documents if _fits(document, scope)]
    if not found and documents:
        raise DocumentNotFound(
            f"no document has {_described(scope)}", hint="rag list -v shows what each one says."
        )
    return found


def document_date(document: Document) -> date:
    """When the document was made by what it says of itself, else when its file last changed: the
    day that a listing of the folder shows, in the machine's time zone."""
    for key in _DATED:
        if (said := parsed_date(document.metadata.get(key, ""))) is not None:
            return said
    return datetime.fromtimestamp(document.mtime_ns / 1e9).astimezone().date()


def parsed_date(text: str) -> date | None:
    """The day of a PDF's or an ISO date (a year alone is its first day), None if it is no date."""
    match = _DATE.match(text.strip())
    if match is None or int(match[1]) < _FIRST_YEAR:
        return None
    with suppress(ValueError):
        return date(int(match[1]), int(match[2] or 1), int(match[3] or 1))
    return None


def value_of(document: Document, key: str) -> str | None:
    """What the document says under a key, whose case does not matter; None where it says nothing.

    "date" is the day that `since` and `until` compare, as ISO 8601.
    """
    wanted = key.casefold()
    if wanted in _OWN:
        return _OWN[wanted](document)
    if wanted == "date":
        return document_date(document).isoformat()
    return next((v for k, v in document.metadata.items() if k.casefold() == wanted), None)


def _fits(document: Document, scope: Scope) -> bool:
    for wanted in scope.metadata:
        if name_key(wanted.value) not in name_key(value_of(document, wanted.key) or ""):
            return False
    if scope.since is None and scope.until is None:
        return True
    day = document_date(document)
    return (scope.since or date.min) <= day <= (scope.until or date.max)


def _require_key(key: str, documents: Sequence[Document]) -> None:
    if any(value_of(document, key) is not None for document in documents) or not documents:
        return
    known = sorted({*_OWN, "date", *(k for document in documents for k in document.metadata)})
    raise InvalidQuestion(
        f"no document says anything under {key!r}", hint=f"They have: {', '.join(known)}."
    )


def _described(scope: Scope) -> str:
    parts = [f"{wanted.value!r} in its {wanted.key}" for wanted in scope.metadata]
    parts += [f"a date since {scope.since}"] * (scope.since is not None)
    parts += [f"a date until {scope.until}"] * (scope.until is not None)
    return " and ".join(parts)
