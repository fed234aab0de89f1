"""A cross-encoder, which reads question and passage together: vllm-mlx runs it, on our MLX thread.

vllm-mlx takes BERT and XLM-RoBERTa classifiers. It gives both parts of a pair the same segment id,
so XLM-RoBERTa models (bge-reranker-v2-m3), which know no segments, are the ones to choose.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rag.compute import mlx_runtime
from rag.compute.mlx_runtime import MLXThread
from rag.config import Settings
from rag.errors import EngineError, ModelLoadFailed
from rag.models import registry

if TYPE_CHECKING:
    from vllm_mlx.rerank import RerankEngine

# Pairs handed to the thread at once: what an answer that streams meanwhile waits for.
_BATCH = 8
_SURE = 1e-12


class CrossEncoder:
    """A Reranker. Make one with `open`."""

    def __init__(self, name: str, engine: RerankEngine, thread: MLXThread) -> None:
        self.name = name
        self._engine: RerankEngine | None = engine
        self._thread = thread

    @classmethod
    async def open(
        cls, settings: Settings, thread: MLXThread, *, notify: registry.Notify = registry.silent
    ) -> CrossEncoder:
        """Load the configured model. Raises ModelNotFound, ModelLoadFailed."""
        model = await thread.run(registry.reranker_model, settings, notify)
        return cls(model.name, await thread.run(_load, model), thread)

    async def scores(self, text: str, passages: Sequence[str]) -> list[float]:
        """The log odds that each passage answers. Raises EngineError."""
        found: list[float] = []
        for start in range(0, len(passages), _BATCH):
            batch = list(passages[start : start + _BATCH])
            found += await self._thread.run(self._score, text, batch)
        return found

    async def close(self) -> None:
        """Let go of the weights. The thread belongs to who made it."""
        self._engine = None

    def _score(self, text: str, passages: list[str]) -> list[float]:
        if self._engine is None:
            raise EngineError(f"{self.name} is closed", hint="Ask again.")
        try:
            return [_log_odds(score) for score in self._engine.score_pairs(text, passages)[0]]
        except (RuntimeError, ValueError, OverflowError) as error:
            raise EngineError(
                f"{self.name} failed on a batch: {error}",
                hint="Close programs that take memory, or leave the setting reranker out.",
            ) from error


def _log_odds(probability: float) -> float:
    """Undoes the engine's sigmoid, which presses all good passages together just below 1."""
    if math.isnan(probability):
        raise ValueError("a score that is not a number")
    sure = min(max(probability, _SURE), 1 - _SURE)
    return math.log(sure / (1 - sure))


# ── loading, on the MLX thread ────────────────────────────────────────────────────────────────


def _load(model: registry.Model) -> RerankEngine:
    mlx_runtime.prepare()
    from vllm_mlx.rerank import RerankEngine

    class FolderEngine(RerankEngine):  # type: ignore[misc]  # it comes without types
        """Reads a folder; vllm-mlx asks the hub for every name, and cannot read bfloat16."""

        @staticmethod
        def _load_mlx_model(_: str) -> Any:
            return _network(model)

    logging.getLogger("vllm_mlx").setLevel(logging.ERROR)
    engine = FolderEngine(str(model.folder), token_budget=_BATCH * 512)
    try:
        engine.load()
        # Missing weights and unknown activations only show in a forward pass.
        score = engine.score_pairs("a question", ["a passage"])[0][0]
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, ImportError) as error:
        raise ModelLoadFailed(
            f"{model.name} cannot be used as a reranker: {type(error).__name__}: {error}",
            hint="Name a BERT or XLM-RoBERTa model for sequence classification with one output.",
        ) from error
    if not math.isfinite(score):
        raise ModelLoadFailed(f"{model.name} gives no finite score", hint="Fetch it again.")
    return engine


def _network(model: registry.Model) -> Any:
    import mlx.core as mx
    from vllm_mlx.rerank import _MLXClassifierWrapper

    config = json.loads((model.folder / "config.json").read_text(encoding="utf-8"))
    weights: dict[str, Any] = {}
    for file in sorted(model.folder.glob("*.safetensors")):
        loaded: Any = mx.load(str(file))
        weights.update(loaded)
    head = weights.get("classifier.out_proj.weight", weights.get("classifier.weight"))
    if head is None or head.shape[0] != 1:
        raise ValueError(f"it has {0 if head is None else head.shape[0]} outputs for a pair")
    if mlx_runtime.device() == "cpu":  # anything but float32 is 10 to 100 times slower there
        weights = {name: value.astype(mx.float32) for name, value in weights.items()}
    mx.eval(*weights.values())
    return _MLXClassifierWrapper(config, weights, 1)
