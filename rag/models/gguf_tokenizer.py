"""The tokenizer in a GGUF file made into Hugging Face's files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tokenizers import Tokenizer

Metadata = Mapping[str, Any]

_CONTROL, _USER_DEFINED = 3, 4  # llama.cpp's token types
# How a text is cut before its bytes are merged, by llama.cpp's names; all but for the digits alike.
_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|%s| ?[^\s\p{L}\p{N}]+[\r\n]*|"
    r"\s*[\r\n]+|\s+(?!\S)|\s+"
)
_CUTS = {
    "qwen2": _WORDS % r"\p{N}",
    "llama-bpe": _WORDS % r"\p{N}{1,3}",
    "llama3": _WORDS % r"\p{N}{1,3}",
}


def tokenizer(metadata: Metadata) -> Tokenizer:
    """Raises ValueError for a vocabulary or a way to cut that is not known."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers

    if metadata["tokenizer.ggml.model"] != "gpt2":
        raise ValueError(f"its vocabulary is {metadata['tokenizer.ggml.model']!r}, not byte-level")
    tokens: list[str] = metadata["tokenizer.ggml.tokens"]
    pairs = [merge.partition(" ") for merge in metadata["tokenizer.ggml.merges"]]
    merges = [(first, second) for first, _, second in pairs]
    kind = str(metadata.get("tokenizer.ggml.pre", "default"))
    vocabulary = {text: id for id, text in enumerate(tokens)}
    if any(
        a not in vocabulary or b not in vocabulary or a + b not in vocabulary for a, b in merges
    ):
        raise ValueError("its merges name tokens that it does not have")
    whole = kind in ("llama-bpe", "llama3")  # a word of the vocabulary is not cut
    made = Tokenizer(models.BPE(vocabulary, merges, ignore_merges=whole))
    if kind == "qwen2":
        made.normalizer = normalizers.NFC()
    made.pre_tokenizer = _pre_tokenizer(kind)
    made.decoder = decoders.ByteLevel()
    kinds = metadata["tokenizer.ggml.token_type"]
    for text, one in zip(tokens, kinds, strict=True):
        if one in (_CONTROL, _USER_DEFINED):
            added = AddedToken(text, special=one == _CONTROL, normalized=False)
            made.add_special_tokens([added]) if one == _CONTROL else made.add_tokens([added])
    return made


def _pre_tokenizer(kind: str) -> Any:
    from tokenizers import Regex, pre_tokenizers

    if kind in _CUTS:
        first: Any = pre_tokenizers.Split(Regex(_CUTS[kind]), "isolated")
        level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    elif kind == "smollm":
        first = pre_tokenizers.Digits(individual_digits=True)
        level = pre_tokenizers.ByteLevel(add_prefix_space=False)
    else:
        raise ValueError(f"how it cuts a text, {kind!r}, is not known")
    return pre_tokenizers.Sequence([first, level])


def tokenizer_config(metadata: Metadata, context: int) -> dict[str, Any]:
    tokens = metadata["tokenizer.ggml.tokens"]
    named = {
        f"{role}_token": tokens[int(metadata[f"tokenizer.ggml.{key}_token_id"])]
        for role, key in {"bos": "bos", "eos": "eos", "unk": "unknown", "pad": "padding"}.items()
        if f"tokenizer.ggml.{key}_token_id" in metadata
    }
    return {
        **named,
        "tokenizer_class": "PreTrainedTokenizerFast",
        "add_bos_token": bool(metadata.get("tokenizer.ggml.add_bos_token", False)),
        "clean_up_tokenization_spaces": False,
        "model_max_length": context,
        "chat_template": metadata["tokenizer.chat_template"],
    }
