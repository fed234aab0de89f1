"""What a collection holds, in numbers, and which collections a home has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rag.store import Store


# Embedding models that know many languages, with the bytes of their download.
MULTILINGUAL: Final = {
    "intfloat/multilingual-e5-small": 0.5e9,
    "Qwen/Qwen3-Embedding-0.6B": 1.2e9,
}
# Less of a collection is too little to call a language unknown.
_PASSAGES: Final = 32


@dataclass(frozen=True, slots=True)
class Stats:
    """Counts of one collection. `chunks` counts rows, so a doubled row would show; `empty_pages`
    are pages without any text, `unread_pages` those with something on them that is not read;
    `unindexed` chunks are not yet in the full-text index; `hardly_known` is as the function."""

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
    hardly_known: Mapping[str, float]


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
        hardly_known=await hardly_known(store),
    )


async def hardly_known(store: Store) -> dict[str, float]:
    """Languages, ISO 639-1, of which vectors count less than half (`rag/calibration.py`), each with
    its share of the passages. None where they are not most of the collection."""
    calibration, counts = await store.calibration(), Counter[str]()
    for document in (await store.snapshot()).by_id.values():
        counts[document.language] += document.chunks
    total = counts.total()
    if calibration is None or total < _PASSAGES:
        return {}
    found = {
        language: round(count / total, 3)
        for language, count in counts.most_common()
        if calibration.known(language) < 0.5
    }
    return found if sum(found.values()) > 0.5 else {}


def another_embedder(languages: Mapping[str, float], embedder: str) -> str:
    """A sentence that names one, for `hardly_known`; empty where nothing is to be said."""
    if not languages:
        return ""
    shares = ", ".join(f"{name or 'unknown'} {share:.0%}" for name, share in languages.items())
    name, size = next((n, s) for n, s in MULTILINGUAL.items() if n not in embedder)
    return (
        f"{embedder.partition('@')[0]} hardly knows the language of most passages ({shares}), so "
        f"search goes by words alone; a multilingual model: rag reembed --model {name} "
        f"(a download of {size / 1e9:.1f} GB, if it is not here)"
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
