"""Texts to vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]


class Embedder(Protocol):
    """Turns texts into unit vectors. Two embedders with the same `id` give the same vectors."""

    @property
    def id(self) -> str:
        """Name and revision of the model: stored with the index, compared when it is opened."""

    @property
    def dimensions(self) -> int: ...

    @property
    def max_tokens(self) -> int:
        """Texts are cut after this many of the model's tokens (special ones included)."""

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, special ones not included. Cheap: no model is run or loaded."""

    async def embed_documents(self, texts: Sequence[str]) -> Vectors:
        """Shape (n, dimensions), unit length, in the order of `texts`. Raises EmbeddingError."""

    async def embed_query(self, text: str) -> Vectors:
        """Shape (dimensions,), unit length. Raises EmbeddingError."""

    async def close(self) -> None: ...
