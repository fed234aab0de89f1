"""Lists made of the first candidates of the others: what reads question and passage together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from rag.store import Found, Place


class Reranker(Protocol):
    """Scores passages for a question; higher is better, on any scale."""

    async def scores(self, text: str, passages: Sequence[str]) -> list[float]: ...


async def reranked(
    text: str, places: Sequence[Place], passages: Sequence[str], reranker: Reranker
) -> list[Found]:
    """The places in the order of their passages for the reranker, best first; what it finds equal
    keeps its order."""
    if not places:
        return []
    scores = await reranker.scores(text, passages)
    found = [Found(place, score) for place, score in zip(places, scores, strict=True)]
    return sorted(found, key=lambda item: -item.score)
