"""Published families of embedding models, for files that leave pooling or prompts open.

A model belongs to one if its type fits and one of these gives the family's published name, whole:
the config's `_name_or_path` (its last part), the model card in the folder (README.md: the name in
its `model-index`, or its `base_model`), the hub id that the model was asked for by. A folder's
path gives none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

Pooling = Literal["mean", "cls", "lasttoken"]


@dataclass(frozen=True, slots=True)
class Family:
    """`names` matches the published names in lower case; `prompts` stand before a query and before
    a document."""

    name: str
    names: re.Pattern[str]
    types: frozenset[str]
    pooling: Pooling
    prompts: tuple[str, str]


_SEARCH: Final = "Represent this sentence for searching relevant passages: "
_WEB: Final = "Given a web search query, retrieve relevant passages that answer the query"
_BERTS: Final = frozenset({"bert", "xlm-roberta"})


def _family(name: str, names: str, types: frozenset[str], pooling: Pooling, *two: str) -> Family:
    return Family(name, re.compile(names), types, pooling, (two[0], two[1]))


# From the models' cards.
FAMILIES: Final = (
    _family(
        "e5-instruct",
        r"multilingual-e5-large-instruct",
        _BERTS,
        "mean",
        f"Instruct: {_WEB}\nQuery: ",
        "",
    ),
    _family(
        "e5",
        r"(multilingual-)?e5-(small|base|large)(-v2|-unsupervised)?",
        _BERTS,
        "mean",
        "query: ",
        "passage: ",
    ),
    _family("bge-m3", r"bge-m3(-unsupervised|-retromae)?", _BERTS, "cls", "", ""),
    _family("bge-en", r"bge-(small|base|large)-en(-v1\.5)?", _BERTS, "cls", _SEARCH, ""),
    _family(
        "bge-zh",
        r"bge-(small|base|large)-zh(-v1\.5)?",
        _BERTS,
        "cls",
        "为这个句子生成表示以用于检索相关文章：",
        "",
    ),
    _family("mxbai", r"mxbai-embed-(xsmall|large)-v1", _BERTS, "cls", _SEARCH, ""),
    _family("arctic", r"snowflake-arctic-embed-(xs|s|m|l)", _BERTS, "cls", _SEARCH, ""),
    _family("arctic-2", r"snowflake-arctic-embed-l-v2\.0", _BERTS, "cls", "query: ", ""),
    _family(
        "modernbert-embed",
        r"modernbert-embed-(base|large)",
        frozenset({"modernbert"}),
        "mean",
        "search_query: ",
        "search_document: ",
    ),
    _family(
        "qwen3-embedding",
        r"qwen3-embedding-[\d.]+b",
        frozenset({"qwen3"}),
        "lasttoken",
        f"Instruct: {_WEB}\nQuery:",
        "",
    ),
)
# What conversions add to a name, and what an old cache of sentence-transformers puts before it.
_CONVERTED: Final = re.compile(r"([-_.](mlx|\d+bit|bf16|fp16|fp32|f16|f32|q\d|dwq|mxfp\d))+$")
_OWNER: Final = re.compile(r"^[\w.-]*?_(?=[^_]*$)")
_CARD_NAMES: Final = (
    re.compile(r"^model-index:\s*\n\s*-\s+name:\s*(\S+)", re.MULTILINE),
    re.compile(r"^base_model:\s*(?:\n\s*-\s+)?(\S+)", re.MULTILINE),
)
_LONGEST_CARD: Final = 1 << 20


def published_family(folder: Path, config: Mapping[str, Any], hub_id: str = "") -> Family | None:
    """The family of a model, None if it is of no known one."""
    model_type = config.get("model_type")
    for name in (str(config.get("_name_or_path") or ""), *_card_names(folder), hub_id):
        for family in FAMILIES:
            if model_type in family.types and family.names.fullmatch(_bare(name)):
                return family
    return None


def _bare(name: str) -> str:
    last = re.split(r"[/\\]", name.strip("'\"").rstrip("/\\"))[-1].lower()
    return _CONVERTED.sub("", _OWNER.sub("", last))


def _card_names(folder: Path) -> Iterator[str]:
    """The names that the head of the model card gives."""
    try:
        with (folder / "README.md").open(encoding="utf-8", errors="replace") as file:
            page = file.read(_LONGEST_CARD)
    except OSError:
        return
    head = page.split("\n---", 1)[0] if page.startswith("---") else ""
    for pattern in _CARD_NAMES:
        if found := pattern.search(head):
            yield found[1]
