"""What is said instead of an answer: what was looked for, what came nearest, and where."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rag.ask.claims import statements
from rag.terms import indexed_terms, query_terms
from rag.types import Hit

NOTHING_FOUND: Final = "Nothing in the documents matches this question."
NOT_SAID: Final = "The documents do not seem to hold an answer to this."
_SHOWN: Final = 3
_QUOTE_CHARS: Final = 200


def refusal_text(searched: str, hits: Sequence[Hit], *, said: str = NOT_SAID) -> str:
    """For the reader; `hits` are the passages that came nearest, best first, and `said` is what
    the refusal begins with."""
    if not hits:
        return f"{NOTHING_FOUND}\n\nLooked for: {searched}"
    places = dict.fromkeys(_place(searched, hit) for hit in hits[:_SHOWN])
    nearest = "\n".join(f"- {place}" for place in places)
    return f"{said}\n\nLooked for: {searched}\n\nWhat came nearest:\n{nearest}"


def _place(searched: str, hit: Hit) -> str:
    document, chunk = hit.document, hit.chunk
    title = document.title or document.name
    return f"{title}, page {chunk.first_page}: “{_nearest(searched, hit)}”"


def _nearest(searched: str, hit: Hit) -> str:
    """The statement of a passage that shares most terms with the question, on one line."""
    asked, text = set(query_terms(searched)), hit.chunk.text
    spans = [text[s.start : s.end] for s in statements(text)] or [text]
    best = max(spans, key=lambda span: len(asked.intersection(indexed_terms(span, ""))))
    line = " ".join(best.split())
    return line if len(line) <= _QUOTE_CHARS else line[: _QUOTE_CHARS - 1].rstrip() + "…"
