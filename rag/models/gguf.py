"""A GGUF file made into a folder that mlx-lm loads, once.

Llama, Qwen2 and Qwen3 (dense) in every quantisation that the package `gguf` reads, the K-quants
among them, with a byte-level BPE vocabulary.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rag.errors import ModelLoadFailed
from rag.models.gguf_tokenizer import tokenizer, tokenizer_config

if TYPE_CHECKING:
    import mlx.core as mx
    import numpy as np
    import numpy.typing as npt

Metadata = Mapping[str, Any]
Form = Literal["float32", "float16", "8bit"]

_STALE_S = 3600.0
_SHARD = 1 << 30  # bytes of a file of weights, and so of what is in memory at once
_GROUP = 64  # weights that share a scale
FAMILIES = {"llama": "LlamaForCausalLM", "qwen2": "Qwen2ForCausalLM", "qwen3": "Qwen3ForCausalLM"}
_NAMES = {
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_q_norm": "self_attn.q_norm",
    "attn_k_norm": "self_attn.k_norm",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
}


def import_gguf(
    file: Path, folder: Path, *, form: Form, notify: Callable[[str], None] = lambda _: None
) -> None:
    """Write `folder` (config, weights, tokenizer) from `file`; it is there whole or not at all.

    Two processes may do so at once: the first to finish wins, the other throws its copy away.
    `notify` is told how far it is. Runs MLX, so call it on the MLX thread. Raises ModelLoadFailed.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    _sweep(folder.parent)
    unfinished = Path(tempfile.mkdtemp(prefix=".import-", dir=folder.parent))
    try:
        _write(file, unfinished, form, notify)
        _move(unfinished, folder)
    except (OSError, RuntimeError, LookupError, ValueError, TypeError, AttributeError) as error:
        raise ModelLoadFailed(
            f"cannot import {file.name} into {folder.parent}: {error}",
            hint="Check the file and the free space, or name a model in MLX's form.",
        ) from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _move(unfinished: Path, folder: Path) -> None:
    try:
        unfinished.rename(folder)
    except OSError:
        if not folder.is_dir():  # otherwise another process was first, with the same content
            raise


def _sweep(parent: Path) -> None:
    """Remove what imports that were killed have left behind."""
    for left in parent.glob(".import-*"):
        if time.time() - left.stat().st_mtime > _STALE_S:
            shutil.rmtree(left, ignore_errors=True)


def _write(file: Path, folder: Path, form: Form, notify: Callable[[str], None]) -> None:
    import gguf

    reader = gguf.GGUFReader(file)
    metadata = {name: field.contents() for name, field in reader.fields.items()}
    family = str(metadata["general.architecture"])
    if family not in FAMILIES:
        raise ValueError(f"its architecture is {family}, not one of {', '.join(FAMILIES)}")
    names = {tensor.name for tensor in reader.tensors}
    config = _config(metadata, family, form, own_head="output.weight" in names)
    factors = next((t for t in reader.tensors if t.name == "rope_freqs.weight"), None)
    if factors is not None:
        config["rope_scaling"] = _rope_scaling(config, _dequantised(factors))
    _write_json(folder / "config.json", config)
    tokenizer(metadata).save(str(folder / "tokenizer.json"))
    context = int(metadata[f"{family}.context_length"])
    _write_json(folder / "tokenizer_config.json", tokenizer_config(metadata, context))
    _write_weights(reader.tensors, metadata, folder, form, notify)


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False), encoding="utf-8")


# ── weights ───────────────────────────────────────────────────────────────────────────────────


def _write_weights(
    tensors: Sequence[Any],
    metadata: Metadata,
    folder: Path,
    form: Form,
    notify: Callable[[str], None],
) -> None:
    """In files of at most a gigabyte or so, each written before the next is begun."""
    import mlx.core as mx

    shard: dict[str, Any] = {}
    files = told = 0
    for number, tensor in enumerate(tensors, start=1):
        if tensor.name != "rope_freqs.weight":
            shard.update(_weights(tensor, metadata, form))
        last = number == len(tensors)
        if last or sum(array.nbytes for array in shard.values()) > _SHARD:
            files += 1
            mx.save_safetensors(str(folder / f"model-{files:05}.safetensors"), shard, _MLX)
            shard = {}
        percent = 100 * number // len(tensors)
        if percent >= told + 20 and not last:
            told = percent
            notify(f"Importing: {percent}%")


_MLX = {"format": "mlx"}


def _weights(tensor: Any, metadata: Metadata, form: Form) -> dict[str, Any]:
    """One of the file's tensors under mlx-lm's names."""
    import mlx.core as mx

    stem, _, ending = tensor.name.rpartition(".")
    array = mx.array(_dequantised(tensor))
    kind = stem.rsplit(".", 1)[-1]
    if metadata["general.architecture"] == "llama" and kind in ("attn_q", "attn_k"):
        heads = "head_count" if kind == "attn_q" else "head_count_kv"
        array = _rows_in_order(array, int(metadata[f"llama.attention.{heads}"]))
    name = _renamed(stem)
    if form != "8bit" or array.ndim == 1 or array.shape[-1] % _GROUP:
        dtype = mx.float32 if form == "float32" else mx.float16
        return {f"{name}.{ending}": array.astype(dtype)}
    weight, scales, biases = mx.quantize(array.astype(mx.float16), group_size=_GROUP, bits=8)
    return {f"{name}.weight": weight, f"{name}.scales": scales, f"{name}.biases": biases}


def _dequantised(tensor: Any) -> npt.NDArray[np.float32]:
    """In float32, (rows, columns)."""
    import gguf

    found: npt.NDArray[np.float32] = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
    return found.reshape([int(size) for size in reversed(tensor.shape)])


def _rows_in_order(weight: mx.array, heads: int) -> mx.array:
    """llama.cpp interleaves the two halves of each head for its rotary embedding: undo it."""
    rows = weight.shape[0]
    halves = weight.reshape(heads, rows // heads // 2, 2, *weight.shape[1:])
    return halves.swapaxes(1, 2).reshape(weight.shape)


def _renamed(stem: str) -> str:
    """GGUF's name of a tensor, as `blk.3.attn_q`, to mlx-lm's."""
    whole = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}
    if stem in whole:
        return whole[stem]
    _, layer, kind = stem.split(".")
    return f"model.layers.{layer}.{_NAMES[kind]}"


def _config(metadata: Metadata, family: str, form: Form, *, own_head: bool) -> dict[str, Any]:
    def told(name: str) -> Any:
        return metadata[f"{family}.{name}"]

    heads = int(told("attention.head_count"))
    size = int(metadata.get(f"{family}.attention.key_length") or told("embedding_length") // heads)
    ends = {int(metadata[key]) for key in _ENDS if key in metadata}
    config = {
        "architectures": [FAMILIES[family]],
        "model_type": family,
        "torch_dtype": "float32" if form == "float32" else "float16",
        "hidden_size": int(told("embedding_length")),
        "num_hidden_layers": int(told("block_count")),
        "intermediate_size": int(told("feed_forward_length")),
        "num_attention_heads": heads,
        "num_key_value_heads": int(told("attention.head_count_kv")),
        "head_dim": size,
        "max_position_embeddings": int(told("context_length")),
        "rms_norm_eps": float(told("attention.layer_norm_rms_epsilon")),
        "rope_theta": float(metadata.get(f"{family}.rope.freq_base", 10000.0)),
        "vocab_size": len(metadata["tokenizer.ggml.tokens"]),
        "tie_word_embeddings": not own_head,
        "eos_token_id": sorted(ends),
    }
    if form == "8bit":
        config["quantization"] = {"group_size": _GROUP, "bits": 8}
    return config


_ENDS = ("tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id")


def _rope_scaling(
    config: Mapping[str, Any], factors: npt.NDArray[np.float32]
) -> dict[str, float | str]:
    """Llama 3's: a GGUF has what came of it, one factor for each pair of a head. Raises ValueError
    for factors that do not come of it."""
    import numpy as np

    found: dict[str, float | str] = {
        "rope_type": "llama3",
        "factor": float(factors.max()),
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192,
    }
    size, base = config["head_dim"], config["rope_theta"]
    lengths = 2 * np.pi * base ** (np.arange(0, size, 2) / size)
    smooth = np.clip((8192 / lengths - 1.0) / 3.0, 0.0, 1.0)
    expected = 1 / ((1 - smooth) / factors.max() + smooth)
    if not np.allclose(expected, factors, rtol=1e-3):
        raise ValueError("its positions are scaled in a way that is not known")
    return found
