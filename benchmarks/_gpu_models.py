"""Models of random weights in the shape of real ones, for benchmarks/gpu.py."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

# https://huggingface.co/meta-llama/Llama-3.2-3B/blob/main/config.json
LLAMA_3B: Mapping[str, Any] = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 3072,
    "num_hidden_layers": 28,
    "intermediate_size": 8192,
    "num_attention_heads": 24,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "vocab_size": 128_256,
    "max_position_embeddings": 131_072,
    "rms_norm_eps": 1e-5,
    "rope_theta": 500_000.0,
    "rope_scaling": {
        "factor": 32.0,
        "high_freq_factor": 4.0,
        "low_freq_factor": 1.0,
        "original_max_position_embeddings": 8192,
        "rope_type": "llama3",
    },
    "tie_word_embeddings": True,
}
TINY: Mapping[str, Any] = {
    **LLAMA_3B,
    "hidden_size": 128,
    "num_hidden_layers": 2,
    "intermediate_size": 256,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 64,
    "vocab_size": 50_000,
}
_TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json")


def write_bert(source: Path, work: Path) -> Path:
    """`source` if it holds weights; else a copy of it with random ones."""
    import mlx.core as mx
    from mlx.utils import tree_flatten
    from mlx_embeddings.models.bert import Model, ModelArgs

    if any(source.glob("*.safetensors")):
        return source
    folder = work / "bert"
    shutil.copytree(source, folder)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    weights = dict(tree_flatten(Model(ModelArgs.from_dict(config)).parameters()))
    mx.save_safetensors(str(folder / "model.safetensors"), weights, {"format": "pt"})
    return folder


def write_llama(folder: Path, shape: Mapping[str, Any], tokenizer: Path, bits: int) -> Path:
    """A chat model that says plain words and never ends: a token is a piece of its answer."""
    import mlx.core as mx
    from mlx_lm.models.llama import Model, ModelArgs
    from mlx_lm.utils import quantize_model, save_config, save_model

    model = Model(ModelArgs.from_dict(shape))
    model.set_dtype(mx.bfloat16)
    words = model.model.embed_tokens
    # A row of zeros gives a logit of zero, which the greatest of many others always exceeds.
    words.weight = words.weight * _plain(tokenizer, shape["vocab_size"])[:, None]
    config = dict(shape)
    if bits < 16:
        model, config = quantize_model(model, config, group_size=64, bits=bits)
    folder.mkdir(parents=True)
    save_model(folder, model)
    save_config(config, folder / "config.json")
    for name in _TOKENIZER_FILES:
        shutil.copy(tokenizer / name, folder)
    return folder


def _plain(folder: Path, size: int) -> Any:
    """1 for each token that is an ASCII word with a space before it, else 0; bfloat16."""
    import mlx.core as mx
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokens = (tokenizer.id_to_token(index) or "" for index in range(size))
    return mx.array(
        [token[:1] == "Ġ" and token[1:].isascii() and token[1:].isalpha() for token in tokens]
    ).astype(mx.bfloat16)
