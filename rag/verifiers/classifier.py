"""A verifier of one's own: a published classifier that reads evidence and claim.

Taken are RoBERTa and XLM-RoBERTa (NLI, MiniCheck) and ModernBERT (NLI; LettuceDetect, which judges
each token of the claim). Another shape is refused when it is opened.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from rag.compute import mlx_runtime
from rag.compute.mlx_runtime import MLXThread
from rag.errors import ModelError, ModelLoadFailed
from rag.models import safety
from rag.models.registry import Model
from rag.verifiers.entailment import Reading

Floats = npt.NDArray[np.float64]
_BATCH: Final = 8  # what an answer that streams meanwhile waits for
_LONGEST: Final = 1024  # tokens of a pair; evidence has some 300, and it is cut, not the claim
_SUPPORTED: Final = ("entail", "support", "consistent", "faithful", "grounded", "factual", "true")
_CONTRADICTED: Final = ("contradict", "refute")
_BY_DEFAULT: Final = ("LABEL_0", "LABEL_1")
_KINDS: Final = {
    "RobertaForSequenceClassification": "pair",
    "XLMRobertaForSequenceClassification": "pair",
    "ModernBertForSequenceClassification": "pair",
    "ModernBertForTokenClassification": "tokens",
}
_HINT: Final = (
    "Name a RoBERTa, XLM-RoBERTa or ModernBERT model for sequence classification, "
    "or leave verifier at auto."
)


@dataclass(frozen=True, slots=True)
class Labels:
    """Which outputs mean what; the others mean that nothing is said. With one output, its sigmoid
    is the probability of support."""

    count: int
    supported: tuple[int, ...]
    contradicted: tuple[int, ...] = ()

    @classmethod
    def of(cls, config: Mapping[str, Any], name: str) -> Labels:
        """By the names that the model gives them. Raises ModelLoadFailed."""
        told = config.get("id2label") or {}
        names = [str(told[key]) for key in sorted(told, key=int)] if told else []
        count = len(names) or int(config.get("num_labels", 2))
        if count == 1:
            return cls(1, (0,))
        if _kind(config) == "tokens":  # LettuceDetect: 0 is supported, 1 hallucinated
            return cls(count, (0,))
        if count == 2 and (not names or tuple(names) == _BY_DEFAULT):  # MiniCheck
            return cls(2, (1,))
        supported = _that_begin(names, _SUPPORTED)
        if not supported:
            raise ModelLoadFailed(
                f"{name} is no verifier: none of its labels means supported ({', '.join(names)})",
                hint=_HINT,
            )
        return cls(count, supported, _that_begin(names, _CONTRADICTED))

    def reading(self, outputs: Floats) -> Reading:
        """Of the outputs for one pair, shape (labels,), or for each token of a claim."""
        if self.count == 1:
            supported = float(1 / (1 + np.exp(-outputs.min())))
            return Reading(supported, 0.0, 1 - supported)
        shares = np.exp(outputs - outputs.max(axis=-1, keepdims=True))
        shares /= shares.sum(axis=-1, keepdims=True)
        # The claim is as good as its worst token.
        supported = float(shares[..., list(self.supported)].sum(axis=-1).min())
        contradicted = float(shares[..., list(self.contradicted)].sum(axis=-1).max(initial=0.0))
        return Reading(supported, contradicted, max(0.0, 1 - supported - contradicted))


def _that_begin(names: Sequence[str], words: tuple[str, ...]) -> tuple[int, ...]:
    return tuple(i for i, name in enumerate(names) if name.lower().startswith(words))


def _kind(config: Mapping[str, Any]) -> str | None:
    return _KINDS.get(next(map(str, config.get("architectures") or ()), ""))


class ClassifierReader:
    """An EntailmentReader. Not to be called on the MLX thread, which it waits for.

    Raises ModelLoadFailed where the model cannot be used; its weights are loaded when first asked.
    """

    def __init__(self, model: Model, thread: MLXThread) -> None:
        self._model = model
        self._thread = thread
        self._config = safety.read_config(model.folder)
        if _kind(self._config) is None:
            shape = ", ".join(map(str, self._config.get("architectures") or ["of no kind"]))
            raise ModelLoadFailed(f"{model.name} is no verifier: it is {shape}", hint=_HINT)
        self._labels = Labels.of(self._config, model.name)
        self._loaded: _Loaded | None = None

    def read(self, texts: Sequence[tuple[str, str]]) -> list[Reading]:
        found: list[Reading] = []
        for start in range(0, len(texts), _BATCH):
            batch = list(texts[start : start + _BATCH])
            found += self._thread.executor.submit(self._read, batch).result()
        return found

    # ── on the MLX thread ─────────────────────────────────────────────────────────────────────

    def _read(self, texts: Sequence[tuple[str, str]]) -> list[Reading]:
        if self._loaded is None:
            self._loaded = _load(self._model, self._config, self._labels.count)
        try:
            return [self._labels.reading(outputs) for outputs in self._loaded.outputs(texts)]
        except (RuntimeError, ValueError) as error:  # as when a GPU's memory is full
            raise ModelError(
                f"{self._model.name} failed on a claim: {error}",
                hint="Close programs that take memory, or leave verifier at auto.",
            ) from error


Forward = Callable[[Any, Any], Any]  # ids and mask (pairs, tokens) → outputs


@dataclass(frozen=True, slots=True)
class _Loaded:
    tokenizer: Any
    forward: Forward
    tokens: bool  # outputs are for each token

    def outputs(self, texts: Sequence[tuple[str, str]]) -> list[Floats]:
        import mlx.core as mx

        pairs = self.tokenizer.encode_batch([(evidence, claim) for claim, evidence in texts])
        ids = mx.array([pair.ids for pair in pairs])
        mask = mx.array([pair.attention_mask for pair in pairs])
        values = np.array(self.forward(ids, mask).astype(mx.float32), dtype=np.float64)
        if not np.isfinite(values).all():
            raise ValueError("an output that is not a number")
        if not self.tokens:
            return list(values)
        said = [np.array([side == 1 for side in pair.sequence_ids]) for pair in pairs]
        return [row[own] if own.any() else row[:1] for row, own in zip(values, said, strict=True)]


def _load(model: Model, config: Mapping[str, Any], labels: int) -> _Loaded:
    import mlx.core as mx

    mlx_runtime.prepare()
    try:
        weights: dict[str, Any] = {}
        for file in sorted(model.folder.glob("*.safetensors")):
            loaded_file: Any = mx.load(str(file))
            weights.update(loaded_file)
        if mlx_runtime.device() == "cpu":  # anything but float32 is 10 to 100 times slower there
            weights = {name: value.astype(mx.float32) for name, value in weights.items()}
        modern = config["model_type"] == "modernbert"
        forward = _modernbert(config, weights) if modern else _roberta(config, weights)
        loaded = _Loaded(_tokenizer(model.folder, config), forward, _kind(config) == "tokens")
        # Missing weights and unknown activations only show in a forward pass.
        (outputs,) = loaded.outputs([("a claim", "a passage")])
        if outputs.shape[-1] != labels:
            raise ValueError(f"it has {outputs.shape[-1]} outputs and {labels} labels")
        return loaded
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, AttributeError) as error:
        raise ModelLoadFailed(
            f"{model.name} cannot be used as a verifier: {type(error).__name__}: {error}",
            hint=_HINT,
        ) from error


def _tokenizer(folder: Path, config: Mapping[str, Any]) -> Any:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_str((folder / "tokenizer.json").read_text(encoding="utf-8"))
    room = int(config["max_position_embeddings"])
    if config["model_type"] != "modernbert":
        room -= int(config.get("pad_token_id", 1)) + 1  # RoBERTa's positions begin behind it
    tokenizer.enable_truncation(min(room, _LONGEST), strategy="only_first")
    tokenizer.enable_padding(pad_id=int(config.get("pad_token_id") or 0))
    return tokenizer


def _roberta(config: Mapping[str, Any], weights: dict[str, Any]) -> Forward:
    from vllm_mlx.rerank_forward import classifier_forward

    own = dict(config)

    def forward(ids: Any, mask: Any) -> Any:
        return classifier_forward(ids, mask, weights, own)

    return forward


def _modernbert(config: Mapping[str, Any], weights: dict[str, Any]) -> Forward:
    """The encoder is mlx-embeddings'; its own head takes no tokens and softens the outputs."""
    import mlx.core as mx
    import mlx.nn as nn
    from mlx_embeddings.models.modernbert import ModelArgs, ModernBertModel

    encoder = ModernBertModel(ModelArgs.from_dict(dict(config)))
    parts = [(k.removeprefix("model."), v) for k, v in weights.items() if k.startswith("model.")]
    encoder.load_weights(parts)
    each, mean = _kind(config) == "tokens", config.get("classifier_pooling", "cls") == "mean"

    def forward(ids: Any, mask: Any) -> Any:
        states = encoder(ids, attention_mask=mask, return_dict=True)["last_hidden_state"]
        if not each:
            own = mask[:, :, None]
            states = (states * own).sum(axis=1) / own.sum(axis=1) if mean else states[:, 0]
        inner = nn.gelu(_times(states, "head.dense", weights))
        norm = weights["head.norm.weight"], weights.get("head.norm.bias")
        inner = mx.fast.layer_norm(inner, *norm, float(config.get("norm_eps", 1e-5)))
        return _times(inner, "classifier", weights)

    return forward


def _times(x: Any, name: str, weights: Mapping[str, Any]) -> Any:
    y = x @ weights[f"{name}.weight"].T
    bias = weights.get(f"{name}.bias")
    return y if bias is None else y + bias
