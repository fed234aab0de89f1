"""BERT's forward pass in float64 NumPy: what the embedders' vectors are compared with."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load_file

Array = npt.NDArray[np.float64]

_erf = np.vectorize(math.erf, otypes=[np.float64])


class BertReference:
    def __init__(self, folder: Path) -> None:
        self.config = json.loads((folder / "config.json").read_text())
        weights = load_file(folder / "model.safetensors")
        self.weights = {name: np.asarray(w, dtype=np.float64) for name, w in weights.items()}

    def states(self, ids: list[int]) -> Array:
        """Shape (tokens, hidden)."""
        w = self.weights
        x = w["embeddings.word_embeddings.weight"][ids]
        x = x + w["embeddings.position_embeddings.weight"][: len(ids)]
        x = self.norm(x + w["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
        for layer in range(self.config["num_hidden_layers"]):
            x = self.layer(x, f"encoder.layer.{layer}.")
        return x

    def layer(self, x: Array, at: str) -> Array:
        attended = self.linear(
            self.attention(x, f"{at}attention.self."), f"{at}attention.output.dense"
        )
        x = self.norm(x + attended, f"{at}attention.output.LayerNorm")
        inner = self.linear(x, f"{at}intermediate.dense")
        inner = inner * (1 + _erf(inner / math.sqrt(2))) / 2
        return self.norm(x + self.linear(inner, f"{at}output.dense"), f"{at}output.LayerNorm")

    def attention(self, x: Array, at: str) -> Array:
        heads = self.config["num_attention_heads"]
        q, k, v = (
            self.linear(x, at + part).reshape(len(x), heads, -1).transpose(1, 0, 2)
            for part in ("query", "key", "value")
        )
        scores = q @ k.transpose(0, 2, 1) / math.sqrt(q.shape[-1])
        weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
        weights /= weights.sum(axis=-1, keepdims=True)
        return (weights @ v).transpose(1, 0, 2).reshape(len(x), -1)

    def linear(self, x: Array, name: str) -> Array:
        return x @ self.weights[f"{name}.weight"].T + self.weights[f"{name}.bias"]

    def norm(self, x: Array, name: str) -> Array:
        centred = x - x.mean(axis=-1, keepdims=True)
        scale = np.sqrt(x.var(axis=-1, keepdims=True) + self.config["layer_norm_eps"])
        return centred / scale * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]
