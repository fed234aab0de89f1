"""A GGUF file made into a folder that mlx-lm loads.

Only what the bundled chat model needs: llama architecture, byte-level BPE vocabulary, and the
quantisations that MLX reads itself (Q4_0, Q4_1, Q8_0, F16, F32).
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from rag.errors import ModelLoadFailed

if TYPE_CHECKING:
    import mlx.core as mx
    from tokenizers import Tokenizer

Metadata = Mapping[str, Any]

_GROUP = 32  # weights that share a scale, in every quantisation that MLX reads from GGUF
_CONTROL, _USER_DEFINED = 3, 4  # llama.cpp's token types
_STALE_S = 3600.0
_NAMES = {
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
}


def import_gguf(file: Path, folder: Path, *, dtype: Literal["float32", "float16"]) -> None:
    """Write `folder` (config, weights, tokenizer) from `file`; it is there whole or not at all.

    Two processes may do so at once: the first to finish wins, the other throws its copy away.
    Runs MLX, so call it on the MLX thread. Raises ModelLoadFailed.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    _sweep(folder.parent)
    unfinished = Path(tempfile.mkdtemp(prefix=".import-", dir=folder.parent))
    try:
        _write(file, unfinished, dtype)
        _move(unfinished, folder)
    except (OSError, RuntimeError, KeyError, ValueError) as error:
        raise ModelLoadFailed(
            f"cannot import {file.name} into {folder.parent}: {error}",
            hint="Check the free space (0.6 GB), or name another model with --model.",
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


def _write(file: Path, folder: Path, dtype: Literal["float32", "float16"]) -> None:
    import mlx.core as mx

    # MLX's types do not say that with return_metadata a pair comes back.
    tensors, metadata = cast(Any, mx.load(str(file), format="gguf", return_metadata=True))
    if metadata["general.architecture"] != "llama" or metadata["tokenizer.ggml.model"] != "gpt2":
        raise ValueError("only llama models with a byte-level BPE vocabulary are understood")
    weights = _weights(tensors, metadata, getattr(mx, dtype))
    mx.save_safetensors(str(folder / "model.safetensors"), weights, {"format": "mlx"})
    _tokenizer(metadata).save(str(folder / "tokenizer.json"))
    _write_json(folder / "tokenizer_config.json", _tokenizer_config(metadata))
    _write_json(folder / "config.json", _config(metadata, "lm_head.weight" in weights, dtype))


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False), encoding="utf-8")


# ── weights ───────────────────────────────────────────────────────────────────────────────────


def _weights(tensors: dict[str, mx.array], metadata: Metadata, dtype: mx.Dtype) -> dict[str, Any]:
    heads = {
        "attn_q": int(metadata["llama.attention.head_count"]),
        "attn_k": int(metadata["llama.attention.head_count_kv"]),
    }
    weights = {}
    for name in tensors:
        if not name.endswith(".weight"):  # scales and biases go with their weight
            continue
        stem = name.removesuffix(".weight")
        tensor = _dequantised(tensors, stem)
        kind = stem.rsplit(".", 1)[-1]
        if kind in heads:
            tensor = _rows_in_order(tensor, heads[kind])
        weights[f"{_renamed(stem)}.weight"] = tensor.astype(dtype)
    return weights


def _dequantised(tensors: dict[str, mx.array], stem: str) -> mx.array:
    import mlx.core as mx

    weight, scales = tensors[f"{stem}.weight"], tensors.get(f"{stem}.scales")
    if scales is None:
        return weight
    bits = weight.shape[-1] * 32 // (scales.shape[-1] * _GROUP)  # weights are packed in uint32
    return mx.dequantize(
        weight,
        scales.astype(mx.float32),
        tensors[f"{stem}.biases"].astype(mx.float32),
        group_size=_GROUP,
        bits=bits,
    )


def _rows_in_order(weight: mx.array, heads: int) -> mx.array:
    """llama.cpp interleaves the two halves of each head for its rotary embedding: undo it."""
    rows, columns = weight.shape
    halves = weight.reshape(heads, rows // heads // 2, 2, columns)
    return halves.swapaxes(1, 2).reshape(rows, columns)


def _renamed(stem: str) -> str:
    """GGUF's name of a tensor, as `blk.3.attn_q`, to mlx-lm's."""
    whole = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}
    if stem in whole:
        return whole[stem]
    _, layer, kind = stem.split(".")
    return f"model.layers.{layer}.{_NAMES[kind]}"


def _config(metadata: Metadata, own_head: bool, dtype: str) -> dict[str, Any]:
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "torch_dtype": dtype,
        "hidden_size": int(metadata["llama.embedding_length"]),
        "num_hidden_layers": int(metadata["llama.block_count"]),
        "intermediate_size": int(metadata["llama.feed_forward_length"]),
        "num_attention_heads": int(metadata["llama.attention.head_count"]),
        "num_key_value_heads": int(metadata["llama.attention.head_count_kv"]),
        "max_position_embeddings": int(metadata["llama.context_length"]),
        "rms_norm_eps": float(metadata["llama.attention.layer_norm_rms_epsilon"]),
        "rope_theta": float(metadata["llama.rope.freq_base"]),
        "vocab_size": len(metadata["tokenizer.ggml.tokens"]),
        "tie_word_embeddings": not own_head,
        "bos_token_id": int(metadata["tokenizer.ggml.bos_token_id"]),
        "eos_token_id": int(metadata["tokenizer.ggml.eos_token_id"]),
    }


# ── tokenizer ─────────────────────────────────────────────────────────────────────────────────


def _tokenizer(metadata: Metadata) -> Tokenizer:
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    if metadata["tokenizer.ggml.pre"] != "smollm":
        raise ValueError(f"unknown pre-tokenizer {metadata['tokenizer.ggml.pre']!r}")
    tokens: list[str] = metadata["tokenizer.ggml.tokens"]
    merges = [tuple(merge.split(" ", 1)) for merge in metadata["tokenizer.ggml.merges"]]
    tokenizer = Tokenizer(models.BPE({text: id for id, text in enumerate(tokens)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    for text, kind in zip(tokens, metadata["tokenizer.ggml.token_type"].tolist(), strict=True):
        if kind in (_CONTROL, _USER_DEFINED):
            added = AddedToken(text, special=kind == _CONTROL, normalized=False)
            tokenizer.add_special_tokens([added])
    return tokenizer


def _tokenizer_config(metadata: Metadata) -> dict[str, Any]:
    tokens = metadata["tokenizer.ggml.tokens"]
    named = {
        f"{role}_token": tokens[int(metadata[f"tokenizer.ggml.{key}_token_id"])]
        for role, key in {"bos": "bos", "eos": "eos", "unk": "unknown", "pad": "padding"}.items()
        if f"tokenizer.ggml.{key}_token_id" in metadata
    }
    return {
        **named,
        "tokenizer_class": "PreTrainedTokenizerFast",
        "add_bos_token": bool(metadata["tokenizer.ggml.add_bos_token"]),
        "clean_up_tokenization_spaces": False,
        "model_max_length": int(metadata["llama.context_length"]),
        "chat_template": metadata["tokenizer.chat_template"],
    }
