"""What is said instead of an answer: what was looked for, what came nearest, and where."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rag.answering.question_match import Sentence
from rag.terms import indexed_terms, query_terms
from rag.types import Hit
from rag.verification.segmentation import statements

NOTHING_FOUND: Final = "Nothing in the documents matches this question."
NOT_SAID: Final = "The documents do not seem to hold an answer to this."
_SHOWN: Final = 3
_QUOTE_CHARS: Final = 200


def refusal_text(
    searched: str, hits: Sequence[Hit], nearest: Sequence[Sentence] = (), *, said: str = NOT_SAID
) -> str:
    """For the reader; `hits` are the passages found, best first, `nearest` sentences of theirs,
    nearest first, and `said` is what the refusal begins with."""
    if not hits:
        return f"{NOTHING_FOUND}\n\nLooked for: {searched}"
    quotes: dict[str, str] = {}
    for sentence in nearest:
        quotes.setdefault(sentence.hit.chunk.id, _place(sentence.hit, sentence.text))
    for hit in hits[:_SHOWN]:
        quotes.setdefault(hit.chunk.id, _place(hit, _statement(searched, hit)))
    places = list(dict.fromkeys(quotes.values()))[:_SHOWN]
    near = "\n".join(f"- {place}" for place in places)
    return f"{said}\n\nLooked for: {searched}\n\nWhat came nearest:\n{near}"


def _place(hit: Hit, text: str) -> str:
    title = hit.document.title or hit.document.name
    line = " ".join(text.split())
    quote = line if len(line) <= _QUOTE_CHARS else line[: _QUOTE_CHARS - 1].rstrip() + "…"
    return f"{title}, page {hit.chunk.first_page}: “{quote}”"


def _statement(searched: str, hit: Hit) -> str:
    """The statement of a passage that shares most terms with the question; of two alike the longer,
    as a heading says less than a sentence."""
    asked, text = set(query_terms(searched)), hit.chunk.text
    spans = [text[s.start : s.end] for s in statements(text)] or [text]
    return max(spans, key=lambda s: (len(asked.intersection(indexed_terms(s, ""))), len(s)))
