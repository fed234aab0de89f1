"""The encoder of BERT, RoBERTa, XLM-RoBERTa or MPNet as an ONNX graph, from a model's safetensors.

One text or several of one length in, token states out. No padding and so no mask: attention then
takes ONNX Runtime's flash kernel, and a text's states are, bit for bit, the same in any company.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rag.embedders import onnx_mpnet
from rag.embedders.fingerprint import weight_count, weight_files
from rag.embedders.model_config import ModelConfig
from rag.errors import ModelLoadFailed
from rag.models.embedding_use import ONNX_TYPES, first_position

VERSION = 1  # of the graph: raise it, and graphs in the cache are written anew

_FUSED = "com.microsoft"  # ONNX Runtime's own operators
_OPSET, _IR = 17, 9
_LARGEST = 500_000_000  # numbers of four bytes each; a protobuf ends at 2 GiB

_PREFIX = re.compile(r"^(bert|roberta|mpnet)\.")

Weights = Mapping[str, npt.NDArray[np.float32]]


def obstacle(model_config: ModelConfig) -> str | None:
    """Why this model cannot be written as such a graph; None when it can."""
    config = _config(model_config)
    if model_config.model_type not in ONNX_TYPES:
        return f"is of type {model_config.model_type}, not one of {', '.join(ONNX_TYPES)}"
    if model_config.dense:
        return "has layers after the pooling"
    if weight_count(model_config.folder) > _LARGEST:
        return "is larger than an ONNX file may be"
    if "quantization" in config:
        return "is quantised for MLX"
    if config.get("hidden_act", "gelu") != "gelu":
        return f"has {config['hidden_act']} for activation"
    if config.get("position_embedding_type", "absolute") != "absolute":
        return f"has {config['position_embedding_type']} positions"
    return None


def write_graph(model_config: ModelConfig, file: Path) -> None:
    """Write the graph; `file` appears whole or not at all. Raises ModelLoadFailed."""
    try:
        model = BertGraph(_config(model_config), _weights(model_config.folder)).model()
    except KeyError as error:
        raise ModelLoadFailed(
            f"{model_config.name}: the weights hold no {error}",
            hint="Set embedding_backend to mlx.",
        ) from error
    save(model, file)


def save(model: Any, file: Path) -> None:
    """Write a graph; `file` appears whole or not at all."""
    import onnx

    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_suffix(f".{os.getpid()}.partial")
    try:
        onnx.save(model, partial)
        partial.replace(file)
    finally:
        partial.unlink(missing_ok=True)


def _config(model_config: ModelConfig) -> dict[str, Any]:
    config: dict[str, Any] = json.loads(
        (model_config.folder / "config.json").read_text(encoding="utf-8")
    )
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
            bare = _PREFIX.sub("", name)
            for theirs, ours in onnx_mpnet.NAMES:
                bare = bare.replace(theirs, ours)
            weights[bare] = tensor.astype(np.float32, copy=False)
    return weights


class BertGraph:
    """Collects nodes and weights, layer by layer. Names of values end in the layer's number."""

    def __init__(self, config: Mapping[str, Any], weights: Weights) -> None:
        self._config = config
        self._weights = weights
        self._nodes: list[Any] = []
        self._initializers: dict[str, Any] = {}
        self._bias: list[str] = []  # of the scores of attention, the same in each layer

    def model(self) -> Any:
        """The whole encoder: "ids" (texts, tokens) int64 → "states" (texts, tokens, hidden)."""
        self.node("Identity", [self._encoded()], "states")
        shape: list[str | int] = ["texts", "tokens"]
        return self._finished({"ids": shape}, {"states": [*shape, "hidden"]})

    def _encoded(self) -> str:
        x = self._embeddings()
        if self._config["model_type"] == "mpnet":
            self._bias = [onnx_mpnet.attention_bias(self._config, self._weights, self)]
        for layer in range(self._config["num_hidden_layers"]):
            x = self._layer(x, f"encoder.layer.{layer}.")
        return x

    def _finished(
        self, inputs: Mapping[str, list[str | int]], outputs: Mapping[str, list[str | int]]
    ) -> Any:
        """The model of all nodes: inputs are int64, outputs float32, by name and shape."""
        from onnx import TensorProto, helper

        graph = helper.make_graph(
            self._nodes,
            "bert",
            [helper.make_tensor_value_info(n, TensorProto.INT64, s) for n, s in inputs.items()],
            [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in outputs.items()],
            list(self._initializers.values()),
        )
        opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid(_FUSED, 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=_IR)

    def _embeddings(self) -> str:
        """Words + positions + type 0, normalised. The last two are one table."""
        table = self._weights["embeddings.position_embeddings.weight"]
        if self._config["model_type"] != "bert":
            table = table[first_position(self._config) :]
        if self._config["model_type"] != "mpnet":
            table = table + self._weights["embeddings.token_type_embeddings.weight"][0]
        words = self.node("Gather", [self._weight("embeddings.word_embeddings"), "ids"], "words")
        length = self.node("Shape", ["ids"], "length", start=1, end=2)
        zero = self.constant("zero", np.zeros(1, dtype=np.int64))
        places = self.node("Slice", [self.constant("table", table), zero, length], "places")
        return self._normalised(self.node("Add", [words, places], "embedded"), "embeddings.")

    def _layer(self, x: str, at: str) -> str:
        attended = self._attention(x, f"{at}attention.self.")
        y = self._joined(attended, x, f"{at}attention.output.")
        inner = self._times(y, f"{at}intermediate.dense")
        bias = self.constant(f"{at}bias", self._weights[f"{at}intermediate.dense.bias"])
        inner = self.node("BiasGelu", [inner, bias], f"{at}gelu", domain=_FUSED)
        return self._joined(inner, y, f"{at}output.")

    def _attention(self, x: str, at: str) -> str:
        parts = ("query", "key", "value")
        bias = np.concatenate([self._weights[f"{at}{part}.bias"] for part in parts])
        inputs = [self._times(x, f"{at}{part}") for part in parts]
        heads = self._config["num_attention_heads"]
        inputs.append(self.constant(f"{at}bias", bias))
        inputs += ["", *self._bias] if self._bias else []  # "": no mask
        return self.node(
            "MultiHeadAttention", inputs, f"{at}attended", domain=_FUSED, num_heads=heads
        )

    def _joined(self, x: str, residual: str, at: str) -> str:
        """LayerNorm(x·W + b + residual). Three plain operators: on a CPU they are nine times
        faster than SkipLayerNormalization, which means the same.
        """
        bias = self.constant(f"{at}bias", self._weights[f"{at}dense.bias"])
        biased = self.node("Add", [self._times(x, f"{at}dense"), bias], f"{at}biased")
        return self._normalised(self.node("Add", [biased, residual], f"{at}sum"), at)

    def _normalised(self, x: str, at: str) -> str:
        scale = self.constant(f"{at}scale", self._weights[f"{at}LayerNorm.weight"])
        shift = self.constant(f"{at}shift", self._weights[f"{at}LayerNorm.bias"])
        epsilon = self._config.get("layer_norm_eps", 1e-12)
        return self.node(
            "LayerNormalization", [x, scale, shift], f"{at}normalised", axis=-1, epsilon=epsilon
        )

    def _times(self, x: str, name: str) -> str:
        weight = self.constant(f"{name}.T", self._weights[f"{name}.weight"].T)
        return self.node("MatMul", [x, weight], f"{name}.product")

    def _weight(self, name: str) -> str:
        return self.constant(name, self._weights[f"{name}.weight"])

    def constant(self, name: str, value: npt.NDArray[Any]) -> str:
        from onnx import numpy_helper

        self._initializers[name] = numpy_helper.from_array(np.ascontiguousarray(value), name)
        return name

    def node(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        from onnx import helper

        self._nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output
