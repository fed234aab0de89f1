"""Names of models to folders on this machine.

A name is a bundled model's, a folder's, or a hub id (`owner/name`). Bundled models come as Python
packages (starters.py), so a machine that reaches no model hub still works.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rag.compute import mlx_runtime
from rag.compute.machine import Machine
from rag.config import Settings
from rag.errors import ModelLoadFailed, ModelNotFound
from rag.models import defaults, gguf, hub, safety, starters
from rag.models.defaults import Default
from rag.models.description import Role
from rag.models.memory import gibibytes

State = Literal["bundled", "cached", "folder", "file", "missing"]
Notify = Callable[[str], None]

BUNDLED_EMBEDDING = "all-MiniLM-L6-v2"
BUNDLED_CHAT = "SmolLM2-135M-Instruct"
AUTO = "auto"
DEFAULT_CONTEXT = 8192  # of the tokens that a model offers, where context_tokens says nothing

_STARTERS = {BUNDLED_EMBEDDING: starters.MINILM, BUNDLED_CHAT: starters.SMOLLM2}
_HINTS: Mapping[Role, str] = {
    "embedding": f"The bundled model needs no download: embedding_model = {BUNDLED_EMBEDDING!r}.",
    "chat": f"The bundled model needs no download: --model {BUNDLED_CHAT} (chat_model).",
    "reranker": "Set reranker to a cross-encoder's hub id or folder, or leave it out.",
    "verifier": "Set verifier to auto, lexical, or a classifier's hub id or folder.",
}
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)
_IMPORT_VERSION = 2  # of what gguf.py writes: raise it, and models are imported anew


@dataclass(frozen=True, slots=True)
class Model:
    """A model that can be loaded. `revision` changes whenever its content does."""

    name: str
    folder: Path
    revision: str


def silent(_: str) -> None:
    """Tell nobody."""


def embedding_model(settings: Settings, notify: Notify = silent) -> Model:
    """The configured embedding model. May download; raises ModelNotFound, ModelLoadFailed."""
    return _resolve(settings.embedding_model, "embedding", settings, notify)


def embedding_folder(settings: Settings, notify: Notify = silent) -> Path:
    """Where the configured embedding model lies: config, weights, tokenizer.json."""
    return embedding_model(settings, notify).folder


def chat_model(settings: Settings, notify: Notify = silent) -> Model:
    """The configured chat model. May download one that is named, never a default; may import the
    bundled one with MLX (3 s, once): so call it on the MLX thread. Raises ModelNotFound,
    ModelLoadFailed.
    """
    missing = missing_default(settings)
    if missing is not None:
        notify(
            f"The bundled {BUNDLED_CHAT} answers, which is good for simple look-ups. "
            f"{missing.name} ({missing.size / 1e9:.1f} GB) suits this machine: "
            f"rag models get {missing.name}"
        )
    return _resolve(chat_choice(settings)[0], "chat", settings, notify)


def reranker_model(settings: Settings, notify: Notify = silent) -> Model:
    """The configured cross-encoder. May download; raises ModelNotFound, ModelLoadFailed."""
    if settings.reranker is None:
        raise ModelNotFound("no reranker is configured", hint=_HINTS["reranker"])
    return _resolve(settings.reranker, "reranker", settings, notify)


def verifier_model(settings: Settings) -> Model:
    """The configured classifier. May download; raises ModelNotFound, ModelLoadFailed."""
    return _resolve(settings.verifier, "verifier", settings, silent)


def chat_choice(settings: Settings, machine: Machine | None = None) -> tuple[str, str]:
    """The chat model's name, and why it is that one."""
    if settings.chat_model != AUTO:
        return settings.chat_model, "configured"
    machine = machine or Machine.here()
    best = defaults.suited(machine)
    if best is None:
        return BUNDLED_CHAT, "default on a machine without Metal or CUDA"
    here = f"{'Metal' if machine.device == 'metal' else 'CUDA'} and {gibibytes(machine.memory)}"
    for default in defaults.fitting(machine):
        if hub.cached(default.name) is not None:
            return default.name, f"default with {here}"
    return BUNDLED_CHAT, f"bundled; the default with {here}, {best.name}, is not on this machine"


def missing_default(settings: Settings, machine: Machine | None = None) -> Default | None:
    """The default chat model of this machine, where none of its defaults is here."""
    if settings.chat_model != AUTO or settings.engine_url is not None:
        return None
    machine = machine or Machine.here()
    here = any(hub.cached(default.name) is not None for default in defaults.fitting(machine))
    return None if here else defaults.suited(machine)


def place(name: str, settings: Settings) -> tuple[Path | None, State]:
    """Where a model is on this machine, and as what. Downloads nothing."""
    if name in _STARTERS:
        file = starters.find(_STARTERS[name], settings.cache)
        return (None, "missing") if file is None else (_model_path(file), "bundled")
    folder = _folder(name)
    if folder is not None:
        return folder, "folder"
    if (file := _gguf_file(name)) is not None:
        return file, "file"
    cached = hub.cached(name)
    return cached, "missing" if cached is None else "cached"


def fetch(name: str, notify: Notify) -> Path:
    """A hub model's folder, downloaded as far as it is not here. Raises ModelNotFound,
    ModelLoadFailed."""
    settings = Settings()
    if name in _STARTERS:
        return _model_path(starters.get(_STARTERS[name], settings.cache, notify))
    return _resolve(name, "chat", settings, notify).folder


# ── one name ──────────────────────────────────────────────────────────────────────────────────


def _resolve(name: str, role: Role, settings: Settings, notify: Notify) -> Model:
    if name in _STARTERS:
        return _bundled(name, role, settings, notify)
    if (file := _gguf_file(name)) is not None:
        return import_file(file, settings, notify)
    folder = _folder(name)
    if folder is not None:
        if (folder / "config.json").is_file():
            safety.check(folder, name)
        if not hub.is_complete(folder):
            raise ModelLoadFailed(
                f"{folder} holds no config.json with its *.safetensors",
                hint="Name a folder in Hugging Face layout, as mlx_lm.convert writes it.",
            )
        return Model(name, folder, _fingerprint(folder))
    if not _HUB_ID.fullmatch(name):
        raise ModelNotFound(
            f"no model {name!r}: no such folder or bundled model", hint=_HINTS[role]
        )
    cached = hub.cached(name) or hub.download(name, notify)
    if cached is None:
        raise ModelNotFound(
            f"the model {name} is not on this machine, and no model hub could be reached",
            hint=_HINTS[role],
        )
    safety.check(cached, name)
    return Model(name, cached, cached.name)  # a hub snapshot's folder is named by its commit


def _bundled(name: str, role: Role, settings: Settings, notify: Notify) -> Model:
    bundled_for: Role = "chat" if name == BUNDLED_CHAT else "embedding"
    if role != bundled_for:
        raise ModelNotFound(f"{name} is no {role} model", hint=_HINTS[role])
    starter = _STARTERS[name]
    path = _model_path(starters.get(starter, settings.cache, notify))
    folder = _imported(path, settings, notify) if role == "chat" else path
    return Model(name, folder, starter.version)


def _model_path(file: Path) -> Path:
    """Of a starter's file: a GGUF file is the model, a config.json stands in the model's folder."""
    return file.parent if file.name == "config.json" else file


def _imported(file: Path, settings: Settings, notify: Notify) -> Path:
    """The bundled chat model as an MLX folder in the cache, made at the first call."""
    form, folder = _bundled_import(settings)
    if not folder.is_dir():
        notify(f"Importing the bundled {BUNDLED_CHAT} (once, a few seconds)")
        gguf.import_gguf(file, folder, form=form)
    return folder


def import_file(file: Path, settings: Settings, notify: Notify = silent) -> Model:
    """A GGUF file as an MLX folder in the cache, made at the first call; a file that changes is
    imported anew. Call it on the MLX thread. Raises ModelLoadFailed."""
    form, revision, folder = _file_import(file, settings)
    if not folder.is_dir():
        size = 2 * file.stat().st_size / 1e9
        notify(f"Importing {file.name} (once; it takes {size:.1f} GB or more)")
        gguf.import_gguf(file, folder, form=form, notify=notify)
    return Model(str(file), folder, revision)


def imported(file: Path, settings: Settings) -> Path | None:
    """The folder that was made of a GGUF file, the bundled model's or another; None before that."""
    bundled = starters.find(_STARTERS[BUNDLED_CHAT], settings.cache)
    folder = _bundled_import(settings)[1] if file == bundled else _file_import(file, settings)[2]
    return folder if folder.is_dir() else None


def imported_files(settings: Settings) -> list[Path]:
    """The folders that were made of users' GGUF files (`rag models add`)."""
    own = (f"{BUNDLED_CHAT}-", *(f"{starter.package}-" for starter in _STARTERS.values()))
    folders = sorted((settings.cache / "models").glob("*/config.json"))
    made = [config.parent for config in folders if not config.parent.name.startswith(own)]
    return [folder for folder in made if hub.is_complete(folder)]


def _bundled_import(settings: Settings) -> tuple[gguf.Form, Path]:
    # On a CPU, MLX multiplies anything but float32 ten to a hundred times more slowly.
    form: gguf.Form = "float32" if mlx_runtime.device() == "cpu" else "float16"
    return form, settings.cache / "models" / f"{BUNDLED_CHAT}-{form}-v{_IMPORT_VERSION}"


def _file_import(file: Path, settings: Settings) -> tuple[gguf.Form, str, Path]:
    form: gguf.Form = "float16" if mlx_runtime.device() == "cpu" else "8bit"
    status = file.stat()
    seen = f"{file.resolve()} {status.st_size} {status.st_mtime_ns} {form} {_IMPORT_VERSION}"
    revision = hashlib.sha256(seen.encode("utf-8", "surrogateescape")).hexdigest()[:12]
    return form, revision, settings.cache / "models" / f"{file.stem}-{revision}"


def _gguf_file(name: str) -> Path | None:
    file = Path(name).expanduser()
    return file.absolute() if file.suffix.lower() == ".gguf" and file.is_file() else None


def _folder(name: str) -> Path | None:
    path = Path(name).expanduser()
    return path.absolute() if path.is_dir() else None


def _fingerprint(folder: Path) -> str:
    """Follows from the config and from the weights' names, sizes and times: cheap, not perfect."""
    seen = hashlib.sha256((folder / "config.json").read_bytes())
    for file in sorted(folder.glob("*.safetensors")):
        status = file.stat()
        seen.update(f"{file.name} {status.st_size} {status.st_mtime_ns}".encode())
    return seen.hexdigest()[:12]
