"""What an ingest has to do: compares files with the index."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from rag.events import Comparing, Planned
from rag.ingest.discovery import Discovery, is_missing
from rag.ingest.sources import Index, Source, look
from rag.types import Document, Failure


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
    `passed_over` are files of formats that are not read, by suffix (see Discovery).
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
    passed_over: Mapping[str, tuple[Path, ...]] = field(default_factory=dict)

    def counts(self) -> Planned:
        return Planned(
            new=self.new,
            changed=self.changed,
            moved=len(self.moved),
            unchanged=self.unchanged,
            gone=len(self.gone),
            known_bad=len(self.known_bad),
            passed_over={why: len(paths) for why, paths in self.passed_over.items()},
        )


def make_plan(
    found: Discovery,
    roots: Sequence[Path],
    index: Index,
    recipe: str,
    *,
    retry: bool = False,
    reread: bool = False,
    compared: Callable[[Comparing], None] = lambda _: None,
) -> IngestPlan:
    """Hold files against the index.

    `roots` are the folders below which a file that is in the index but was not found counts as
    gone. `retry` tries again the files that failed before, `reread` reads every file anew;
    otherwise only files are read whose size or time differ from the index's. `compared` is told
    how far it is, before each file and each piece of one.
    """
    seen = look(found, index, recipe, retry=retry, reread=reread, compared=compared)
    gone = [path for path in index.documents.keys() - seen.there if _is_gone(path, roots)]
    stored = {} if reread else _by_content(index, recipe)
    jobs, copies, moved = _settle(seen.pending, stored, index, recipe, sorted(gone))
    touched = sum(_holds(index, d.path, d.sha256, recipe) for d in copies)
    changed = sum(source.path in index.documents for source in seen.pending) - touched
    sound = {*seen.unchanged, *(d.path for d in copies), *_opened(index, roots, seen.unreadable)}
    return IngestPlan(
        jobs=jobs,
        new=len(seen.pending) - touched - changed - len(moved),
        changed=changed,
        known=tuple(copies),
        moved=moved,
        unchanged=len(seen.unchanged) + touched,
        known_bad=tuple(seen.known_bad),
        unreadable=tuple(seen.unreadable),
        gone=tuple(path for path in sorted(gone) if path not in moved),
        recovered=tuple(p for p in index.failures if p in sound or _is_gone(p, roots)),
        passed_over=found.passed_over,
    )


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


def _at(document: Document, source: Source) -> Document:
    return replace(document, path=source.path, size=source.size, mtime_ns=source.mtime_ns)


def _below(path: Path, roots: Iterable[Path]) -> bool:
    return any(path.is_relative_to(root) for root in roots)
