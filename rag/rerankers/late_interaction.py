"""Late interaction: each token of the question looks for its like among the passage's tokens."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from rag.embedders.base import Embedder, TokenEmbedder, Vectors
from rag.errors import ConfigError

# Passages whose states are kept, in half precision: 40 MB for 256 of MiniLM's at 200 tokens.
CACHED = 256


class LateInteraction:
    """A Reranker by MaxSim (Khattab and Zaharia, "ColBERT", 2020) over an embedder's token states.

    A candidate costs as much as embedding it did at ingest, unless it was one before.
    """

    def __init__(self, embedder: TokenEmbedder, *, cached: int = CACHED) -> None:
        self._embedder = embedder
        self._cached = cached
        self._states: OrderedDict[str, npt.NDArray[np.float16]] = OrderedDict()

    @classmethod
    def of(cls, embedder: Embedder) -> LateInteraction:
        """Raises ConfigError for an embedder that gives no token states."""
        if not isinstance(embedder, TokenEmbedder):
            raise ConfigError(
                f"late_interaction is on, but {embedder.id} gives no vectors of single tokens",
                hint="Set late_interaction to false.",
            )
        return cls(embedder)

    def reads(self, embedder: object) -> bool:
        """Whether its states come from this embedder."""
        return self._embedder is embedder

    async def scores(self, text: str, passages: Sequence[str]) -> list[float]:
        question = (await self._embedder.embed_tokens([text], query=True))[0]
        states = await self._of(passages)
        return [max_sim(question, states[passage]) for passage in passages]

    async def _of(self, passages: Sequence[str]) -> dict[str, Vectors]:
        found = {
            passage: self._states[passage].astype(np.float32)
            for passage in passages
            if passage in self._states
        }
        new = [passage for passage in dict.fromkeys(passages) if passage not in found]
        found.update(zip(new, await self._embedder.embed_tokens(new), strict=True))
        for passage in passages:
            self._states[passage] = found[passage].astype(np.float16)
            self._states.move_to_end(passage)
        while len(self._states) > self._cached:
            self._states.popitem(last=False)
        return found


def max_sim(question: Vectors, passage: Vectors) -> float:
    """The mean over the question's tokens of the highest cosine to a token of the passage.

    Shapes (tokens, hidden), rows of unit length. 0 where either has no tokens.
    """
    if not len(question) or not len(passage):
        return 0.0
    return float((question @ passage.T).max(axis=1).mean())
