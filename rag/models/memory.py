"""How much memory a chat model needs, and how much it may then do at once: by its files alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rag.compute.machine import Machine
from rag.errors import ModelLoadFailed
from rag.models import safety

# What a step, the embedding model and the libraries take beside the weights.
_BESIDE = 512 << 20
_USUAL = 128 << 10  # for a config in words of its own: what Llama-3 8B takes for a token
_MOST_AT_ONCE = 32
_LEAST_CACHE, _MOST_CACHE = 64 << 20, 8 << 30


@dataclass(frozen=True, slots=True)
class Footprint:
    """Bytes of a model's weights, of its cache for each token of a conversation, and of its layers
    that keep only a window of tokens, once those are full."""

    weights: int
    per_token: int
    windows: int = 0

    @classmethod
    def of(cls, folder: Path, *, device: str) -> Footprint:
        """Raises ModelLoadFailed for a folder without a config."""
        config = safety.read_config(folder)
        text = config.get("text_config", config)
        width = 4 if device == "cpu" else 2  # bytes of a number: float32 on a CPU, half elsewhere
        weights = sum(file.stat().st_size for file in folder.glob("*.safetensors"))
        quantised = "quantization" in config or "quantization_config" in config
        if device == "cpu" and not quantised and config.get("torch_dtype") != "float32":
            weights *= 2  # they become float32 when they are loaded
        try:
            one = 2 * width * _heads(text)
            full, windowed = _layers(text)
            return cls(weights, one * full, one * windowed * int(text.get("sliding_window") or 0))
        except (KeyError, TypeError, ValueError, ZeroDivisionError):
            return cls(weights, _USUAL)

    def conversation(self, tokens: int) -> int:
        """Bytes of the cache of one conversation of so many tokens."""
        return self.per_token * tokens + self.windows

    def needs(self, tokens: int) -> int:
        """Bytes to answer one question at a time."""
        return self.weights + self.conversation(tokens) + _BESIDE


@dataclass(frozen=True, slots=True)
class Allowance:
    """What fits beside the weights. `cache_bytes` is the prefix cache's, `buffer_bytes` that of
    freed buffers which MLX keeps."""

    at_once: int
    prefill_tokens: int
    prefill_prompts: int
    cache_bytes: int
    buffer_bytes: int


def allowance(footprint: Footprint, tokens: int, machine: Machine) -> Allowance:
    """Of what the weights leave, half is for answers at once and a quarter for the prefix cache."""
    room = max(0, machine.usable - footprint.weights - _BESIDE)
    one = max(1, footprint.conversation(tokens))
    wide = room >= 8 << 30
    return Allowance(
        at_once=max(1, min(_MOST_AT_ONCE, room // 2 // one)),
        prefill_tokens=2048 if wide else 512,
        prefill_prompts=8 if wide else 2,
        cache_bytes=max(_LEAST_CACHE, min(_MOST_CACHE, room // 4)),
        buffer_bytes=max(_LEAST_CACHE, min(2 << 30, room // 8)),
    )


def require_room(name: str, footprint: Footprint, tokens: int, machine: Machine) -> None:
    """Raises ModelLoadFailed for a model that cannot answer one question on this machine."""
    needs = footprint.needs(tokens)
    if needs <= machine.usable:
        return
    raise ModelLoadFailed(
        f"{name} needs {gibibytes(needs)} ({gibibytes(footprint.weights)} of weights, "
        f"{gibibytes(footprint.conversation(tokens))} for a conversation of {tokens} tokens); of "
        f"the {gibibytes(machine.memory)} here a model may take {gibibytes(machine.usable)}",
        hint="Choose a smaller model or one of fewer bits (rag models), or lower context_tokens.",
    )


def gibibytes(size: int) -> str:
    """Of memory, which is sold by these."""
    return f"{size / 2**30:.1f} GiB"


def _heads(text: Mapping[str, Any]) -> int:
    """Numbers of the keys of one token in one layer."""
    heads = int(text["num_attention_heads"])
    size = int(text.get("head_dim") or int(text["hidden_size"]) // heads)
    return int(text.get("num_key_value_heads") or heads) * size


def _layers(text: Mapping[str, Any]) -> tuple[int, int]:
    """Layers that keep every token, and those that keep a window of them; others keep a state."""
    layers = int(text["num_hidden_layers"])
    kinds = text.get("layer_types")
    if kinds:
        return list(kinds).count("full_attention"), list(kinds).count("sliding_attention")
    if text.get("full_attention_interval"):
        return layers // int(text["full_attention_interval"]), 0
    pattern = int(text.get("sliding_window_pattern") or 0)
    if pattern and text.get("sliding_window"):
        return layers // pattern, layers - layers // pattern
    return layers, 0
