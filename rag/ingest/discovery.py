"""Which files an ingest looks at, and which it passes over."""

from __future__ import annotations

import errno
import glob
import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from rag.errors import PathNotFound
from rag.paths import located

NO_SUFFIX: Final = "no suffix"
LINKED_FOLDER: Final = "linked folder"


@dataclass(frozen=True, slots=True)
class Discovery:
    """What the arguments of an ingest name; all paths absolute and sorted.

    `passed_over` are files of formats that are not read, by suffix, and links to folders.
    `denied` are the folders that the system does not let us look into.
    """

    files: tuple[Path, ...]
    passed_over: Mapping[str, tuple[Path, ...]] = field(default_factory=dict)
    denied: tuple[OSError, ...] = ()


def discover(
    arguments: Iterable[Path],
    suffixes: Collection[str],
    found: Callable[[int], None] = lambda _: None,
    *,
    own: Path | None = None,
) -> Discovery:
    """Files named, files with a known suffix below folders, and matches of globs.

    Hidden files and folders are passed over in silence, symbolic links to folders are not followed.
    So is the folder `own`, where indexes are kept. `found` is told the files found so far, at each
    folder. Raises PathNotFound for an argument that
    names nothing.
    """
    search = _Search(suffixes, found, own)
    for argument in arguments:
        search.add(argument)
    files = search.files
    passed_over: dict[str, list[Path]] = {}
    for path, why in sorted(search.passed_over.items()):
        if path not in files:
            passed_over.setdefault(why, []).append(path)
    return Discovery(
        tuple(sorted(files)),
        {why: tuple(paths) for why, paths in passed_over.items()},
        tuple(search.denied[folder] for folder in sorted(search.denied)),
    )


class _Search:
    """One path may be named twice, and be seen once."""

    def __init__(
        self, suffixes: Collection[str], found: Callable[[int], None], own: Path | None
    ) -> None:
        self.files: set[Path] = set()
        self.passed_over: dict[Path, str] = {}
        self.denied: dict[Path, OSError] = {}
        self._suffixes = suffixes
        self._found = found
        self._own = own

    def add(self, argument: Path) -> None:
        path = located(argument)
        if is_missing(path):
            for match in _matches(path, argument, self._deny):
                self.add(Path(match))
        elif os.path.isdir(path):  # noqa: PTH112 - Path.is_dir raises where we may not look
            self._walk(path)
        else:
            self.files.add(path)

    def _walk(self, folder: Path) -> None:
        for directory, folders, names in os.walk(folder, onerror=self._deny):
            folders[:] = [
                name
                for name in folders
                if not name.startswith(".") and Path(directory, name) != self._own
            ]
            for name in folders:
                path = Path(directory, name)
                if path.is_symlink():
                    self.passed_over[path] = LINKED_FOLDER
            self._take(directory, names)
            self._found(len(self.files))

    def _take(self, directory: str, names: Sequence[str]) -> None:
        for name in names:
            if name.startswith("."):
                continue
            suffix = os.path.splitext(name)[1].lower()  # noqa: PTH122
            if suffix in self._suffixes:
                self.files.add(Path(directory, name))
            else:
                self.passed_over[Path(directory, name)] = suffix or NO_SUFFIX

    def _deny(self, error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):  # it went while the others were searched
            self.denied[Path(error.filename)] = error


def _matches(pattern: Path, argument: Path, denied: Callable[[OSError], None]) -> list[str]:
    """Of a glob, which passes over what it may not look into, as if it were empty."""
    if found := glob.glob(str(pattern), recursive=True):  # noqa: PTH207
        return found
    fixed = next(parent for parent in pattern.parents if not glob.has_magic(str(parent)))
    try:
        os.listdir(fixed)  # noqa: PTH208
    except PermissionError as error:
        denied(error)
        return []
    except OSError:
        pass
    raise PathNotFound(f"{argument}: no such file or folder")


def is_missing(path: Path) -> bool:
    """Whether nothing is there, for sure: what we may not look at is not missing."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError as error:
        return error.errno in (errno.ELOOP, errno.ENAMETOOLONG)
    except ValueError:  # a name with a null character
        return True
    return False
