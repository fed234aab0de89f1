"""What an embedding model's own files say of its use: pooling, prompts, limits, layers behind.

Nothing is taken from the folder's path: what a folder is called says nothing about what is in it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rag.errors import ModelLoadFailed
from rag.models import safety
from rag.models.embedding_families import Family, Pooling, published_family

# Longer texts than this are cut whatever the model allows: memory grows with the square.
MAX_TOKENS = 8192
# What runs them: the graph that rag/embedders/onnx_bert.py writes, and mlx-embeddings.
ONNX_TYPES: Final = ("bert", "roberta", "xlm-roberta", "mpnet")
MLX_TYPES: Final = ("bert", "xlm-roberta", "modernbert", "qwen3", "gemma3_text", "llama_bidirec")
# Their MLX model applies the layers after the pooling itself.
_DENSE_TYPES: Final = ("gemma3_text",)
_MODULES: Final = ("Transformer", "Pooling", "Dense", "Normalize")
# By direction: a sum over the root of the length is the mean, once it has unit length.
_POOLINGS: Final[Mapping[str, Pooling]] = {
    "mean": "mean",
    "mean_tokens": "mean",
    "mean_sqrt_len_tokens": "mean",
    "cls": "cls",
    "cls_token": "cls",
    "lasttoken": "lasttoken",
}


@dataclass(frozen=True, slots=True)
class EmbeddingUse:
    """`family` is the published one that the prompts or the pooling were taken from, "" where the
    model's files say both or nothing is known; `dense`: there are layers after the pooling."""

    model_type: str
    pooling: Pooling
    query_prompt: str
    document_prompt: str
    size: int  # dimensions that the model gives
    max_tokens: int  # special tokens and prompt included
    dense: bool = False
    family: str = ""


def read_use(folder: Path, hub_id: str = "") -> EmbeddingUse:
    """Read a folder in Hugging Face or sentence-transformers layout, but no weights.

    `hub_id` is the name that a model of the hub was published under. Raises ModelLoadFailed where
    nothing here can embed with the model, or not as its files say.
    """
    config = safety.read_config(folder)
    model_type = str(config.get("model_type", ""))
    modules = _modules(folder)
    family = published_family(folder, config, hub_id)
    said = _pooling(folder, modules)
    told = _prompts(folder)
    query, document = told or (("", "") if family is None else family.prompts)
    use = EmbeddingUse(
        model_type=model_type,
        pooling=said or _customary(model_type, family),
        query_prompt=query,
        document_prompt=document,
        size=_size(folder, modules, config),
        max_tokens=_max_tokens(folder, config),
        dense="Dense" in modules,
        family=family.name if family is not None and not (said and told) else "",
    )
    _require_support(folder, use)
    return use


def use_or_obstacle(folder: Path, hub_id: str = "") -> tuple[EmbeddingUse | None, str]:
    """The use; or None, and why the model cannot be used."""
    try:
        return read_use(folder, hub_id), ""
    except ModelLoadFailed as error:
        return None, str(error)


def _require_support(folder: Path, use: EmbeddingUse) -> None:
    known = sorted({*ONNX_TYPES, *MLX_TYPES})
    if use.model_type not in known:
        raise ModelLoadFailed(
            f"{folder.name} is a model of type {use.model_type[:80]!r}, which nothing here embeds "
            "with",
            hint=f"Name an embedding model of one of these types: {', '.join(known)}.",
        )
    if use.dense and use.model_type not in _DENSE_TYPES:
        raise ModelLoadFailed(
            f"{folder.name} has layers after the pooling, which are known for "
            f"{', '.join(_DENSE_TYPES)} alone",
            hint="Name an embedding model without a Dense module.",
        )
    if not (folder / "tokenizer.json").is_file():
        raise ModelLoadFailed(
            f"{folder / 'tokenizer.json'} is missing",
            hint="Fetch the model with its fast tokenizer.",
        )


# ── prompts ───────────────────────────────────────────────────────────────────────────────────


def _prompts(folder: Path) -> tuple[str, str] | None:
    """Before a query and before a document, chosen as sentence-transformers does; None where the
    files have no prompts or only empty ones, which it writes for any model."""
    config = _object(folder / "config_sentence_transformers.json")
    prompts = config.get("prompts") or {}
    if not isinstance(prompts, dict) or not all(isinstance(p, str) for p in prompts.values()):
        raise _odd(folder / "config_sentence_transformers.json", "its prompts are no texts")
    if not any(prompts.values()):
        return None
    default = prompts.get(str(config.get("default_prompt_name")), "")
    query = _first(prompts, ("query",), default)
    return query, _first(prompts, ("document", "passage", "corpus"), default)


def _first(prompts: Mapping[str, str], names: Sequence[str], default: str) -> str:
    return next((prompts[name] for name in names if name in prompts), default)


def _customary(model_type: str, family: Family | None) -> Pooling:
    if family is not None:
        return family.pooling
    return "lasttoken" if model_type == "qwen3" else "mean"


# ── pooling and layers ────────────────────────────────────────────────────────────────────────


def _modules(folder: Path) -> dict[str, Path]:
    """sentence-transformers' modules by kind ("Pooling", "Dense"; of two the last) → folder."""
    file = folder / "modules.json"
    if not file.is_file():
        return {}
    listed = _read(file)
    try:
        modules = {str(m["type"]).rpartition(".")[2]: folder / str(m["path"]) for m in listed}
    except (TypeError, KeyError) as error:
        raise _odd(file, "it lists no modules") from error
    unknown = sorted(set(modules) - set(_MODULES))
    if unknown:
        raise ModelLoadFailed(
            f"{folder.name} is made of modules that are not known here: {', '.join(unknown)[:200]}",
            hint="Name a model of a transformer, pooling and normalisation.",
        )
    return modules


def _pooling(folder: Path, modules: Mapping[str, Path]) -> Pooling | None:
    config = _object(modules.get("Pooling", folder / "1_Pooling") / "config.json")
    modes = {n.removeprefix("pooling_mode_") for n, on in config.items() if on is True}
    modes &= {n.removeprefix("pooling_mode_") for n in config if n.startswith("pooling_mode_")}
    named = config.get("pooling_mode")
    modes |= set(named if isinstance(named, list) else [str(named)] if named else ())
    if not modes:
        return None
    poolings = {_POOLINGS.get(str(mode)) for mode in modes}
    if len(modes) > 1 or None in poolings:
        # Several are joined end to end, which makes another vector than any of them.
        raise ModelLoadFailed(
            f"{folder.name} pools its tokens by {', '.join(sorted(map(str, modes)))[:200]}",
            hint="Choose a model with mean, first-token or last-token pooling.",
        )
    return poolings.pop()


def _size(folder: Path, modules: Mapping[str, Path], config: Mapping[str, Any]) -> int:
    size = config.get("hidden_size") or config.get("n_embd")
    if "Dense" in modules:
        size = _object(modules["Dense"] / "config.json").get("out_features")
    if not isinstance(size, int):
        raise ModelLoadFailed(
            f"{folder}/config.json names no hidden_size", hint="Choose a text embedding model."
        )
    return size


def _max_tokens(folder: Path, config: Mapping[str, Any]) -> int:
    positions = _number(config.get("max_position_embeddings")) or MAX_TOKENS
    if config.get("model_type") in ("roberta", "xlm-roberta", "mpnet"):
        positions -= first_position(config)
    said = _number(_object(folder / "sentence_bert_config.json").get("max_seq_length"))
    said = said or _number(_object(folder / "tokenizer_config.json").get("model_max_length"))
    return min(positions, MAX_TOKENS, said or MAX_TOKENS)


def first_position(config: Mapping[str, Any]) -> int:
    """RoBERTa's positions, and MPNet's, begin behind that of padding."""
    padding = config.get("pad_token_id")
    return (1 if padding is None else int(padding)) + 1


def _number(value: Any) -> int | None:
    return int(value) if isinstance(value, (int, float)) and 0 < value < float("inf") else None


# ── files ─────────────────────────────────────────────────────────────────────────────────────


def _object(file: Path) -> dict[str, Any]:
    """The object in a file; empty where there is no such file."""
    read = _read(file) if file.is_file() else {}
    if not isinstance(read, dict):
        raise _odd(file, "it holds no object")
    return read


def _read(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise _odd(file, str(error)) from error


def _odd(file: Path, why: str) -> ModelLoadFailed:
    return ModelLoadFailed(f"{file} cannot be used: {why}", hint="Fetch the model again.")
