"""Lists made of the first candidates of the others: what reads question and passage together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from rag.store import Found
from rag.types import StoredChunk


class Reranker(Protocol):
    """Scores passages for a question; higher is better, on any scale."""

    async def scores(self, text: str, passages: Sequence[str]) -> list[float]: ...


async def reranked(text: str, candidates: Sequence[StoredChunk], reranker: Reranker) -> list[Found]:
    """The candidates in the reranker's order, best first; what it finds equal keeps its place."""
    if not candidates:
        return []
    scores = await reranker.scores(text, [chunk.content for chunk in candidates])
    found = [Found(chunk, score) for chunk, score in zip(candidates, scores, strict=True)]
    return sorted(found, key=lambda item: -item.score)
