"""Any mlx-embeddings model, on Metal, CUDA or the CPU."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from rag.compute import mlx_runtime
from rag.compute.mlx_runtime import MLXThread
from rag.embedders import mlx_bert
from rag.embedders.base import Vectors
from rag.embedders.fingerprint import weight_files
from rag.embedders.model_config import ModelConfig
from rag.embedders.model_embedder import ModelEmbedder, by_length, padded
from rag.embedders.tokenizer import Ids
from rag.errors import EmbeddingError, ModelLoadFailed

# MLX keeps freed buffers for reuse; over thousands of batches they pile up (mlx-embeddings #74).
_CLEAR_EVERY = 64


@dataclass(frozen=True, slots=True)
class Shapes:
    """What batches look like: at most `budget` tokens, texts padded to a multiple of `step` tokens.

    With `fixed`, all batches of one length have the same number of rows, filled up where texts are
    few: a kernel that is chosen by shape rounds by it too. `fused`: BERT runs as in mlx_bert.
    """

    budget: int
    step: int
    fixed: bool
    fused: bool = False


# An answer that streams waits for a batch, so a batch is no larger than pays. On an H200, texts of
# 256 tokens a second: 19,000 with 8192 tokens a batch, 29,000 with 32768, 31,000 with 65536, 33,000
# with 131072. A Mac's GPU, dozens of times slower, is busy with 8192.
METAL = Shapes(budget=8192, step=32, fixed=True, fused=True)
CUDA = Shapes(budget=65536, step=32, fixed=True, fused=True)
# A CPU wants no padding and gains nothing from size, and OpenBLAS rounds by the number of rows.
CPU = Shapes(budget=1, step=1, fixed=False)


class MLXEmbedder(ModelEmbedder):
    """Runs on the given MLX thread, a batch at a time, so that answers stream between batches."""

    def __init__(
        self, model_config: ModelConfig, thread: MLXThread, *, shapes: Shapes | None = None
    ) -> None:
        """Without `shapes`, what suits the device."""
        super().__init__(model_config)
        self._thread = thread
        self._shapes = shapes or CPU
        self._by_device = shapes is None
        self._model: Any = None
        self._encoder: Any = None  # instead of the model's own forward pass
        self._batches = 0

    async def close(self) -> None:
        """Let go of the weights. The thread belongs to who made it."""
        self._model = self._encoder = None

    async def _pooled(self, ids: Sequence[Ids]) -> Vectors:
        await self._thread.run(self._load)
        vectors = np.empty((len(ids), self.model_config.size), dtype=np.float32)
        running: tuple[list[int], Any] | None = None
        for batch in self._plan(ids):
            chosen = [ids[index] for index in batch]
            launched = batch, await self._thread.run(self._launch, chosen, self._shapes)
            if running is not None:  # read while the next one is computed: a GPU never waits
                vectors[running[0]] = await self._thread.run(self._read, running[1])
            running = launched
        if running is not None:
            vectors[running[0]] = await self._thread.run(self._read, running[1])
        return vectors

    async def _pooled_query(self, ids: Ids) -> Vectors:
        await self._thread.run(self._load)
        pooled = await self._thread.run(self._launch, [ids], CPU)
        return await self._thread.run(self._read, pooled)

    def _plan(self, ids: Sequence[Ids]) -> list[list[int]]:
        return list(by_length(ids, budget=self._shapes.budget, step=self._shapes.step))

    # ── on the MLX thread ─────────────────────────────────────────────────────────────────────

    def _load(self) -> None:
        if self._model is not None:
            return
        if self._by_device:
            self._shapes = {"metal": METAL, "cuda": CUDA, "cpu": CPU}[mlx_runtime.device()]
        weight_files(self.model_config.folder)
        from mlx_embeddings.utils import load_model

        try:
            self._model = load_model(self.model_config.folder)
        # ValueError: unknown architecture, or weights that do not fit it.
        except (ValueError, TypeError, KeyError, OSError, RuntimeError) as error:
            raise ModelLoadFailed(
                f"mlx-embeddings cannot load {self.model_config.name}: {error}",
                hint="The models it knows are listed in docs/models.md.",
            ) from error
        if self._shapes.fused and self.model_config.model_type in mlx_bert.FAMILIES:
            mlx_bert.halve(self._model)
            self._encoder = mlx_bert.encoder(self._model)

    def _launch(self, ids: Sequence[Ids], shapes: Shapes) -> Any:
        """Begin to compute the pooled vectors of a batch, one a text; `_read` waits for them."""
        import mlx.core as mx

        tokens, mask = _arrays(ids, shapes)
        with _computing():
            if self.model_config.dense:
                vectors = self._model(tokens, attention_mask=mask).text_embeds
            else:
                vectors = self._pool(self._forward(tokens, mask), ids)
            pooled = vectors[: len(ids)].astype(mx.float32)
            # A CPU computes here and now, with the one BLAS thread that it has in this block.
            (mx.async_eval if shapes.fixed else mx.eval)(pooled)
        return pooled

    def _read(self, pooled: Any) -> Vectors:
        with _computing():
            vectors = np.array(pooled)
        self._tidy()
        return vectors

    def _pool(self, states: Any, ids: Sequence[Ids]) -> Any:
        import mlx.core as mx

        lengths = mx.array([len(text_ids) for text_ids in ids] + [1] * (len(states) - len(ids)))
        if self.model_config.pooling == "cls":
            return states[:, 0]
        if self.model_config.pooling == "lasttoken":
            return states[mx.arange(len(states)), lengths - 1]
        inside = mx.arange(states.shape[1])[None, :, None] < lengths[:, None, None]
        # Chosen, not multiplied: padding may hold NaN (mlx-embeddings #80), and 0 × NaN is NaN.
        total = mx.where(inside, states.astype(mx.float32), 0.0).sum(axis=1)
        return total / lengths[:, None]

    def _forward(self, tokens: Any, mask: Any) -> Any:
        """States of the last layer, shape (rows, width, hidden)."""
        if self._encoder is not None:
            return self._encoder(tokens, mask)
        if self.model_config.model_type == "modernbert":  # its wrapper gives pooled ones or logits
            output = self._model.model(tokens, attention_mask=mask, return_dict=True)
            return output["last_hidden_state"]
        return self._model(tokens, attention_mask=mask).last_hidden_state

    def _tidy(self) -> None:
        import mlx.core as mx

        self._batches += 1
        if self._batches % _CLEAR_EVERY == 0:
            mx.clear_cache()


@contextmanager
def _computing() -> Iterator[None]:
    """MLX's failures as ours; and one BLAS thread, for attention's many small products are five
    times slower on two threads of OpenBLAS than on one. An LLM's are large: it gets its own back.
    """
    try:
        with mlx_runtime.one_blas_thread():
            yield
    except (RuntimeError, ValueError) as error:  # as when a GPU's memory is full
        raise EmbeddingError(
            f"MLX failed on a batch: {error}",
            hint="Close programs that take memory, or choose a smaller model.",
        ) from error


def _arrays(ids: Sequence[Ids], shapes: Shapes) -> tuple[Any, Any]:
    """Token ids and mask, shape (rows, width)."""
    import mlx.core as mx

    width = padded(max(len(text_ids) for text_ids in ids), shapes.step)
    rows = max(len(ids), shapes.budget // width) if shapes.fixed else len(ids)
    tokens = np.zeros((rows, width), dtype=np.int32)
    mask = np.zeros((rows, width), dtype=np.int32)  # a float one is an index error in Qwen3
    for row, text_ids in enumerate(ids):
        tokens[row, : len(text_ids)] = text_ids
        mask[row, : len(text_ids)] = 1
    mask[len(ids) :, 0] = 1  # a row with nothing to attend to would be NaN
    return mx.array(tokens), mx.array(mask)
