"""The bundled verifier on a GPU, by MLX, on the one MLX thread."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from rag.compute.mlx_runtime import MLXThread
from rag.errors import ModelError
from rag.verifiers.adapter import merged
from rag.verifiers.entailment import Logits, Reading
from rag.verifiers.pairs import Pair, PairTokenizer

_LAYERS: Final = 6
_HEADS: Final = 12
_EPSILON: Final = 1e-12
_PADDED: Final = -1e9  # added to the score of a padded token


class MlxReader:
    """An EntailmentReader. Not to be called on the MLX thread, which it waits for."""

    def __init__(self, base: Path, adapter: Path, thread: MLXThread, *, batch: int = 32) -> None:
        self._base = base
        self._adapter = adapter
        self._thread = thread
        self._batch = batch
        self._tokenizer: PairTokenizer | None = None
        self._weights: dict[str, Any] = {}

    def read(self, texts: Sequence[tuple[str, str]]) -> list[Reading]:
        if self._tokenizer is None:
            self._tokenizer = PairTokenizer(self._base / "tokenizer.json")
        pairs = self._tokenizer.pairs(texts)
        found: list[Reading] = []
        for start in range(0, len(pairs), self._batch):
            part = pairs[start : start + self._batch]
            logits = self._thread.executor.submit(self._logits, part).result()
            found += [Reading.of(row) for row in logits]
        return found

    # ── on the MLX thread ─────────────────────────────────────────────────────────────────────

    def _logits(self, pairs: Sequence[Pair]) -> Logits:
        import mlx.core as mx

        if not self._weights:
            kept = merged(self._base, self._adapter)
            self._weights = {name: mx.array(value) for name, value in kept.items()}
        try:
            return np.array(self._forward(pairs))
        except (RuntimeError, ValueError) as error:  # as when a GPU's memory is full
            raise ModelError(
                f"the verifier failed on claims: {error}",
                hint="Close programs that take memory, or set verifier to lexical.",
            ) from error

    def _forward(self, pairs: Sequence[Pair]) -> Any:
        import mlx.core as mx
        import mlx.nn as nn

        width = max(len(pair.ids) for pair in pairs)
        ids = np.zeros((len(pairs), width), np.int32)
        kinds, own = np.zeros_like(ids), np.zeros((len(pairs), width), bool)
        said = np.zeros_like(own)
        for row, pair in enumerate(pairs):
            ids[row, : len(pair.ids)], kinds[row, : len(pair.ids)] = pair.ids, pair.kinds
            own[row, : len(pair.ids)], said[row, : pair.claim] = True, True
        w = self._weights
        x = w["embeddings.word_embeddings.weight"][mx.array(ids)]
        x = x + w["embeddings.position_embeddings.weight"][:width] + w["types"][mx.array(kinds)]
        x = self._norm(x, "embeddings.LayerNorm")
        mask = mx.where(mx.array(own), 0.0, _PADDED)[:, None, None, :]
        for layer in range(_LAYERS):
            x = self._layer(x, mask, f"encoder.layer.{layer}.")
        tokens = nn.gelu(self._times(x, "pool"))
        pooled = mx.where(mx.array(said)[:, :, None], tokens, _PADDED).max(axis=1)
        return self._times(mx.concatenate([x[:, 0], pooled], axis=1), "head")

    def _layer(self, x: Any, mask: Any, at: str) -> Any:
        import mlx.core as mx
        import mlx.nn as nn

        rows, width, size = x.shape
        q, k, v = (
            self._times(x, f"{at}attention.self.{part}")
            .reshape(rows, width, _HEADS, size // _HEADS)
            .transpose(0, 2, 1, 3)
            for part in ("query", "key", "value")
        )
        scale = (size // _HEADS) ** -0.5
        y = mx.fast.scaled_dot_product_attention(q, k, v, scale=scale, mask=mask)
        y = self._times(y.transpose(0, 2, 1, 3).reshape(x.shape), f"{at}attention.output.dense")
        x = self._norm(x + y, f"{at}attention.output.LayerNorm")
        inner = nn.gelu(self._times(x, f"{at}intermediate.dense"))
        return self._norm(x + self._times(inner, f"{at}output.dense"), f"{at}output.LayerNorm")

    def _times(self, x: Any, name: str) -> Any:
        return x @ self._weights[f"{name}.weight"].T + self._weights[f"{name}.bias"]

    def _norm(self, x: Any, name: str) -> Any:
        import mlx.core as mx

        weight, bias = self._weights[f"{name}.weight"], self._weights[f"{name}.bias"]
        return mx.fast.layer_norm(x, weight, bias, _EPSILON)
