"""Reading a collection: its documents, pages and chunks."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from rag.calibration import Calibration
from rag.embedders.base import Vectors
from rag.encoding import path_of
from rag.errors import IndexMismatch, IndexMissing
from rag.store import schema
from rag.store.connection import batches, connect, one_of, translated
from rag.store.indexes import Indexes
from rag.store.manifest import CALIBRATION, NAME, Manifest, read_manifest
from rag.store.search import Searcher, Snapshot
from rag.types import Document, Failure, Page, StoredChunk, content_of

if TYPE_CHECKING:
    from lancedb.table import AsyncTable


class Store:
    """One collection's index, for reading. Open it with `Store.open`."""

    def __init__(
        self,
        directory: Path,
        manifest: Manifest,
        connection: Any,
        tables: Mapping[str, AsyncTable],
        *,
        tag: str | None = None,
    ) -> None:
        self.directory = directory
        self.manifest = manifest
        self._tag = tag
        self.connection = connection
        self._documents = tables["documents"]
        self._pages = tables["pages"]
        self.chunks_table = tables["chunks"]
        self._failures = tables["failures"]
        self._stamp = _stamp(directory)
        self._snapshot: Snapshot | None = None
        self._searcher: Searcher | None = None
        self._searched: tuple[str, int, Snapshot] | None = None
        self._calibration: tuple[tuple[int, int], str, Calibration | None] | None = None

    # ── open ──────────────────────────────────────────────────────────────────────────────────

    @classmethod
    async def open(cls, directory: Path, *, tag: str | None = None) -> Self:
        """The index as it is now, or as it was when `tag` was set.

        Raises IndexMissing (also for an unknown tag), IndexMismatch (other format), IndexCorrupt.
        """
        manifest = read_manifest(directory)
        if tag is not None and tag not in manifest.tags:
            known = ", ".join(manifest.tags) or "none"
            raise IndexMissing(f"there is no tag {tag!r}", hint=f"The tags are: {known}.")
        async with translated():
            connection = await connect(directory)
            names = {name: name for name in ("documents", "pages", "failures")}
            names["chunks"] = manifest.tags[tag] if tag else manifest.chunks
            opened = await asyncio.gather(*map(connection.open_table, names.values()))
            tables = dict(zip(names, opened, strict=True))
            if tag is not None:
                await asyncio.gather(
                    *(tables[name].checkout(tag) for name in ("documents", "pages", "chunks"))
                )
            return cls(directory, manifest, connection, tables, tag=tag)

    async def _follow_manifest(self) -> None:
        """Turn to the chunks table in use, should another embedder's have taken its place."""
        stamp = _stamp(self.directory)
        if self._tag is not None or stamp == self._stamp:
            return
        self.manifest, self._stamp = read_manifest(self.directory), stamp
        if self.chunks_table.name != self.manifest.chunks:
            async with translated():
                self.chunks_table = await self.connection.open_table(self.manifest.chunks)

    async def refresh(self) -> None:
        """See now what others have committed, instead of within a second."""
        if self._tag is None:
            await self._follow_manifest()
            tables = (self._documents, self._pages, self._failures, self.chunks_table)
            async with translated():
                await asyncio.gather(*(table.checkout_latest() for table in tables))

    async def embedder(self) -> tuple[str, int]:
        """The id of the embedding model that made the vectors, and their dimension."""
        table = await self.chunks_table.schema()
        metadata = table.metadata or {}
        return metadata[b"rag.embedder"].decode(), table.field("vector").type.list_size

    async def require_embedder(self, embedder_id: str) -> None:
        """Raises IndexMismatch unless the index was made with this embedder."""
        stored, _ = await self.embedder()
        if stored != embedder_id:
            raise IndexMismatch(
                f"this collection was embedded with {stored}, but {embedder_id} is configured",
                hint=f"Use --embedding-model {stored.split('@')[0]}, or switch the collection with:"
                f" rag reembed --model {embedder_id.split('@')[0]}",
            )

    def close(self) -> None:
        self.connection.close()

    # ── read ──────────────────────────────────────────────────────────────────────────────────

    async def snapshot(self) -> Snapshot:
        """The documents in the index now. Cached until another version appears."""
        await self._follow_manifest()
        async with translated():
            version = await self._documents.version()
        if self._snapshot is None or self._snapshot.version != version:
            rows = (await self._documents.query().to_arrow()).to_pylist()
            documents = [schema.stored_document(row) for row in rows]
            documents.sort(key=lambda document: str(document.path))
            recipes = {path_of(row["path"]): row["recipe"] for row in rows}
            self._snapshot = Snapshot(version, {d.path: d for d in documents}, recipes)
        return self._snapshot

    async def failures(self) -> dict[Path, Failure]:
        rows = (await self._failures.query().to_arrow()).to_pylist()
        failures = [schema.stored_failure(row) for row in rows]
        return {failure.path: failure for failure in failures}

    async def pages(self, document_id: str, numbers: Sequence[int] | None = None) -> list[Page]:
        """Pages of a document in order; all of them, or those named."""
        where = one_of("document_id", [document_id])
        if numbers is not None:
            where += f" AND number IN ({', '.join(str(int(number)) for number in numbers)})"
        rows = (await self._pages.query().where(where).to_arrow()).to_pylist()
        return sorted((schema.stored_page(row) for row in rows), key=lambda page: page.number)

    async def chunks(self, document_id: str) -> list[StoredChunk]:
        """Chunks of a document in order."""
        query = self.chunks_table.query().where(one_of("document_id", [document_id]))
        table = await query.select(list(schema.CHUNK_COLUMNS)).to_arrow()
        return sorted(schema.stored_chunks(table), key=lambda chunk: chunk.ordinal)

    async def page_counts(self) -> dict[str, int]:
        """How many pages are stored of each document id."""
        async with translated():
            table = await self._pages.query().select(["document_id"]).to_arrow()
        return Counter(table["document_id"].to_pylist())

    async def count_chunks(self) -> int:
        return int(await self.chunks_table.count_rows())

    async def vectors(self, document_ids: Sequence[str]) -> dict[str, Any]:
        """The vector of each text (header and text, as embedded) of these documents."""
        found: dict[str, Any] = {}
        for ids in batches(document_ids):
            query = self.chunks_table.query().where(one_of("document_id", ids))
            table = await query.select(["header", "text", "vector"]).to_arrow()
            table = table.drop_null()  # a vector that was refused when it was stored
            column = table["vector"].combine_chunks()
            matrix = column.flatten().to_numpy(zero_copy_only=False)
            matrix = matrix.reshape(len(table), column.type.list_size)
            headers, texts = table["header"].to_pylist(), table["text"].to_pylist()
            for header, text, vector in zip(headers, texts, matrix, strict=True):
                found[content_of(header, text)] = vector
        return found

    async def document(self, document_id: str) -> Document | None:
        return (await self.snapshot()).by_id.get(document_id)

    # ── search ────────────────────────────────────────────────────────────────────────────────

    async def searcher(self) -> Searcher:
        """Searches in the index as it is now. The same one until another version appears."""
        snapshot = await self.snapshot()
        async with translated():
            searched = (self.chunks_table.name, await self.chunks_table.version(), snapshot)
            if self._searcher is None or self._searched != searched:
                name, version, _ = searched
                held = await self.connection.open_table(name)
                await held.checkout(version)
                indexes = await Indexes.of(held)
                self._searcher, self._searched = Searcher(held, snapshot, indexes), searched
        return self._searcher

    async def calibration(self) -> Calibration | None:
        """What this index's embedder is worth in it; None where it was not measured."""
        await self._follow_manifest()
        try:
            stamp = _stamp(self.directory, CALIBRATION)
        except FileNotFoundError:
            return None
        table = self.chunks_table.name
        if self._calibration is None or self._calibration[:2] != (stamp, table):
            found: Calibration | None = None
            with suppress(ValueError, OSError):  # without it nothing is wrong, only less right
                found = Calibration.read((self.directory / CALIBRATION).read_text("utf-8"))
            if found is not None and found.embedder != (await self.embedder())[0]:
                found = None
            self._calibration = (stamp, table, found)
        return self._calibration[2]

    async def sample(
        self, document_id: str, count: int, chance: random.Random
    ) -> list[tuple[str, Vectors]]:
        """Texts and vectors of up to `count` chunks of a document, drawn by `chance`."""
        query = self.chunks_table.query().where(one_of("document_id", [document_id]))
        async with translated():
            table = (await query.select(["text", "vector"]).to_arrow()).drop_null()
        rows = chance.sample(range(len(table)), min(count, len(table)))
        return [
            (table["text"][row].as_py(), np.array(table["vector"][row].as_py(), np.float32))
            for row in rows
        ]

    async def unindexed_rows(self) -> int:
        """Chunks that the full-text index does not cover."""
        if not (await Indexes.of(self.chunks_table)).text:
            return await self.count_chunks()
        stats = await self.chunks_table.index_stats(schema.FULL_TEXT_INDEX)
        return int(stats.num_unindexed_rows) if stats else 0


def _stamp(directory: Path, name: str = NAME) -> tuple[int, int]:
    stat = (directory / name).stat()
    return stat.st_mtime_ns, stat.st_ino
