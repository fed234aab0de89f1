"""The models of this machine, a line each: what `rag models` shows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from rag.compute.machine import Machine
from rag.config import Settings
from rag.models import defaults, gguf, hub
from rag.models.description import TRIED, Role, describe
from rag.models.embedding_use import EmbeddingUse, use_or_obstacle
from rag.models.gguf_header import facts
from rag.models.memory import Footprint
from rag.models.registry import (
    BUNDLED_CHAT,
    BUNDLED_EMBEDDING,
    DEFAULT_CONTEXT,
    State,
    chat_choice,
    imported,
    imported_files,
    place,
)

_LM_STUDIO = ("~/.lmstudio/models", "~/.cache/lm-studio/models")


@dataclass(frozen=True, slots=True)
class ModelRow:
    """A line of `rag models`. `size` is in bytes; `needs` is what one answer takes of memory, and
    `fits` whether this machine has that; `why` says why a model is the one in use. `embedding` is
    how an embedding model is used, by its own files, and `unusable` why it cannot be."""

    name: str
    role: Role
    state: State
    path: Path | None
    size: int | None
    used: bool
    why: str
    family: str = ""
    thinks: bool = False
    licence: str = ""
    tried: bool = False
    needs: int | None = None
    fits: bool = True
    embedding: EmbeddingUse | None = None
    unusable: str = ""


def list_models(settings: Settings) -> list[ModelRow]:
    """What is here, what is in use and why. Looks only at this machine."""
    chat, why_chat = chat_choice(settings)
    embedding = settings.embedding_model
    why_embedding = "default everywhere" if embedding == BUNDLED_EMBEDDING else "configured"
    used: dict[tuple[str, Role], str] = {(embedding, "embedding"): why_embedding}
    used[chat, "chat"] = why_chat
    if settings.reranker is not None:
        used[settings.reranker, "reranker"] = "configured"
    if settings.verifier not in ("auto", "lexical"):
        used[settings.verifier, "verifier"] = "configured"
    others: list[tuple[str, Role]] = [(BUNDLED_EMBEDDING, "embedding"), (BUNDLED_CHAT, "chat")]
    machine = Machine.here()
    best = defaults.suited(machine)
    others += [(best.name, "chat")] if best is not None else []
    others += _found_models()
    keys = dict.fromkeys([*used, *others, *_added(settings, [*used, *others])])
    return [_row(name, role, used.get((name, role)), settings, machine) for name, role in keys]


def _row(name: str, role: Role, why: str | None, settings: Settings, machine: Machine) -> ModelRow:
    path, state = place(name, settings)
    size = None if path is None else _size(path)
    row = ModelRow(name, role, state, path, size, why is not None, why or "")
    if path is None:
        return row
    if not path.is_dir():
        return _file_row(row, path, settings, machine)
    t = describe(path)
    row = replace(row, family=t.family, thinks=t.thinks, licence=t.licence, tried=t.tried)
    if role == "embedding":
        use, obstacle = use_or_obstacle(path, "" if state == "folder" else name)
        return replace(row, embedding=use, unusable=obstacle)
    return _with_needs(row, path, machine) if role == "chat" else row


def _file_row(row: ModelRow, file: Path, settings: Settings, machine: Machine) -> ModelRow:
    """Of a GGUF file. Whether it thinks and what it needs is known once it is imported."""
    found = facts(file)
    family = str(found.get("general.architecture", ""))
    licence = str(found.get("general.license", ""))
    known = family in gguf.FAMILIES
    unusable = "" if known else f"its architecture is {family or 'not to be read'}"
    row = replace(row, family=family, licence=licence, tried=family in TRIED, unusable=unusable)
    folder = imported(file, settings)
    if folder is None:
        return row
    return _with_needs(replace(row, thinks=describe(folder).thinks), folder, machine)


def _with_needs(row: ModelRow, folder: Path, machine: Machine) -> ModelRow:
    needs = Footprint.of(folder, device=machine.device).needs(DEFAULT_CONTEXT)
    return replace(row, needs=needs, fits=needs <= machine.usable)


def _size(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def _added(settings: Settings, listed: list[tuple[str, Role]]) -> Iterator[tuple[str, Role]]:
    """What `rag models add` made of files that are not listed themselves: by its folder."""
    files = [Path(name) for name, _ in listed if name.endswith(".gguf") and Path(name).is_file()]
    known = {imported(file, settings) for file in files}
    for folder in imported_files(settings):
        if folder not in known:
            yield str(folder), "chat"


def _found_models() -> Iterator[tuple[str, Role]]:
    """Of the hub's cache, and of LM Studio's folders."""
    for name in hub.cached_names():
        folder = hub.cached(name)
        if folder is not None:
            yield name, describe(folder).role
    for home in _LM_STUDIO:
        for config in sorted(Path(home).expanduser().glob("*/*/config.json")):
            if hub.is_complete(config.parent):
                yield str(config.parent), describe(config.parent).role
        for file in sorted(Path(home).expanduser().glob("*/*/*.gguf")):
            if facts(file).get("general.type", "model") == "model" and "mmproj" not in file.name:
                yield str(file), "chat"
