"""Lists made of the first candidates of the others: what reads question and passage together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from rag.store import ChunkRef, Found


class Reranker(Protocol):
    """Scores passages for a question; higher is better, on any scale."""

    async def scores(self, text: str, passages: Sequence[str]) -> list[float]: ...


async def reranked(
    text: str, refs: Sequence[ChunkRef], passages: Sequence[str], reranker: Reranker
) -> list[Found]:
    """The places in the order of their passages for the reranker, best first; what it finds equal
    keeps its order."""
    if not refs:
        return []
    scores = await reranker.scores(text, passages)
    found = [Found(ref, score) for ref, score in zip(refs, scores, strict=True)]
    return sorted(found, key=lambda item: -item.score)
