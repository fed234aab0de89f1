"""Answers as JSON that fits a schema: where each field stands in it, and what it rests on. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from rag.types import Answer, Citation, Claim, Hit, Page
from rag.verification.ground import Grounded, ground

_BLANK: Final = re.compile(r"[ \t\r\n]*")
_DECODER: Final = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class Field:
    """A string or number at `text[start:end]`. `path` is its JSON pointer (RFC 6901)."""

    path: str
    value: str
    start: int
    end: int


def instruction(question: str, schema: Mapping[str, object]) -> str:
    """The question, and what its answer must look like."""
    return f"{question}\nAnswer in JSON that fits this schema: {json.dumps(schema)}"


def fields_of(text: str) -> list[Field]:
    """The strings and numbers of a JSON text, in order; none if it is not complete JSON."""
    try:
        json.loads(text)
    except ValueError:
        return []
    found: list[Field] = []
    _value(text, _skip(text, 0), "", found)
    return found


def _value(text: str, at: int, path: str, found: list[Field]) -> int:
    """Notes the fields of the value that begins at `at`; returns where it ends."""
    if text[at] in "{[":
        return _members(text, at, path, found)
    value, end = _DECODER.raw_decode(text, at)
    if value is not None and not isinstance(value, bool):  # those cannot be looked up
        found.append(Field(path, value if isinstance(value, str) else text[at:end], at, end))
    return end


def _members(text: str, at: int, path: str, found: list[Field]) -> int:
    named, close = text[at] == "{", "}" if text[at] == "{" else "]"
    at, index = _skip(text, at + 1), 0
    while text[at] != close:
        name = str(index)
        if named:
            name, at = _DECODER.raw_decode(text, at)
            at = _skip(text, _skip(text, at) + 1)
        at = _skip(text, _value(text, at, f"{path}/{_escaped(name)}", found))
        index += 1
        if text[at] == ",":
            at = _skip(text, at + 1)
    return at + 1


def _skip(text: str, at: int) -> int:
    match = _BLANK.match(text, at)
    assert match is not None  # it matches nothing too
    return match.end()


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def ground_fields(
    text: str, hits: Sequence[Hit], pages: Mapping[tuple[str, int], Page], question: str
) -> Grounded:
    """As `ground`, each field being a claim: no marker is put into the text, which stays JSON."""
    claims: list[Claim] = []
    citations: dict[tuple[str, int, str], Citation] = {}
    for field in fields_of(text):
        name = field.path.replace("/", " ").replace("_", " ")
        own = ground(field.value, hits, pages, f"{question} {name}")
        numbers = []
        for citation in own.citations:
            key = (citation.document.id, citation.page, citation.quote)
            known = citations.setdefault(key, replace(citation, number=len(citations) + 1))
            numbers.append(known.number)
        said = own.claims[0] if own.claims else None
        claims.append(
            Claim(
                field.start,
                field.end,
                tuple(dict.fromkeys(numbers)),
                "supported" if numbers else said.finding if said else "not_said",
                said.near if said and not numbers else None,
            )
        )
    return Grounded(text, tuple(claims), tuple(citations.values()), False)


def sources_of(answer: Answer) -> dict[str, tuple[int, ...]]:
    """The numbers of the citations of each field, by its JSON pointer."""
    sources = {(claim.start, claim.end): claim.sources for claim in answer.claims}
    return {
        field.path: sources.get((field.start, field.end), ()) for field in fields_of(answer.text)
    }


def cited_fields(answer: Answer) -> dict[str, Any]:
    """The answer's data, and beside it the citations of each field by its JSON pointer: an empty
    list where nothing supports it. `data` is None where the answer was cut off."""
    by_number = {citation.number: citation for citation in answer.citations}
    return {
        "data": _loaded(answer.text),
        "citations": {
            path: [_place(by_number[number]) for number in numbers]
            for path, numbers in sources_of(answer).items()
        },
    }


def _loaded(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _place(citation: Citation) -> dict[str, Any]:
    return {
        "document": citation.document.name,
        "page": citation.page,
        "page_label": citation.page_label,
        "quote": citation.quote,
        "score": citation.score,
    }
