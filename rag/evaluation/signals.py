"""Signals of whether the documents hold an answer: the higher, the more likely."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from rag.terms import query_terms
from rag.types import Hit

Signal = Callable[[str, Sequence[Hit]], float]


def similarity(_: str, hits: Sequence[Hit]) -> float:
    """The highest cosine between question and passage; 0 where the dense list found none."""
    return max((hit.similarity for hit in hits if hit.similarity is not None), default=0.0)


def agreement(_: str, hits: Sequence[Hit]) -> float:
    """Of the first five passages, the share that two lists or more have among their first ten."""
    first = hits[:5]
    agreed = sum(sum(rank <= 10 for rank in hit.ranks.values()) >= 2 for hit in first)
    return agreed / len(first) if first else 0.0


def term_coverage(question: str, hits: Sequence[Hit]) -> float:
    """The largest share of the question's terms that one of the first three passages holds."""
    asked = set(query_terms(question))
    held = [
        len(asked & set(query_terms(f"{hit.chunk.header} {hit.chunk.text}"))) for hit in hits[:3]
    ]
    return max(held, default=0) / max(len(asked), 1)


SIGNALS: Mapping[str, Signal] = MappingProxyType(
    {"similarity": similarity, "agreement": agreement, "term_coverage": term_coverage}
)
