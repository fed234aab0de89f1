"""The paths of documents."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path

from rag.encoding import name_key

Names = Callable[[Path], Sequence[str]]


def located(path: Path) -> Path:
    """Where a path leads, whatever folder it was typed in: one file has one path in the index.

    Symbolic links are kept as they are, so that what the user sees is what the user named. Where
    the file system takes several spellings for one name (macOS: "Ü" in one character or two, "A"
    and "a"), it is the one that stands on the disk.
    """
    return spelled(Path(os.path.normpath(path.expanduser().absolute())))


def spelled(
    path: Path,
    *,
    same: Callable[[Path, Path], bool] = os.path.samefile,
    names: Names = os.listdir,
) -> Path:
    """The path as its folders list it; as it is, as far as nothing is there or may be looked at."""
    found = Path(path.anchor)
    for part in path.relative_to(found).parts:
        found /= _listed(found, part, same, names)
    return found


def _spellings(part: str) -> list[str]:
    """Others of a name, of which a file system that takes several would take one."""
    forms = [part.swapcase(), *(unicodedata.normalize(form, part) for form in ("NFC", "NFD"))]
    return [form for form in dict.fromkeys(forms) if form != part]


def _listed(folder: Path, part: str, same: Callable[[Path, Path], bool], names: Names) -> str:
    try:
        # One look where names are what they are, which is nearly everywhere but on macOS.
        if not any(_is_same(folder / part, folder / other, same) for other in _spellings(part)):
            return part
        listed = names(folder)
    except (OSError, ValueError):
        return part
    if part in listed:
        return part
    return next((name for name in listed if name_key(name) == name_key(part)), part)


def _is_same(one: Path, other: Path, same: Callable[[Path, Path], bool]) -> bool:
    try:
        return same(one, other)
    except FileNotFoundError:
        return False
