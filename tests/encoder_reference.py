"""Random encoders of four shapes as they are published, and their forward pass in float64 NumPy."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from bert_reference import Array, BertReference
from safetensors.numpy import save_file

_HIDDEN, _INNER, _HEADS, _LAYERS, _VOCABULARY = 32, 64, 4, 2, 30522
_PREFIXES = {"bert": "bert.", "mpnet": "mpnet.", "roberta": "roberta.", "xlm-roberta": "roberta."}
_BERT = {
    "query": "attention.self.query",
    "key": "attention.self.key",
    "value": "attention.self.value",
    "joined": "attention.output.dense",
    "norm": "attention.output.LayerNorm",
}
_MPNET = {
    "query": "attention.attn.q",
    "key": "attention.attn.k",
    "value": "attention.attn.v",
    "joined": "attention.attn.o",
    "norm": "attention.LayerNorm",
}


def write_random_encoder(
    folder: Path, model_type: str, *, prefix: bool
) -> dict[str, npt.NDArray[np.float32]]:
    """A model that reads 64 tokens; `prefix`: its weights' names begin as in a masked LM."""
    config: dict[str, Any] = {
        "model_type": model_type,
        "hidden_size": _HIDDEN,
        "intermediate_size": _INNER,
        "num_attention_heads": _HEADS,
        "num_hidden_layers": _LAYERS,
        "max_position_embeddings": 64 if model_type == "bert" else 66,
        "layer_norm_eps": 1e-5,
        "hidden_act": "gelu",
        "pad_token_id": 0 if model_type == "bert" else 1,
        "relative_attention_num_buckets": 32,
    }
    (folder / "config.json").write_text(json.dumps(config))
    weights = _random(model_type, config["max_position_embeddings"])
    start = _PREFIXES[model_type] if prefix else ""
    save_file(
        {start + name: value for name, value in weights.items()}, folder / "model.safetensors"
    )
    return weights


def _random(model_type: str, positions: int) -> dict[str, npt.NDArray[np.float32]]:
    rng = np.random.default_rng(7)
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (_VOCABULARY, _HIDDEN),
        "embeddings.position_embeddings.weight": (positions, _HIDDEN),
        "embeddings.LayerNorm.weight": (_HIDDEN,),
        "embeddings.LayerNorm.bias": (_HIDDEN,),
    }
    if model_type == "mpnet":
        shapes["encoder.relative_attention_bias.weight"] = (32, _HEADS)
    else:
        shapes["embeddings.token_type_embeddings.weight"] = (2, _HIDDEN)
    names = _MPNET if model_type == "mpnet" else _BERT
    for layer in range(_LAYERS):
        at = f"encoder.layer.{layer}."
        for part in ("query", "key", "value", "joined"):
            shapes |= {
                f"{at}{names[part]}.weight": (_HIDDEN, _HIDDEN),
                f"{at}{names[part]}.bias": (_HIDDEN,),
            }
        shapes |= {
            f"{at}intermediate.dense.weight": (_INNER, _HIDDEN),
            f"{at}intermediate.dense.bias": (_INNER,),
            f"{at}output.dense.weight": (_HIDDEN, _INNER),
            f"{at}output.dense.bias": (_HIDDEN,),
        }
        for norm in (names["norm"], "output.LayerNorm"):
            shapes |= {f"{at}{norm}.weight": (_HIDDEN,), f"{at}{norm}.bias": (_HIDDEN,)}
    return {name: rng.normal(0, 0.5, shape).astype(np.float32) for name, shape in shapes.items()}


class EncoderReference(BertReference):
    """Of any of the four shapes."""

    def __init__(
        self, config: dict[str, Any], weights: Mapping[str, npt.NDArray[np.float32]]
    ) -> None:
        self.config = config
        self.weights = {name: np.asarray(w, dtype=np.float64) for name, w in weights.items()}
        self.names = _MPNET if config["model_type"] == "mpnet" else _BERT

    def states(self, ids: list[int]) -> Array:
        w, start = self.weights, 0
        if self.config["model_type"] != "bert":
            start = self.config["pad_token_id"] + 1
        x = w["embeddings.word_embeddings.weight"][ids]
        x = x + w["embeddings.position_embeddings.weight"][start : start + len(ids)]
        if "embeddings.token_type_embeddings.weight" in w:
            x = x + w["embeddings.token_type_embeddings.weight"][0]
        x = self.norm(x, "embeddings.LayerNorm")
        for layer in range(self.config["num_hidden_layers"]):
            x = self.layer(x, f"encoder.layer.{layer}.")
        return x

    def layer(self, x: Array, at: str) -> Array:
        attended = self.linear(self.attention(x, at), at + self.names["joined"])
        x = self.norm(x + attended, at + self.names["norm"])
        inner = self.linear(x, f"{at}intermediate.dense")
        inner = np.vectorize(lambda v: v * (1 + math.erf(v / math.sqrt(2))) / 2)(inner)
        return self.norm(x + self.linear(inner, f"{at}output.dense"), f"{at}output.LayerNorm")

    def attention(self, x: Array, at: str) -> Array:
        heads = self.config["num_attention_heads"]
        q, k, v = (
            self.linear(x, at + self.names[part]).reshape(len(x), heads, -1).transpose(1, 0, 2)
            for part in ("query", "key", "value")
        )
        scores = q @ k.transpose(0, 2, 1) / math.sqrt(q.shape[-1])
        if "encoder.relative_attention_bias.weight" in self.weights:
            table = self.weights["encoder.relative_attention_bias.weight"]
            for query in range(len(x)):
                for key in range(len(x)):
                    scores[:, query, key] += table[_bucket(key - query)]
        weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
        weights /= weights.sum(axis=-1, keepdims=True)
        return (weights @ v).transpose(1, 0, 2).reshape(len(x), -1)


def _bucket(distance: int) -> int:
    """T5's rule for 32 buckets and at most 128 tokens, for one distance, as its paper tells it."""
    ahead = 16 if distance > 0 else 0
    size = abs(distance)
    if size < 8:
        return ahead + size
    return ahead + min(8 + int(math.log(size / 8) / math.log(128 / 8) * 8), 15)
