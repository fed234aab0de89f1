"""What an embedding model's own files say about how to use it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from rag.embedders.fingerprint import fingerprint
from rag.errors import ConfigError, ModelLoadFailed

Pooling = Literal["mean", "cls", "lasttoken"]

# Longer texts than this are cut whatever the model allows: memory grows with the square.
MAX_TOKENS = 8192

# Families by a word of the model's name, for folders whose files leave the point open. From the
# model cards: (pooling, prompt before a query, prompt before a document).
_RETRIEVE = "Given a web search query, retrieve relevant passages that answer the query"
_FAMILIES: Mapping[str, tuple[Pooling, str, str]] = {
    "e5": ("mean", "query: ", "passage: "),
    "bge": ("cls", "Represent this sentence for searching relevant passages: ", ""),
    "nomic": ("mean", "search_query: ", "search_document: "),
    "qwen3": ("lasttoken", f"Instruct: {_RETRIEVE}\nQuery:", ""),
}


@dataclass(frozen=True, slots=True)
class Recipe:
    """How texts become vectors with this model."""

    name: str
    content: str  # follows from the weights and from how they are used, not from where they are
    folder: Path
    model_type: str
    pooling: Pooling
    dense: bool  # layers after the pooling, which the MLX model applies itself
    size: int  # dimensions that the model gives
    dimensions: int  # dimensions that are kept
    max_tokens: int  # special tokens and prompt included
    query_prompt: str
    document_prompt: str

    @property
    def id(self) -> str:
        """name@content, and /dimensions where they are cut."""
        cut = f"/{self.dimensions}" if self.dimensions != self.size else ""
        return f"{self.name}@{self.content}{cut}"

    @property
    def tokenizer_file(self) -> Path:
        return self.folder / "tokenizer.json"


def read_recipe(folder: Path, name: str, dimensions: int | None = None) -> Recipe:
    """Read a folder in Hugging Face or sentence-transformers layout; look at no whole weights.

    `dimensions` cuts the vectors (Matryoshka). Raises ModelLoadFailed, ConfigError.
    """
    config = _json(folder / "config.json")
    if not config:
        raise ModelLoadFailed(f"{folder} holds no config.json", hint="Name a model's folder.")
    modules = _modules(folder)
    pooling, query, document = _family(name, config)
    prompts = _json(folder / "config_sentence_transformers.json").get("prompts") or {}
    size = _size(folder, modules, config)
    recipe = Recipe(
        name=name,
        content="",
        folder=folder,
        model_type=str(config.get("model_type", "")),
        pooling=_pooling(folder, modules) or pooling,
        dense="Dense" in modules,
        size=size,
        dimensions=_cut(size, dimensions, name),
        max_tokens=_max_tokens(folder, config),
        query_prompt=_prompt(prompts, ("query",), query),
        document_prompt=_prompt(prompts, ("document", "passage"), document),
    )
    use = (recipe.pooling, recipe.max_tokens, recipe.query_prompt, recipe.document_prompt)
    return replace(recipe, content=fingerprint(folder, extra=repr(use)))


def _cut(size: int, wanted: int | None, name: str) -> int:
    if wanted is not None and wanted > size:
        raise ConfigError(
            f"embedding_dimensions is {wanted}, but {name} gives {size}",
            hint=f"Set it to at most {size}, or leave it out.",
        )
    return wanted or size


def _family(name: str, config: Mapping[str, Any]) -> tuple[Pooling, str, str]:
    text = f"{name} {Path(str(config.get('_name_or_path', ''))).name}".lower()
    words = set(text.replace("/", " ").replace("-", " ").replace("_", " ").split())
    if {"bge", "m3"} <= words:
        return "cls", "", ""
    for word, family in _FAMILIES.items():
        if word in words:
            return family
    return ("lasttoken" if config.get("model_type") == "qwen3" else "mean"), "", ""


def _prompt(prompts: Mapping[str, str], names: tuple[str, ...], default: str) -> str:
    """What the model's files say, where they say anything at all; else its family's custom."""
    if not any(prompts.values()):
        return default
    return next((prompts[name] for name in names if name in prompts), "")


def _modules(folder: Path) -> dict[str, Path]:
    """sentence-transformers' modules by kind ("Pooling", "Dense"; of two the last) → folder."""
    file = folder / "modules.json"
    listed = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else []
    return {str(entry["type"]).rpartition(".")[2]: folder / entry["path"] for entry in listed}


def _pooling(folder: Path, modules: Mapping[str, Path]) -> Pooling | None:
    config = _json(modules.get("Pooling", folder / "1_Pooling") / "config.json")
    modes = {name.removeprefix("pooling_mode_") for name, on in config.items() if on is True}
    modes.add(str(config.get("pooling_mode", "")))
    if modes & {"mean", "mean_tokens"}:
        return "mean"
    if modes & {"cls", "cls_token"}:
        return "cls"
    if "lasttoken" in modes:
        return "lasttoken"
    if "pooling_mode" in config or any(mode.endswith("tokens") for mode in modes):
        raise ModelLoadFailed(
            f"{folder.name} pools its tokens by {', '.join(sorted(filter(None, modes)))}",
            hint="Choose a model with mean, first-token or last-token pooling.",
        )
    return None


def _size(folder: Path, modules: Mapping[str, Path], config: Mapping[str, Any]) -> int:
    if "Dense" in modules:
        return int(_json(modules["Dense"] / "config.json")["out_features"])
    size = config.get("hidden_size") or config.get("n_embd")
    if size is None:
        raise ModelLoadFailed(
            f"{folder}/config.json names no hidden_size", hint="Choose a text embedding model."
        )
    return int(size)


def _max_tokens(folder: Path, config: Mapping[str, Any]) -> int:
    positions = int(config.get("max_position_embeddings", MAX_TOKENS))
    if config.get("model_type") in ("roberta", "xlm-roberta"):
        positions -= int(config.get("pad_token_id", 1)) + 1  # their positions begin after padding
    said = _json(folder / "sentence_bert_config.json").get("max_seq_length")
    said = said or _json(folder / "tokenizer_config.json").get("model_max_length")
    return min(positions, MAX_TOKENS, int(said or MAX_TOKENS))


def _json(file: Path) -> dict[str, Any]:
    """The object in a file; empty where there is no such file."""
    if not file.is_file():
        return {}
    try:
        read: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ModelLoadFailed(f"{file} is no JSON: {error}", hint="Fetch the model again.") from (
            error
        )
    return read
