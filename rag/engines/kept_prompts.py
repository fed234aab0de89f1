"""The prefix cache on disk: a follow-up after a restart need not read its conversation anew.

vllm-mlx's own tier (0.6.0, `ssd_cache_dir`) writes only what it evicts, brings the window of a
RotatingKVCache back as a KVCache, checks no bytes, and knows no model: so it is not used.

A conversation is two files in a folder of its model: the cache's arrays, as mlx-lm writes them,
and a head, which has the ids of the tokens and the digest of the arrays, and is named by its own.
"""

from __future__ import annotations

import array
import hashlib
import importlib.metadata
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from rag.disk import make_private
from rag.engines import kept_files

Ids = tuple[int, ...]
Said = Mapping[bytes, Ids]  # `PromptIds.remembered`

_FORMAT: Final = 1
_LIBRARIES: Final = ("mlx", "mlx-lm", "vllm-mlx")
_SPOTS, _SPOT = (
    64,
    4096,
)  # of a file of weights, in bytes: reading all would take longer than loading
_MOST_S: Final = 5.0  # of writing at the end; the newest conversations come first


def identity(folder: Path, *facts: object) -> str:
    """Of a model's content and of what else decides about its numbers: hexadecimal, 32 digits."""
    seen = hashlib.sha256(repr((_FORMAT, *facts, *map(_version, _LIBRARIES))).encode())
    for file in sorted(folder.glob("*.json")) + sorted(folder.glob("*.jinja")):
        seen.update(file.name.encode() + file.read_bytes())
    for file in sorted(folder.glob("*.safetensors")):
        status = file.stat()
        seen.update(f"{file.name} {status.st_size} {status.st_mtime_ns}".encode())
        with file.open("rb") as weights:
            for spot in range(_SPOTS):
                weights.seek(status.st_size * spot // _SPOTS)
                seen.update(weights.read(_SPOT))
    return seen.hexdigest()[:32]


def _version(package: str) -> str:
    return importlib.metadata.version(package)


@dataclass(frozen=True, slots=True)
class _Head:
    """`said`: by the key of what was said, how many of the ids that is, and those that follow."""

    name: str
    ids: Ids
    said: Mapping[str, tuple[int, str]]
    digest: str


class KeptPrompts:
    """What one model read and wrote, on disk. Its methods run on the MLX thread.

    A file that is broken, gone or unreadable costs its conversation a reading, nothing else. What
    cannot be written is not kept.
    """

    def __init__(self, root: Path, model: str, *, limit: int, rewinds: bool) -> None:
        """`root`: as of `kept_files.root`. `model`: its `identity`. `limit`: bytes of all models'
        files. `rewinds`: as of `PromptIds`. Raises OSError."""
        self._root, self._folder = root, make_private(root / model)
        self._limit, self._rewinds = limit, rewinds
        self._heads = {head.ids: head for head in self._read()}
        self._waiting = dict(self._heads)  # those that are not in memory
        self._since = time.time_ns()

    def said(self) -> Iterator[tuple[bytes, Ids]]:
        """For `PromptIds.restore`."""
        for head in self._heads.values():
            for key, (size, more) in head.said.items():
                yield bytes.fromhex(key), head.ids[:size] + _ids(more)

    def bring(self, prompt: Iterable[int], store: Callable[[Ids, list[Any]], object]) -> None:
        """Give `store` the conversation that the prompt goes on with, if there is one."""
        wanted = np.fromiter(prompt, np.int64)
        best = max(self._waiting.values(), key=lambda head: self._worth(head, wanted), default=None)
        if best is None or not self._worth(best, wanted):
            return
        del self._waiting[best.ids]
        cache = self._load(best)
        if cache is None:
            self._remove(best.name)
            del self._heads[best.ids]
        else:
            store(best.ids, cache)

    def _worth(self, head: _Head, wanted: np.ndarray[Any, Any]) -> int:
        """Tokens that need not be read. None where most of the conversation would be for nothing,
        as where only the instructions are the same, nor for the very same prompt, of which vllm-mlx
        takes nothing from its cache."""
        size = min(len(head.ids), len(wanted))
        differ = np.flatnonzero(wanted[:size] != np.array(head.ids[:size]))
        shared = int(differ[0]) if differ.size else size
        least = len(head.ids) // 2 if self._rewinds else len(head.ids)
        return shared if least <= shared < len(wanted) else 0

    # ── files ─────────────────────────────────────────────────────────────────────────────────

    def _read(self) -> Iterator[_Head]:
        for file in self._folder.glob("*.head"):
            try:
                text = file.read_bytes()
                if _name(text) == file.stem:
                    found = json.loads(text)
                    yield _Head(file.stem, _ids(found["ids"]), found["said"], found["digest"])
                    continue
            except (OSError, ValueError, KeyError, TypeError):
                pass
            self._remove(file.stem)

    def _load(self, head: _Head) -> list[Any] | None:
        from mlx_lm.models.cache import load_prompt_cache

        path = self._path(head.name, ".safetensors")
        try:
            if _digest(path) != head.digest:
                return None
            cache: list[Any] = load_prompt_cache(str(path))
            self._use(head)
        except (OSError, RuntimeError, ValueError, KeyError, TypeError, AttributeError):
            return None
        return cache

    def save(self, entries: Iterable[tuple[Ids, list[Any]]], said: Said) -> None:
        """Write conversations, the newest first, and make room for them."""
        if kept_files.forgotten_since(self._root, self._since):
            return
        done: list[Ids] = []
        until = time.monotonic() + _MOST_S
        for ids, cache in entries:
            if time.monotonic() > until:
                break
            if any(longer[: len(ids)] == ids for longer in done):
                continue  # an earlier turn of the same conversation
            if not self._keep(ids, cache, _held(ids, said)):
                break
            done.append(ids)
        for ids, head in self._heads.items():
            if any(len(longer) > len(ids) and longer[: len(ids)] == ids for longer in done):
                self._remove(head.name)
        kept_files.prune(self._root, self._limit)

    def _keep(self, ids: Ids, cache: list[Any], held: Mapping[str, tuple[int, str]]) -> bool:
        """Whether it could be written. Arrays that are there need not be; vllm-mlx goes on with a
        conversation's first ones for a while, so more may have been said."""
        old = self._heads.get(ids)
        new = self._folder / f"new-{os.getpid()}.safetensors"
        try:
            if old is not None and held.keys() <= old.said.keys():
                self._use(old)
            elif old is not None:
                self._write(self._path(old.name, ".safetensors"), _Head("", ids, held, old.digest))
                self._remove(old.name)
            else:
                make_private(self._folder)
                _save(new, cache)
                self._write(new, _Head("", ids, held, _digest(new)))
        except (OSError, RuntimeError, ValueError):  # full, no longer ours, or not to be written
            with suppress(OSError):
                new.unlink(missing_ok=True)
            return False
        return True

    def _write(self, arrays: Path, head: _Head) -> None:
        found = {"ids": _hex(head.ids), "said": head.said, "digest": head.digest}
        text = json.dumps(found).encode()
        arrays.replace(self._path(_name(text), ".safetensors"))
        begun = self._path(_name(text), f".{os.getpid()}")
        begun.touch(mode=0o600)
        begun.write_bytes(text)
        begun.replace(self._path(_name(text), ".head"))

    def _path(self, name: str, suffix: str) -> Path:
        return self._folder / f"{name}{suffix}"

    def _use(self, head: _Head) -> None:
        """The one used last is pruned last."""
        with suppress(OSError):
            os.utime(self._path(head.name, ".head"))

    def _remove(self, name: str) -> None:
        with suppress(OSError):
            for suffix in (".head", ".safetensors"):
                self._path(name, suffix).unlink(missing_ok=True)


def _save(file: Path, cache: list[Any]) -> None:
    from mlx_lm.models.cache import save_prompt_cache
    from vllm_mlx.memory_cache import _dequantize_cache

    file.touch(mode=0o600)  # before anything stands in it
    quantised = any(hasattr(layer, "orig_type") for layer in cache)
    save_prompt_cache(str(file), _dequantize_cache(cache) if quantised else cache)


def _held(ids: Ids, said: Said) -> dict[str, tuple[int, str]]:
    """What was said in a conversation of these ids, or goes on from them."""
    return {
        key.hex(): (min(len(ids), len(part)), _hex(part[len(ids) :]))
        for key, part in said.items()
        if ids[: len(part)] == part[: len(ids)]
    }


def _hex(ids: Ids) -> str:
    return array.array("i", ids).tobytes().hex()


def _ids(text: str) -> Ids:
    return tuple(array.array("i", bytes.fromhex(text)))


def _name(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()[:32]


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
