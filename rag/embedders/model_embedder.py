"""What the embedders have in common: tokens in, checked unit vectors out."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence

import numpy as np

from rag.embedders.base import Vectors
from rag.embedders.model_config import ModelConfig
from rag.embedders.tokenizer import Ids, Tokens
from rag.errors import EmbeddingError

_SHOWN = 60  # characters of a text that an error shows


class ModelEmbedder(ABC):
    """An Embedder of one model; subclasses say what runs it.

    Weights are loaded when the first text is embedded, not when the embedder is made.
    """

    def __init__(self, model_config: ModelConfig) -> None:
        self.model_config = model_config
        self.tokens = Tokens(model_config)

    @property
    def id(self) -> str:
        return self.model_config.id

    @property
    def dimensions(self) -> int:
        return self.model_config.dimensions

    @property
    def max_tokens(self) -> int:
        return self.model_config.max_tokens

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return self.tokens.count(texts)

    async def embed_documents(self, texts: Sequence[str]) -> Vectors:
        ids = await self._encode(texts, self.model_config.document_prompt)
        return self._unit(await self._pooled(ids), texts)

    async def embed_query(self, text: str) -> Vectors:
        ids = await self._encode([text], self.model_config.query_prompt)
        vector: Vectors = self._unit(await self._pooled_query(ids[0]), [text])[0]
        return vector

    @abstractmethod
    async def close(self) -> None: ...

    @abstractmethod
    async def _pooled(self, ids: Sequence[Ids]) -> Vectors:
        """One vector of any length for each text, shape (n, size)."""

    async def _pooled_query(self, ids: Ids) -> Vectors:
        """The same for one text that somebody waits for, shape (1, size)."""
        return await self._pooled([ids])

    async def _encode(self, texts: Sequence[str], prompt: str) -> list[Ids]:
        ids = await asyncio.to_thread(self.tokens.encode, texts, prompt=prompt)
        for text_ids, text in zip(ids, texts, strict=True):
            if not text_ids:  # an empty text, and a tokenizer without special tokens
                raise EmbeddingError(
                    f"{_named(text)} has no tokens to embed", hint="Leave empty texts out."
                )
        return ids

    def _unit(self, vectors: Vectors, texts: Sequence[str]) -> Vectors:
        kept = vectors[:, : self.model_config.dimensions]
        lengths = np.linalg.norm(kept, axis=1, keepdims=True)
        whole = np.isfinite(lengths[:, 0]) & (lengths[:, 0] > 0)
        if not whole.all():
            raise _broken(texts[int(whole.argmin())], self.id)
        return np.asarray(kept / lengths, dtype=np.float32)


def by_length(ids: Sequence[Ids], *, budget: int, step: int = 1) -> Iterable[list[int]]:
    """Batches of indices, longest texts first, of at most `budget` tokens or one text.

    Texts share a batch only when their lengths round up to the same multiple of `step`: so what a
    text is padded with depends on itself alone, and so, bit for bit, does its vector.
    """
    order = sorted(range(len(ids)), key=lambda index: -len(ids[index]))
    batch: list[int] = []
    for index in order:
        width = padded(len(ids[index]), step)
        if batch and (
            padded(len(ids[batch[0]]), step) != width or (len(batch) + 1) * width > budget
        ):
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch


def padded(length: int, step: int) -> int:
    """`length` rounded up to a multiple of `step`."""
    return -(-length // step) * step


def _broken(text: str, what: str) -> EmbeddingError:
    return EmbeddingError(
        f"{what}: the vector of {_named(text)} is zero or not finite",
        hint="The model's weights are damaged, or overflow in half precision: fetch the model "
        "again, or choose another.",
    )


def _named(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…")
