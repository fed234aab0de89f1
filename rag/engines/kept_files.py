"""The files of the prefix cache on disk: how much they take, and forgetting them."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from rag.disk import cannot_write

_CLEARED: Final = "cleared"
_OLD_S: Final = 3600.0  # after which a file without its head is no longer being written


def root(cache: Path) -> Path:
    """Where they are, for all models."""
    return cache / "prompts"


def forget(cache: Path) -> None:
    """Delete what was asked and read, because something in it is to be forgotten. A model that runs
    will not write what it has in memory. Raises StoreError."""
    folder = root(cache)
    if not folder.is_dir():
        return
    stamp = folder / _CLEARED
    try:
        stamp.touch(mode=0o600)
        os.utime(stamp, ns=(time.time_ns(), time.time_ns()))
        for model in folder.iterdir():
            if model.is_dir():
                shutil.rmtree(model)
    except FileNotFoundError:  # another process deletes it, too
        pass
    except OSError as error:
        raise cannot_write(folder, error) from error


def forgotten_since(folder: Path, moment_ns: int) -> bool:
    """Whether `forget` was called after that. `folder`: as of `root`."""
    try:
        return (folder / _CLEARED).stat().st_mtime_ns >= moment_ns
    except OSError:
        return False


def prune(folder: Path, limit: int) -> None:
    """Delete the longest unused conversations beyond `limit` bytes, and what no head names."""
    left = limit
    for head in sorted(folder.glob("*/*.head"), key=_used, reverse=True):
        arrays = head.with_suffix(".safetensors")
        left -= _size(head) + _size(arrays)
        if left < 0:
            head.unlink(missing_ok=True)
            arrays.unlink(missing_ok=True)
    for file in _leftovers(folder):
        if time.time() - _used(file) > _OLD_S:
            file.unlink(missing_ok=True)


def _leftovers(folder: Path) -> Iterator[Path]:
    for file in folder.glob("*/*"):
        if file.suffix != ".head" and not file.with_suffix(".head").exists():
            yield file


def _used(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except OSError:  # another process took it away
        return 0.0


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0
