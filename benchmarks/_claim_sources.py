"""What a labelled response was written from, as passages: prose as it is, a record as a list.

RAGTruth's sources are a text, a question with passages, or (data to text) a nested record. A record
becomes items "hours, Monday: 11:0-17:0", which is how a reader writes a form's fields.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

_PASSAGE = re.compile(r"passage \d+:")


def passages_of(source: str | Mapping[str, Any]) -> list[str]:
    """The passages of a source, in order; those of a record are its fields and each review."""
    if isinstance(source, str):
        return [source]
    if "passages" in source and isinstance(source["passages"], str):
        return [text.strip() for text in _PASSAGE.split(source["passages"]) if text.strip()]
    reviews = source.get("review_info") or []
    fields = {key: value for key, value in source.items() if key != "review_info"}
    found = ["\n".join(f"- {line}" for line in _lines(fields, ()))]
    for review in reviews:
        stars, date = review.get("review_stars"), str(review.get("review_date", ""))[:10]
        text = re.sub(r"\s+", " ", str(review.get("review_text", ""))).strip()
        found.append(f"- review of {date}, stars: {stars}\n\n{text}")
    return [text for text in found if text.strip()]


def _lines(value: Any, at: tuple[str, ...]) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _lines(inner, (*at, _name(str(key))))
    elif isinstance(value, list):
        for inner in value:
            yield from _lines(inner, at)
    else:
        yield f"{', '.join(at)}: {_word(value)}"


def _name(key: str) -> str:
    """ "RestaurantsTakeOut" → "restaurants take out"."""
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", key).replace("_", " ")
    return apart if apart.isupper() or (apart.istitle() and " " not in apart) else apart.lower()


def _word(value: Any) -> str:
    return (
        {True: "yes", False: "no", None: "not stated"}.get(value, str(value))
        if isinstance(value, bool) or value is None
        else str(value)
    )
