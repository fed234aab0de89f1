"""What can be wrong with an index, how to see it and how to repair it: `rag doctor`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from rag.embedders.base import Embedder
from rag.store.connection import batches, one_of, translated
from rag.store.reader import Store
from rag.store.reembed import with_vectors
from rag.store.writer import StoreWriter
from rag.types import Document

FaultKind = Literal[
    "full-text", "orphans", "vectors", "duplicates", "incomplete", "missing-source", "unread-pages"
]

# A stored vector has unit length; float32 rounding stays far below this.
_LENGTH_TOLERANCE = 1e-2


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong. `items` are what it concerns: chunk ids, document ids or paths."""

    kind: FaultKind
    message: str
    items: tuple[str, ...]
    remedy: str

    @property
    def broken(self) -> bool:
        """Whether the index itself is wrong. The others tell of the files: a page may be blank."""
        return self.kind not in ("missing-source", "unread-pages")


@dataclass(slots=True)
class _Scan:
    """What one pass over the chunks table finds."""

    ids: Counter[str]
    of_document: Counter[str]
    bad_vectors: list[str]


async def check(store: Store) -> list[Fault]:
    """Every fault of the index. Reads the whole chunks table once, in batches."""
    scan = await _scan(store)
    documents = (await store.snapshot()).by_path
    pages = await store.page_counts()
    faults = [*_index_faults(scan, documents, pages), *_document_faults(scan, documents, pages)]
    if unindexed := await store.unindexed_rows():
        message = f"the full-text index misses {unindexed} chunks"
        faults.insert(0, Fault("full-text", message, (), "index them"))
    return faults


def _index_faults(
    scan: _Scan, documents: Mapping[Path, Document], pages: Mapping[str, int]
) -> Iterator[Fault]:
    """Rows that should not be as they are."""
    live = {document.id for document in documents.values()}
    orphans = sorted((scan.of_document.keys() | pages.keys()) - live)
    message = "{} documents left chunks or pages behind"
    yield from _fault("orphans", orphans, message, "delete these rows")
    duplicates = [id_ for id_, count in scan.ids.items() if count > 1]
    message = "{} chunks are stored more than once"
    yield from _fault("duplicates", duplicates, message, "keep one of each")
    message = "{} vectors are not finite or not of unit length"
    yield from _fault("vectors", scan.bad_vectors, message, "embed these again")


def _document_faults(
    scan: _Scan, documents: Mapping[Path, Document], pages: Mapping[str, int]
) -> Iterator[Fault]:
    """What the files have, and the index has not; and the other way round."""
    chunks = Counter(id_.rsplit(":", 1)[0] for id_ in scan.ids)
    every = documents.values()
    incomplete = [
        str(d.path) for d in every if chunks[d.id] != d.chunks or pages.get(d.id) != d.pages
    ]
    message = "{} documents lack chunks or pages"
    yield from _fault("incomplete", incomplete, message, "read them again")
    missing = [str(path) for path in documents if not path.exists()]
    remedy = "take them out of the index, if their folder is there"
    yield from _fault("missing-source", missing, "{} files are no longer there", remedy)
    unread = [str(d.path) for d in every if d.coverage.unread]
    remedy = "read them again, where there is OCR"
    yield from _fault("unread-pages", unread, "{} documents have pages not wholly read", remedy)


def _fault(kind: FaultKind, items: Iterable[str], message: str, remedy: str) -> Iterator[Fault]:
    """One fault, or none where it concerns nothing."""
    if found := tuple(items):
        yield Fault(kind, message.format(len(found)), found, remedy)


async def repair(store: StoreWriter, faults: Sequence[Fault], embedder: Embedder) -> list[Path]:
    """Repair what can be repaired here. Returns the files that must be read again for the rest
    (`Pipeline.ingest(…, reread=True)`): what the index has of them stays until then.

    A missing file is only taken out of the index if the folder that held it is still there: an
    unmounted disk must not empty the index.
    """
    found = {fault.kind: fault.items for fault in faults}
    await store.repair()
    await _keep_one(store, found.get("duplicates", ()))
    await _embed_again(store, found.get("vectors", ()), embedder)
    missing = [Path(item) for item in found.get("missing-source", ())]
    await store.remove([path for path in missing if path.parent.exists()])
    again = {Path(item) for kind in ("incomplete", "unread-pages") for item in found.get(kind, ())}
    await store.optimize()
    return sorted(path for path in again if path.exists())


async def _scan(store: Store) -> _Scan:
    scan = _Scan(Counter(), Counter(), [])
    async with translated():
        query = store.chunks_table.query().select(["id", "document_id", "vector"])
        async for batch in await query.to_batches():
            ids = batch["id"].to_pylist()
            scan.ids.update(ids)
            scan.of_document.update(batch["document_id"].to_pylist())
            column = batch["vector"]
            vectors = column.values.to_numpy(zero_copy_only=False).reshape(
                -1, column.type.list_size
            )
            vectors = vectors[column.offset : column.offset + len(column)]
            lengths = np.linalg.norm(vectors, axis=1)
            good = np.abs(lengths - 1) < _LENGTH_TOLERANCE  # false for NaN
            good &= column.is_valid().to_numpy(zero_copy_only=False)
            scan.bad_vectors += [id_ for id_, ok in zip(ids, good, strict=True) if not ok]
    return scan


async def _keep_one(store: StoreWriter, ids: Sequence[str]) -> None:
    for some in batches(ids):
        async with translated():
            rows = await store.chunks_table.query().where(one_of("id", some)).to_arrow()
            first = {id_: i for i, id_ in reversed(list(enumerate(rows["id"].to_pylist())))}
            await store.chunks_table.delete(one_of("id", some))
            await store.chunks_table.add(rows.take(list(first.values())))


async def _embed_again(store: StoreWriter, ids: Sequence[str], embedder: Embedder) -> None:
    for some in batches(ids):
        async with translated():
            rows = await store.chunks_table.query().where(one_of("id", some)).to_arrow()
        headers, texts = rows["header"].to_pylist(), rows["text"].to_pylist()
        contents = [f"{h}\n{t}" if h else t for h, t in zip(headers, texts, strict=True)]
        vectors = await embedder.embed_documents(contents)
        async with translated():
            repaired = with_vectors(rows, vectors, await store.chunks_table.schema())
            await store.chunks_table.merge_insert("id").when_matched_update_all().execute(repaired)
