"""What a model's files say of it: what it is for, its family, whether it thinks, its licence."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rag.errors import ModelLoadFailed
from rag.models import safety

Role = Literal["embedding", "chat", "reranker", "verifier", "other"]

# Types whose shape was tried with this release, as tiny random models (tests/tiny_models.py).
TRIED = frozenset(
    "llama qwen2 qwen3 qwen3_5 gemma2 gemma3_text gemma4 gpt_oss mistral3 phi3 smollm3 lfm2 "
    "lfm2_moe bert roberta xlm-roberta mpnet modernbert".split()
)
_ENCODERS = frozenset(
    "bert roberta xlm-roberta modernbert mpnet nomic_bert distilbert deberta-v2 gemma3_embedding "
    "electra albert".split()
)
_SENTENCE_TRANSFORMERS = ("modules.json", "config_sentence_transformers.json", "1_Pooling")
_LICENCE = re.compile(r"^license(?:_name)?:\s*['\"]?([\w.+-]+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Description:
    """`licence` is the one that its page (README.md) names, "" where there is none. `thinks`: its
    template speaks of thoughts, which `thinking` may switch off. `tried`: one of TRIED."""

    role: Role
    family: str = ""
    thinks: bool = False
    licence: str = ""
    tried: bool = False


def describe(folder: Path) -> Description:
    """By the folder's files alone; a folder that cannot be understood is for something "other"."""
    try:
        config = safety.read_config(folder)
    except ModelLoadFailed:
        return Description("other")
    family = str(config.get("model_type", ""))
    template = _template(folder)
    thinks = any(mark in template for mark in ("</think>", "[/THINK]", "<|channel|>", "<channel|>"))
    role = _role(folder, config, family, bool(template))
    return Description(role, family, thinks, _licence(folder), family in TRIED)


def _role(folder: Path, config: Mapping[str, Any], family: str, chats: bool) -> Role:
    architectures = " ".join(map(str, config.get("architectures") or ()))
    if "SequenceClassification" in architectures:
        labels = len(config.get("id2label") or ()) or config.get("num_labels", 1)
        return "reranker" if labels == 1 else "verifier"
    if "TokenClassification" in architectures:
        return "verifier"
    if any((folder / name).exists() for name in _SENTENCE_TRANSFORMERS):
        return "embedding"
    if chats:
        return "chat"
    if family in _ENCODERS or "Embedding" in architectures:
        return "embedding"
    return "chat" if "CausalLM" in architectures else "other"


def _template(folder: Path) -> str:
    """The chat template's text: in a file of its own, or in the tokenizer's config."""
    own = folder / "chat_template.jinja"
    if own.is_file():
        return own.read_text(encoding="utf-8", errors="replace")
    for name in ("chat_template.json", "tokenizer_config.json"):
        try:
            told = json.loads((folder / name).read_text(encoding="utf-8"))["chat_template"]
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if told:
            return str(told)
    return ""


def _licence(folder: Path) -> str:
    try:
        page = (folder / "README.md").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    head = page.split("\n---", 1)[0] if page.startswith("---") else ""
    found = _LICENCE.search(head)
    return found[1] if found else ""
