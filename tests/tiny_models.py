"""Tiny random models in the shape of the families that people run, made in seconds, no download.

Each has the architecture that mlx-lm knows the family by, with one or two layers of each kind, the
family's special tokens, and a chat template with its markers and its rules for system messages,
thoughts and past turns (in our own words: what it renders is as the family's, for such messages). A
token is a byte, so what a random model writes is any bytes at all.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_COMMON: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "rms_norm_eps": 1e-5,
    "max_position_embeddings": 8192,
    "rope_theta": 10000.0,
    "tie_word_embeddings": False,
}
_LAYERS = {"layer_types": ["sliding_attention", "full_attention"]}

_CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
_NO_THOUGHTS = "{% if enable_thinking is defined and not enable_thinking %}<think>\n\n</think>\n\n"
# Past thoughts are left out, and the prompt closes them where they are switched off.
_QWEN3 = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n"
    "{{ m.content.split('</think>')[-1].lstrip('\n') if m.role == 'assistant' else m.content }}"
    "<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n"
    + _NO_THOUGHTS
    + "{% endif %}{% endif %}"
)
# Qwen3.5 opens the thoughts itself.
_QWEN35 = _QWEN3.replace("{% endif %}{% endif %}", "{% else %}<think>\n{% endif %}{% endif %}")
_LLAMA3 = (
    "{{ bos_token }}<|start_header_id|>system<|end_header_id|>\n\nToday: 26 Jul 2024\n\n"
    "{% if messages[0].role == 'system' %}{{ messages[0].content }}{% endif %}<|eot_id|>"
    "{% for m in messages if m.role != 'system' %}<|start_header_id|>{{ m.role }}<|end_header_id|>"
    "\n\n{{ m.content | trim }}<|eot_id|>{% endfor %}"
    "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
)
# No system role; the assistant is called model.
_GEMMA2 = (
    "{{ bos_token }}{% for m in messages %}"
    "{% if m.role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    "<start_of_turn>{{ 'model' if m.role == 'assistant' else m.role }}\n{{ m.content | trim }}"
    "<end_of_turn>\n{% endfor %}{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)
# The system message goes before the first of the user's.
_GEMMA3 = (
    "{{ bos_token }}{% set first = messages[0].content + '\n\n' if messages[0].role == 'system' "
    "else '' %}{% for m in messages if m.role != 'system' %}"
    "<start_of_turn>{{ 'model' if m.role == 'assistant' else m.role }}\n"
    "{{ first if loop.first else '' }}{{ m.content | trim }}<end_of_turn>\n{% endfor %}"
    "{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)
_GEMMA4 = (
    "{{ bos_token }}{% for m in messages %}"
    "<|turn>{{ 'model' if m.role == 'assistant' else m.role }}\n"
    "{% if enable_thinking and loop.first and m.role == 'system' %}<|think|>{% endif %}"
    "{{ m.content.split('<channel|>')[-1] | trim }}<turn|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|turn>model\n"
    "{% if not enable_thinking %}<|channel>thought\n<channel|>{% endif %}{% endif %}"
)
_HARMONY = (
    "<|start|>system<|message|>Reasoning: {{ reasoning_effort or 'medium' }}<|end|>"
    "{% for m in messages %}{% if m.role == 'system' %}<|start|>developer<|message|>"
    "# Instructions\n\n{{ m.content }}<|end|>{% elif m.role == 'user' %}"
    "<|start|>user<|message|>{{ m.content }}<|end|>{% else %}"
    "<|start|>assistant<|channel|>final<|message|>{{ m.content }}<|end|>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|start|>assistant{% endif %}"
)
_MISTRAL = (
    "{{ bos_token }}{% for m in messages %}"
    "{% if m.role == 'system' %}[SYSTEM_PROMPT]{{ m.content }}[/SYSTEM_PROMPT]"
    "{% elif m.role == 'user' %}[INST]{{ m.content }}[/INST]"
    "{% else %}{{ m.content }}{{ eos_token }}{% endif %}{% endfor %}"
)
_PHI4 = (
    "{% for m in messages %}{% if m.role == 'system' and tools is defined and tools is not none %}"
    "<|{{ m.role }}|>{{ m.content }}<|tool|>{{ tools }}<|/tool|><|end|>{% else %}"
    "<|{{ m.role }}|>{{ m.content }}<|end|>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
_SMOLLM3 = (
    "<|im_start|>system\nReasoning Mode: "
    "{{ '/think' if enable_thinking else '/no_think' }}\n"
    "{% if messages[0].role == 'system' %}{{ messages[0].content }}{% endif %}<|im_end|>\n"
    "{% for m in messages if m.role != 'system' %}<|im_start|>{{ m.role }}\n{{ m.content }}"
    "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n"
    "{% if not enable_thinking %}<think>\n\n</think>\n{% endif %}{% endif %}"
)
_R1 = (
    "{{ bos_token }}{% for m in messages %}{% if m.role == 'system' %}{{ m.content }}"
    "{% elif m.role == 'user' %}<｜User｜>{{ m.content }}{% else %}"
    "<｜Assistant｜>{{ m.content.split('</think>')[-1] }}<｜end▁of▁sentence｜>{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}<｜Assistant｜><think>\n{% endif %}"
)


@dataclass(frozen=True)
class Family:
    """A family's shape. `ends` is the token behind its answers, `begins` that before a prompt."""

    config: dict[str, Any]
    template: str
    specials: tuple[str, ...]
    ends: str
    begins: str | None = None
    thinks: bool = False
    rewinds: bool = True  # its cache can be cut back to any earlier token
    extra: tuple[str, ...] = field(default=())  # added tokens that are not special


def _config(model_type: str, **own: Any) -> dict[str, Any]:
    return {**_COMMON, "model_type": model_type, **own}


_IM = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
_THINK = ("<think>", "</think>")
_GEMMA = ("<bos>", "<eos>", "<start_of_turn>", "<end_of_turn>")
_LFM = {
    "norm_eps": 1e-5,
    "conv_bias": False,
    "conv_L_cache": 3,
    "layer_types": ["conv", "full_attention"],
}
_QWEN35_SHAPE = {
    "linear_num_value_heads": 4,
    "linear_num_key_heads": 2,
    "linear_key_head_dim": 32,  # a multiple of 32, which the kernel for a GPU wants
    "linear_value_head_dim": 32,
    "linear_conv_kernel_dim": 4,
    "full_attention_interval": 2,
    "rope_parameters": {"type": "default", "rope_theta": 10000.0, "partial_rotary_factor": 0.5},
}

FAMILIES: dict[str, Family] = {
    "llama-3.2": Family(
        _config("llama"),
        _LLAMA3,
        ("<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"),
        "<|eot_id|>",
        begins="<|begin_of_text|>",
    ),
    "qwen3": Family(_config("qwen3"), _QWEN3, _IM, "<|im_end|>", extra=_THINK),
    "qwen3-2507-instruct": Family(_config("qwen3"), _CHATML, _IM, "<|im_end|>", extra=_THINK),
    "qwen3-2507-thinking": Family(
        _config("qwen3"),
        _QWEN35.replace("enable_thinking is defined", "false"),
        _IM,
        "<|im_end|>",
        extra=_THINK,
        thinks=True,
    ),
    "qwen3.5": Family(
        _config("qwen3_5", text_config=_config("qwen3_5_text", **_QWEN35_SHAPE)),
        _QWEN35,
        _IM,
        "<|im_end|>",
        extra=_THINK,
        rewinds=False,
    ),
    "gemma-2": Family(
        _config(
            "gemma2",
            attn_logit_softcapping=50.0,
            final_logit_softcapping=30.0,
            query_pre_attn_scalar=8,
        ),
        _GEMMA2,
        _GEMMA,
        "<end_of_turn>",
        begins="<bos>",
    ),
    "gemma-3": Family(
        _config(
            "gemma3_text", sliding_window=16, sliding_window_pattern=2, query_pre_attn_scalar=8
        ),
        _GEMMA3,
        _GEMMA,
        "<end_of_turn>",
        begins="<bos>",
        rewinds=False,
    ),
    "gemma-4": Family(
        _config(
            "gemma4",
            text_config=_config(
                "gemma4_text",
                **_LAYERS,
                sliding_window=16,
                global_head_dim=8,
                num_kv_shared_layers=0,
                hidden_size_per_layer_input=0,
                use_double_wide_mlp=False,
            ),
        ),
        _GEMMA4,
        ("<bos>", "<eos>", "<|turn>", "<turn|>", "<|think|>", "<|channel>", "<channel|>"),
        "<turn|>",
        begins="<bos>",
        rewinds=False,
    ),
    "gemma-4-e2b": Family(
        _config(
            "gemma4",
            text_config=_config(
                "gemma4_text",
                num_hidden_layers=4,
                layer_types=_LAYERS["layer_types"] * 2,
                sliding_window=16,
                global_head_dim=8,
                num_kv_shared_layers=2,
                hidden_size_per_layer_input=8,
            ),
        ),
        _GEMMA4,
        ("<bos>", "<eos>", "<|turn>", "<turn|>", "<|think|>", "<|channel>", "<channel|>"),
        "<turn|>",
        begins="<bos>",
        rewinds=False,
    ),
    "gpt-oss": Family(
        _config(
            "gpt_oss",
            **_LAYERS,
            sliding_window=16,
            num_local_experts=4,
            num_experts_per_tok=2,
            rope_scaling={
                "rope_type": "yarn",
                "factor": 32.0,
                "beta_fast": 32.0,
                "beta_slow": 1.0,
                "original_max_position_embeddings": 4096,
            },
        ),
        _HARMONY,
        (
            "<|startoftext|>",
            "<|endoftext|>",
            "<|return|>",
            "<|call|>",
            "<|start|>",
            "<|end|>",
            "<|channel|>",
            "<|message|>",
            "<|constrain|>",
        ),
        "<|return|>",
        thinks=True,
        rewinds=False,
    ),
    "mistral-small-3": Family(
        _config("mistral3", text_config=_config("mistral")),
        _MISTRAL,
        ("<s>", "</s>", "[INST]", "[/INST]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]"),
        "</s>",
        begins="<s>",
    ),
    "phi-4": Family(
        _config("phi3", rope_scaling=None, partial_rotary_factor=1.0),
        _PHI4,
        ("<|endoftext|>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>"),
        "<|end|>",
    ),
    "smollm3": Family(_config("smollm3"), _SMOLLM3, _IM, "<|im_end|>", extra=_THINK),
    "lfm2": Family(
        _config(
            "lfm2",
            **_LFM,
            block_dim=32,
            block_multiple_of=8,
            block_ffn_dim_multiplier=1.0,
            block_auto_adjust_ff_dim=False,
        ),
        _CHATML,
        ("<|startoftext|>", *_IM),
        "<|im_end|>",
        rewinds=False,
    ),
    "lfm2-moe": Family(
        _config(
            "lfm2_moe",
            **_LFM,
            moe_intermediate_size=16,
            num_experts=4,
            num_experts_per_tok=2,
            norm_topk_prob=True,
            use_expert_bias=True,
            num_dense_layers=1,
        ),
        _CHATML,
        ("<|startoftext|>", *_IM),
        "<|im_end|>",
        rewinds=False,
    ),
    "deepseek-r1-distill": Family(
        _config("qwen2"),
        _R1,
        ("<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜User｜>", "<｜Assistant｜>"),
        "<｜end▁of▁sentence｜>",
        begins="<｜begin▁of▁sentence｜>",
        extra=_THINK,
        thinks=True,
    ),
}
# One of each kind of cache and of thoughts; the others are the longer matrix.
CHOSEN = ("llama-3.2", "qwen3.5", "gemma-4", "gpt-oss", "lfm2", "deepseek-r1-distill")


def write_tokenizer(folder: Path, family: Family) -> dict[str, int]:
    """tokenizer.json and its config; the vocabulary."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({letter: i for i, letter in enumerate(letters)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    specials = [AddedToken(text, special=True, normalized=False) for text in family.specials]
    others = [AddedToken(text, special=False, normalized=False) for text in family.extra]
    tokenizer.add_special_tokens(specials)
    tokenizer.add_tokens(others)
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": family.ends,
        "bos_token": family.begins,
        "chat_template": family.template,
        "clean_up_tokenization_spaces": False,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return tokenizer.get_vocab()


def write_model(folder: Path, name: str, *, seed: int = 0) -> Path:
    """A random model of that family in `folder`. Runs on the MLX thread."""
    import mlx.core as mx
    from mlx.utils import tree_flatten, tree_unflatten
    from mlx_lm.utils import _get_classes

    family = FAMILIES[name]
    folder.mkdir(parents=True)
    vocabulary = write_tokenizer(folder, family)
    size = {"vocab_size": len(vocabulary), "vocab_size_per_layer_input": len(vocabulary)}
    named = {"eos_token_id": vocabulary[family.ends], "pad_token_id": 0, "bos_token_id": 1}
    config = {**family.config, **size, **named}
    if "text_config" in config:
        config["text_config"] = {**config["text_config"], **size}
    (folder / "config.json").write_text(json.dumps(config))
    model_class, arguments = _get_classes(config)
    mx.random.seed(seed)
    model = model_class(arguments.from_dict(json.loads((folder / "config.json").read_text())))
    weights = {
        key: mx.random.normal(value.shape) * 0.3 if value.ndim > 1 else value
        for key, value in tree_flatten(model.parameters())
    }
    model.update(tree_unflatten(list(weights.items())))
    mx.save_safetensors(str(folder / "model.safetensors"), weights, {"format": "mlx"})
    return folder
