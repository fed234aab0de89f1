"""Files as they stand on disk, and what the index knows of them: an unchanged one costs a stat."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from rag.errors import FileChanged
from rag.events import Comparing
from rag.ingest.discovery import Discovery
from rag.types import Document, Failure

_PIECE: Final = 2**20  # bytes read at once
_CHECK = "Check its permissions."
# What macOS says of Documents, Desktop, Downloads and network volumes to a program that was not
# allowed to read them: not EACCES, which is the file's own mode.
_FORBIDDEN = {
    errno.EPERM: "On a Mac: System Settings, Privacy & Security, Full Disk Access, for your "
    "terminal (or rag, where launchd starts it); then run it again."
}


@dataclass(frozen=True, slots=True)
class Source:
    """A file as it stands on disk."""

    path: Path
    sha256: str
    size: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Index:
    """What the plan needs to know of the index."""

    documents: Mapping[Path, Document]
    recipes: Mapping[Path, str]
    failures: Mapping[Path, Failure]


NOTHING: Final = Index({}, {}, {})


@dataclass(slots=True)
class Seen:
    """Files by what the index knows of them."""

    pending: list[Source] = field(default_factory=list)
    unchanged: list[Path] = field(default_factory=list)
    known_bad: list[Failure] = field(default_factory=list)
    unreadable: list[Failure] = field(default_factory=list)
    vanished: set[Path] = field(default_factory=set)  # while we looked
    there: set[Path] = field(default_factory=set)


def look(
    found: Discovery,
    index: Index,
    recipe: str,
    *,
    retry: bool,
    reread: bool,
    compared: Callable[[Comparing], None],
) -> Seen:
    """First every file's size and time, so that it is known how much is to be read; then those."""
    files, seen = found.files, Seen()
    seen.unreadable += [_unreadable(Path(error.filename), error) for error in found.denied]
    to_read: list[tuple[Path, os.stat_result]] = []
    for done, path in enumerate(files):
        compared(Comparing(done - len(to_read), len(files)))
        with _noting(path, seen):
            known = _stat(path)
            if not reread and _is_current(path, known, index, recipe):
                seen.unchanged.append(path)
            elif not (retry or reread) and _unchanged(index.failures.get(path), known):
                seen.known_bad.append(index.failures[path])
            else:
                to_read.append((path, known))
    settled, total = len(files) - len(to_read), sum(known.st_size for _, known in to_read)
    read = 0
    for done, (path, known) in enumerate(to_read, settled):
        with _noting(path, seen):
            digest = hashlib.sha256()
            for piece in _pieces(path):
                compared(Comparing(done, len(files), min(read, total), total))
                digest.update(piece)
                read += len(piece)
            source = Source(path, digest.hexdigest(), known.st_size, known.st_mtime_ns)
            seen.pending.append(source)
    seen.there = set(files) - seen.vanished
    return seen


def require_unchanged(source: Source) -> None:
    """Raises FileChanged if the file is no more the one that the plan saw."""
    try:
        found = source.path.stat()
    except OSError as error:
        raise FileChanged(f"{source.path.name}: went away while it was read") from error
    if (found.st_size, found.st_mtime_ns) != (source.size, source.mtime_ns):
        raise FileChanged(f"{source.path.name}: changed while it was read")


@contextmanager
def _noting(path: Path, seen: Seen) -> Iterator[None]:
    """What keeps a file from being read is noted; one that went since it was found is not there."""
    try:
        yield
    except FileNotFoundError as error:
        if path.is_symlink():
            seen.unreadable.append(_unreadable(path, error))
        else:
            seen.vanished.add(path)
    except OSError as error:
        seen.unreadable.append(_unreadable(path, error))


def _stat(path: Path) -> os.stat_result:
    """Raises OSError, also for what is no file: reading a pipe would never end."""
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "neither a file nor a folder")
    return found


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            yield piece


def _is_current(path: Path, found: os.stat_result, index: Index, recipe: str) -> bool:
    return _unchanged(index.documents.get(path), found) and index.recipes[path] == recipe


def _unchanged(known: Document | Failure | None, found: os.stat_result) -> bool:
    return known is not None and (known.size, known.mtime_ns) == (found.st_size, found.st_mtime_ns)


def _unreadable(path: Path, error: OSError) -> Failure:
    reason = error.strerror or str(error)
    return Failure(path, "unreadable", reason, _FORBIDDEN.get(error.errno or 0, _CHECK), 0, 0)
