"""What an ingest has to do: compares files with the index. An unchanged file costs one stat."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from rag.errors import FileChanged
from rag.events import Planned
from rag.ingest.discovery import is_missing
from rag.types import Document, Failure

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
class Job:
    """A content to extract and embed once, and every file that holds it."""

    document_id: str
    sources: tuple[Source, ...]
    replaces: tuple[str, ...]  # ids of what stood under these paths: their vectors may be reused


@dataclass(frozen=True, slots=True)
class IngestPlan:
    """`known` files need only their row written: moved, copied or touched, content in the index.

    `recovered` are files that failed before and are now gone, or again as they are in the index.
    """

    jobs: tuple[Job, ...]
    new: int
    changed: int
    known: tuple[Document, ...]
    moved: Mapping[Path, Path]  # old → new
    unchanged: int
    known_bad: tuple[Failure, ...]
    unreadable: tuple[Failure, ...]
    gone: tuple[Path, ...]
    recovered: tuple[Path, ...] = ()

    def counts(self) -> Planned:
        return Planned(
            new=self.new,
            changed=self.changed,
            moved=len(self.moved),
            unchanged=self.unchanged,
            gone=len(self.gone),
            known_bad=len(self.known_bad),
        )


@dataclass(frozen=True, slots=True)
class Index:
    """What the plan needs to know of the index."""

    documents: Mapping[Path, Document]
    recipes: Mapping[Path, str]
    failures: Mapping[Path, Failure]


NOTHING: Final = Index({}, {}, {})


@dataclass(frozen=True, slots=True)
class _Compared:
    """Files held against the index, one by one."""

    pending: list[Source]  # new or changed, or to be read anew
    unchanged: list[Path]
    known_bad: list[Failure]
    unreadable: list[Failure]


def make_plan(
    files: Sequence[Path],
    roots: Sequence[Path],
    index: Index,
    recipe: str,
    *,
    retry: bool = False,
    reread: bool = False,
    denied: Sequence[OSError] = (),
    compared: Callable[[int], None] = lambda _: None,
) -> IngestPlan:
    """Hold files against the index.

    What is in the index below one of `roots` and not there is gone. `retry` reads again what failed
    before, `reread` every file; otherwise only those whose size or time differ. We may not look
    into the folders `denied`. `compared` hears how many files are done, before each.
    """
    found = _Compared([], [], [], [_unreadable(Path(error.filename), error) for error in denied])
    for done, path in enumerate(files):
        compared(done)
        _compare(path, index, recipe, found, retry=retry or reread, reread=reread)
    gone = [path for path in index.documents.keys() - set(files) if _is_gone(path, roots)]
    stored = {} if reread else _by_content(index, recipe)
    jobs, copies, moved = _settle(found.pending, stored, index, recipe, sorted(gone))
    touched = sum(_holds(index, d.path, d.sha256, recipe) for d in copies)
    changed = sum(source.path in index.documents for source in found.pending) - touched
    sound = {*found.unchanged, *(d.path for d in copies), *_opened(index, roots, found.unreadable)}
    recovered = [p for p in index.failures if p in sound or _is_gone(p, roots)]
    return IngestPlan(
        jobs=jobs,
        new=len(found.pending) - touched - changed - len(moved),
        changed=changed,
        known=tuple(copies),
        moved=moved,
        unchanged=len(found.unchanged) + touched,
        known_bad=tuple(found.known_bad),
        unreadable=tuple(found.unreadable),
        gone=tuple(path for path in sorted(gone) if path not in moved),
        recovered=tuple(recovered),
    )


def _compare(
    path: Path, index: Index, recipe: str, found: _Compared, *, retry: bool, reread: bool
) -> None:
    try:
        stat = path.stat()
        if not reread and _is_current(path, stat, index, recipe):
            found.unchanged.append(path)
        elif not retry and _unchanged(index.failures.get(path), stat):
            found.known_bad.append(index.failures[path])
        else:
            found.pending.append(Source(path, _sha256(path), stat.st_size, stat.st_mtime_ns))
    except OSError as error:
        found.unreadable.append(_unreadable(path, error))


def _is_current(path: Path, stat: os.stat_result, index: Index, recipe: str) -> bool:
    return _unchanged(index.documents.get(path), stat) and index.recipes[path] == recipe


def _holds(index: Index, path: Path, sha256: str, recipe: str) -> bool:
    """Whether the document under `path` has this content, cut by the present rules."""
    known = index.documents.get(path)
    return known is not None and known.sha256 == sha256 and index.recipes[path] == recipe


def _is_gone(path: Path, roots: Iterable[Path]) -> bool:
    return _below(path, roots) and is_missing(path)


def _opened(index: Index, roots: Sequence[Path], shut: Sequence[Failure]) -> set[Path]:
    """Folders that we may look into now, and might not before."""
    still = {failure.path for failure in shut}
    folders = (p for p in index.failures if p not in still and _below(p, roots))
    return {p for p in folders if os.path.isdir(p)}  # noqa: PTH112 - Path.is_dir may raise


def require_unchanged(source: Source) -> None:
    """Raises FileChanged if the file is no more the one that the plan saw."""
    try:
        stat = source.path.stat()
    except OSError as error:
        raise FileChanged(f"{source.path.name}: went away while it was read") from error
    if (stat.st_size, stat.st_mtime_ns) != (source.size, source.mtime_ns):
        raise FileChanged(f"{source.path.name}: changed while it was read")


def _by_content(index: Index, recipe: str) -> dict[str, Document]:
    """Documents that are cut by the present rules, by the hash of their file."""
    documents = index.documents.items()
    return {d.sha256: d for path, d in documents if index.recipes[path] == recipe}


def _settle(
    pending: Sequence[Source],
    stored: Mapping[str, Document],
    index: Index,
    recipe: str,
    gone: Sequence[Path],
) -> tuple[tuple[Job, ...], list[Document], dict[Path, Path]]:
    """Sort new and changed files into work to do, rows to write, and moves."""
    left = {index.documents[path].sha256: path for path in gone}
    work: dict[str, list[Source]] = {}
    copies: list[Document] = []
    moved: dict[Path, Path] = {}
    for source in pending:
        if source.sha256 not in stored:
            work.setdefault(source.sha256, []).append(source)
            continue
        copies.append(_at(stored[source.sha256], source))
        if source.sha256 in left and source.path not in index.documents:
            moved[left.pop(source.sha256)] = source.path
    taken = {document.id for document in index.documents.values()}
    jobs = tuple(
        Job(_free_id(sha256, recipe, taken), tuple(sources), _replaced(sources, index))
        for sha256, sources in work.items()
    )
    return jobs, copies, moved


def _free_id(sha256: str, recipe: str, taken: Collection[str]) -> str:
    """The content's id; another where a document that is to be read again still stands under it,
    so that the old one answers until the new one is stored."""
    id_ = document_id(sha256, recipe)
    while id_ in taken:
        id_ = document_id(id_, recipe)
    return id_


def _replaced(sources: Iterable[Source], index: Index) -> tuple[str, ...]:
    """Ids whose vectors may serve again: the same path before, the same content otherwise cut."""
    contents = {source.sha256 for source in sources}
    paths = {source.path for source in sources}
    return tuple(
        {d.id for d in index.documents.values() if d.path in paths or d.sha256 in contents}
    )


def document_id(sha256: str, recipe: str) -> str:
    """Follows from the content and from the rules it is cut by: another cut is another document."""
    return hashlib.sha256(f"{sha256}\n{recipe}".encode()).hexdigest()[:16]


def _unchanged(known: Document | Failure | None, stat: os.stat_result) -> bool:
    return known is not None and (known.size, known.mtime_ns) == (stat.st_size, stat.st_mtime_ns)


def _unreadable(path: Path, error: OSError) -> Failure:
    reason = error.strerror or str(error)
    return Failure(path, "unreadable", reason, _FORBIDDEN.get(error.errno or 0, _CHECK), 0, 0)


def _at(document: Document, source: Source) -> Document:
    return replace(document, path=source.path, size=source.size, mtime_ns=source.mtime_ns)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _below(path: Path, roots: Iterable[Path]) -> bool:
    return any(path.is_relative_to(root) for root in roots)
