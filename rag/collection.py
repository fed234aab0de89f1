"""What a collection holds, in numbers, and which collections a home has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rag.store import Store


@dataclass(frozen=True, slots=True)
class Stats:
    """Counts of one collection. `chunks` counts rows, so a doubled row would show; `empty_pages`
    are pages without any text, `unread_pages` those with something on them that is not read;
    `unindexed` chunks are not yet in the full-text index."""

    collection: str
    documents: int
    pages: int
    text_pages: int
    layout_pages: int
    ocr_pages: int
    empty_pages: int
    unread_pages: int
    chunks: int
    expected_chunks: int
    unindexed: int
    failed: int
    embedder: str
    dimensions: int
    disk_bytes: int


async def collection_stats(store: Store) -> Stats:
    snapshot, failures = await store.snapshot(), await store.failures()
    # Two files with the same content are two documents that share their pages and chunks.
    contents = list(snapshot.by_id.values())
    embedder, dimensions = await store.embedder()
    return Stats(
        collection=store.directory.name,
        documents=len(snapshot.by_path),
        pages=sum(document.pages for document in contents),
        text_pages=sum(document.coverage.text for document in contents),
        layout_pages=sum(document.coverage.layout for document in contents),
        ocr_pages=sum(document.coverage.ocr for document in contents),
        empty_pages=sum(len(document.coverage.empty) for document in contents),
        unread_pages=sum(document.coverage.unread_pages for document in contents),
        chunks=await store.count_chunks(),
        expected_chunks=sum(document.chunks for document in contents),
        unindexed=await store.unindexed_rows(),
        failed=len(failures),
        embedder=embedder,
        dimensions=dimensions,
        disk_bytes=folder_bytes(store.directory),
    )


def list_collections(home: Path) -> list[str]:
    """Names of the collections below a home, in order; those that hold an index."""
    return sorted(manifest.parent.name for manifest in home.glob("collections/*/index.json"))


def folder_bytes(folder: Path) -> int:
    """Bytes of all files below a folder; a file that goes away meanwhile counts nothing."""
    return sum(_size(path) for path in folder.rglob("*"))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size if path.is_file() else 0
    except FileNotFoundError:
        return 0


def ranges(numbers: Sequence[int]) -> str:
    """Ascending numbers, runs drawn together: "1, 4–7"."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1] = [runs[-1][0], number]
        else:
            runs.append([number])
    return ", ".join("–".join(map(str, run)) for run in runs)
