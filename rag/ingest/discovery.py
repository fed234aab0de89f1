"""The files that an ingest is about, and the folders that it may not look into."""

from __future__ import annotations

import errno
import glob
import os
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

from rag.errors import PathNotFound
from rag.paths import located


def discover(
    arguments: Iterable[Path],
    suffixes: Collection[str],
    denied: Callable[[OSError], None] = lambda _: None,
) -> list[Path]:
    """Files named, files with a known suffix below folders, and matches of globs; absolute, sorted.

    Hidden files and folders are passed over, symbolic links to folders are not followed. `denied`
    is told of each folder that the system does not let us look into.
    Raises PathNotFound for an argument that names nothing.
    """
    found: set[Path] = set()
    for argument in arguments:
        path = located(argument)
        if is_missing(path):
            found.update(discover(map(Path, _matches(path, argument, denied)), suffixes, denied))
        elif os.path.isdir(path):  # noqa: PTH112 - Path.is_dir raises where we may not look
            found.update(_walk(path, suffixes, denied))
        else:
            found.add(path)
    return sorted(found)


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


def _walk(
    folder: Path, suffixes: Collection[str], denied: Callable[[OSError], None]
) -> Iterable[Path]:
    for directory, folders, names in os.walk(folder, onerror=denied):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            if not name.startswith(".") and os.path.splitext(name)[1].lower() in suffixes:  # noqa: PTH122
                yield Path(directory, name)
