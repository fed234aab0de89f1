"""BERT's encoder as an ONNX graph, written from a model's safetensors.

One text or several of one length in, token states out. No padding and so no mask: attention then
takes ONNX Runtime's flash kernel, and a text's states are, bit for bit, the same in any company.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rag.embedders.fingerprint import weight_files
from rag.embedders.model_config import Recipe
from rag.errors import ModelLoadFailed

VERSION = 1  # of the graph: raise it, and graphs in the cache are written anew

_FAMILIES = ("bert", "roberta", "xlm-roberta")
_FUSED = "com.microsoft"  # ONNX Runtime's own operators
_OPSET, _IR = 17, 9
_LARGEST = 900 << 20  # bytes of weights, at worst in half precision; a protobuf ends at 2 GiB

Weights = Mapping[str, npt.NDArray[np.float32]]


def obstacle(recipe: Recipe) -> str | None:
    """Why this model cannot be written as such a graph; None when it can."""
    config = _config(recipe)
    if recipe.model_type not in _FAMILIES:
        return f"is of type {recipe.model_type}, not one of {', '.join(_FAMILIES)}"
    if recipe.dense:
        return "has layers after the pooling"
    if sum(file.stat().st_size for file in weight_files(recipe.folder)) > _LARGEST:
        return "is larger than an ONNX file may be"
    if "quantization" in config:
        return "is quantised for MLX"
    if config.get("hidden_act", "gelu") != "gelu":
        return f"has {config['hidden_act']} for activation"
    if config.get("position_embedding_type", "absolute") != "absolute":
        return f"has {config['position_embedding_type']} positions"
    return None


def write_graph(recipe: Recipe, file: Path) -> None:
    """Write the graph; `file` appears whole or not at all. Raises ModelLoadFailed."""
    import onnx

    try:
        model = _Graph(_config(recipe), _weights(recipe.folder)).model()
    except KeyError as error:
        raise ModelLoadFailed(
            f"{recipe.name}: the weights hold no {error}", hint="Set embedding_backend to mlx."
        ) from error
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_suffix(f".{os.getpid()}.partial")
    try:
        onnx.save(model, partial)
        partial.replace(file)
    finally:
        partial.unlink(missing_ok=True)


def _config(recipe: Recipe) -> dict[str, Any]:
    config: dict[str, Any] = json.loads((recipe.folder / "config.json").read_text(encoding="utf-8"))
    return config


def _weights(folder: Path) -> Weights:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    weights: dict[str, npt.NDArray[np.float32]] = {}
    for file in weight_files(folder):
        try:
            tensors = load_file(file)
        except (SafetensorError, TypeError) as error:  # TypeError: a type that NumPy lacks
            raise ModelLoadFailed(f"{file}: {error}", hint="Fetch the model again.") from error
        for name, tensor in tensors.items():
            bare = name.removeprefix("bert.").removeprefix("roberta.")
            weights[bare] = tensor.astype(np.float32, copy=False)
    return weights


class _Graph:
    """Collects nodes and weights, layer by layer. Names of values end in the layer's number."""

    def __init__(self, config: Mapping[str, Any], weights: Weights) -> None:
        self._config = config
        self._weights = weights
        self._nodes: list[Any] = []
        self._initializers: dict[str, Any] = {}

    def model(self) -> Any:
        """The whole encoder: "ids" (texts, tokens) int64 → "states" (texts, tokens, hidden)."""
        from onnx import TensorProto, helper

        x = self._embeddings()
        for layer in range(self._config["num_hidden_layers"]):
            x = self._layer(x, f"encoder.layer.{layer}.")
        self._node("Identity", [x], "states")
        shape = ["texts", "tokens"]
        graph = helper.make_graph(
            self._nodes,
            "bert",
            [helper.make_tensor_value_info("ids", TensorProto.INT64, shape)],
            [helper.make_tensor_value_info("states", TensorProto.FLOAT, [*shape, "hidden"])],
            list(self._initializers.values()),
        )
        opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid(_FUSED, 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=_IR)

    def _embeddings(self) -> str:
        """Words + positions + type 0, normalised. The last two are one table."""
        positions = self._weights["embeddings.position_embeddings.weight"]
        if self._config["model_type"] != "bert":  # RoBERTa's positions begin after padding's
            positions = positions[self._config.get("pad_token_id", 1) + 1 :]
        table = positions + self._weights["embeddings.token_type_embeddings.weight"][0]
        words = self._node("Gather", [self._weight("embeddings.word_embeddings"), "ids"], "words")
        length = self._node("Shape", ["ids"], "length", start=1, end=2)
        zero = self._constant("zero", np.zeros(1, dtype=np.int64))
        places = self._node("Slice", [self._constant("table", table), zero, length], "places")
        return self._normalised(self._node("Add", [words, places], "embedded"), "embeddings.")

    def _layer(self, x: str, at: str) -> str:
        attended = self._attention(x, f"{at}attention.self.")
        y = self._joined(attended, x, f"{at}attention.output.")
        inner = self._times(y, f"{at}intermediate.dense")
        bias = self._constant(f"{at}bias", self._weights[f"{at}intermediate.dense.bias"])
        inner = self._node("BiasGelu", [inner, bias], f"{at}gelu", domain=_FUSED)
        return self._joined(inner, y, f"{at}output.")

    def _attention(self, x: str, at: str) -> str:
        parts = ("query", "key", "value")
        bias = np.concatenate([self._weights[f"{at}{part}.bias"] for part in parts])
        inputs = [self._times(x, f"{at}{part}") for part in parts]
        heads = self._config["num_attention_heads"]
        inputs.append(self._constant(f"{at}bias", bias))
        return self._node(
            "MultiHeadAttention", inputs, f"{at}attended", domain=_FUSED, num_heads=heads
        )

    def _joined(self, x: str, residual: str, at: str) -> str:
        """LayerNorm(x·W + b + residual). Three plain operators: on a CPU they are nine times
        faster than SkipLayerNormalization, which means the same.
        """
        bias = self._constant(f"{at}bias", self._weights[f"{at}dense.bias"])
        biased = self._node("Add", [self._times(x, f"{at}dense"), bias], f"{at}biased")
        return self._normalised(self._node("Add", [biased, residual], f"{at}sum"), at)

    def _normalised(self, x: str, at: str) -> str:
        scale = self._constant(f"{at}scale", self._weights[f"{at}LayerNorm.weight"])
        shift = self._constant(f"{at}shift", self._weights[f"{at}LayerNorm.bias"])
        epsilon = self._config.get("layer_norm_eps", 1e-12)
        return self._node(
            "LayerNormalization", [x, scale, shift], f"{at}normalised", axis=-1, epsilon=epsilon
        )

    def _times(self, x: str, name: str) -> str:
        weight = self._constant(f"{name}.T", self._weights[f"{name}.weight"].T)
        return self._node("MatMul", [x, weight], f"{name}.product")

    def _weight(self, name: str) -> str:
        return self._constant(name, self._weights[f"{name}.weight"])

    def _constant(self, name: str, value: npt.NDArray[Any]) -> str:
        from onnx import numpy_helper

        self._initializers[name] = numpy_helper.from_array(np.ascontiguousarray(value), name)
        return name

    def _node(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        from onnx import helper

        self._nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output
