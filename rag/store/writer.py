"""Writing to a collection, under the writer's lock (`rag.store.lock`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from rag.calibration import Calibration
from rag.disk import make_private
from rag.embedders.base import Vectors
from rag.encoding import stored_path
from rag.store import schema
from rag.store.connection import batches, connect, one_of, translated
from rag.store.indexes import index_chunks
from rag.store.manifest import CALIBRATION, NAME, Manifest, put_in_place, write_manifest
from rag.store.migrations import migrate
from rag.store.reader import Store
from rag.types import Chunk, Document, Failure, Page

if TYPE_CHECKING:
    import pyarrow as pa
    from lancedb.table import AsyncTable

# Old versions stay readable this long for searches that began before a commit.
RETENTION = timedelta(hours=1)
FIRST_CHUNKS_TABLE = "chunks"


async def retention(table: AsyncTable) -> timedelta:
    """How long versions are kept: LanceDB refuses to prune past the oldest that has a tag."""
    tagged = {tag["version"] for tag in (await table.tags.list()).values()}
    made: list[datetime] = [
        v["timestamp"] for v in await table.list_versions() if v["version"] in tagged
    ]
    if not made:
        return RETENTION
    oldest = min(made)
    return max(RETENTION, datetime.now(oldest.tzinfo) - oldest + timedelta(minutes=1))


def _silent(_: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Addition:
    """A document ready to be stored. `vectors` has shape (len(chunks), dimensions)."""

    document: Document
    recipe: str
    pages: Sequence[Page]
    chunks: Sequence[Chunk]
    vectors: Vectors


class StoreWriter(Store):
    """A store that may also be written to. Each method is one step that a crash cannot halve."""

    @classmethod
    async def open(
        cls, directory: Path, *, tag: str | None = None, notify: Callable[[str], None] = _silent
    ) -> Self:
        """As Store.open; an index of an earlier format is upgraded first, and `notify` told so."""
        await migrate(directory, notify)
        return await super().open(directory, tag=tag)

    @classmethod
    async def create(
        cls,
        directory: Path,
        embedder_id: str,
        dimensions: int,
        model: str,
        *,
        notify: Callable[[str], None] = _silent,
    ) -> Self:
        """Open the collection, made first if need be; its manifest is written last.

        Raises IndexMismatch if the collection was made with another embedder.
        """
        if not (directory / NAME).exists():
            make_private(directory)
            async with translated():
                connection = await connect(directory)
                for name, fields in (
                    ("documents", schema.DOCUMENTS),
                    ("pages", schema.PAGES),
                    ("failures", schema.FAILURES),
                    (FIRST_CHUNKS_TABLE, schema.chunks_schema(embedder_id, dimensions)),
                ):
                    await connection.create_table(name, schema=fields, mode="overwrite")
            write_manifest(directory, Manifest(FIRST_CHUNKS_TABLE, model))
        store = await cls.open(directory, notify=notify)
        await store.require_embedder(embedder_id)
        return store

    async def commit(self, additions: Sequence[Addition]) -> None:
        """Store whole documents; what stood under the same paths goes away."""
        if not additions:
            return
        before = await self.snapshot()
        known = set(before.by_id)
        fresh = {a.document.id: a for a in additions if a.document.id not in known}
        table = await self.chunks_table.schema()
        async with translated():
            await self._add(self.chunks_table, [
                schema.chunk_rows(id_, a.chunks, a.vectors, a.document.language, table)
                for id_, a in fresh.items()
            ])  # fmt: skip
            pages = [schema.page_rows(id_, a.pages) for id_, a in fresh.items()]
            await self._add(self._pages, pages)
        await self.upsert([(a.document, a.recipe) for a in additions])
        await self.forget_failures([a.document.path for a in additions])
        paths = [a.document.path for a in additions]
        await self._drop_content({before.by_path[p].id for p in paths if p in before.by_path})

    async def upsert(self, documents: Sequence[tuple[Document, str]]) -> None:
        """Write document rows (with their recipes) over those with the same path, at once."""
        rows = [schema.document_row(document, recipe) for document, recipe in documents]
        await self._merge(self._documents, rows, schema.DOCUMENTS)

    async def remove(self, paths: Iterable[Path]) -> None:
        """Take documents out of the index."""
        before = await self.snapshot()
        gone = [path for path in paths if path in before.by_path]
        await self._delete(self._documents, "path", [stored_path(path) for path in gone])
        await self._drop_content({before.by_path[path].id for path in gone})

    async def record_failures(self, failures: Sequence[Failure]) -> None:
        rows = [schema.failure_row(failure) for failure in failures]
        await self._merge(self._failures, rows, schema.FAILURES)

    async def forget_failures(self, paths: Sequence[Path]) -> None:
        if await self._failures.count_rows():
            await self._delete(self._failures, "path", [stored_path(path) for path in paths])

    async def repair(self) -> int:
        """Delete chunks and pages without a document (left by a crash). Returns how many ids."""
        live = set((await self.snapshot()).by_id)
        stored: set[str] = set()
        for table in (self.chunks_table, self._pages):
            column = (await table.query().select(["document_id"]).to_arrow())["document_id"]
            stored.update(column.unique().to_pylist())
        await self._drop_content(stored - live)
        return len(stored - live)

    async def optimize(self) -> None:
        """Cover every row by the indexes, compact fragments, prune old versions."""
        await self._drop_retired()
        await index_chunks(self.chunks_table)
        async with translated():
            for table in (self.chunks_table, self._pages, self._documents, self._failures):
                await table.optimize(cleanup_older_than=await retention(table))

    async def _drop_content(self, document_ids: Iterable[str]) -> None:
        """Delete the chunks and pages of ids that no document has any more."""
        live = set((await self.snapshot()).by_id)
        gone = [id_ for id_ in document_ids if id_ not in live]
        await self._delete(self.chunks_table, "document_id", gone)
        await self._delete(self._pages, "document_id", gone)

    @staticmethod
    async def _add(table: AsyncTable, parts: Sequence[pa.Table]) -> None:
        import pyarrow as pa

        rows = pa.concat_tables(parts) if parts else None
        if rows is not None and len(rows):
            await table.add(rows)

    @staticmethod
    async def _merge(table: AsyncTable, rows: list[dict[str, Any]], of: pa.Schema) -> None:
        import pyarrow as pa

        if not rows:
            return
        async with translated():
            merge = table.merge_insert("path").when_matched_update_all()
            await merge.when_not_matched_insert_all().execute(pa.Table.from_pylist(rows, schema=of))

    @staticmethod
    async def _delete(table: AsyncTable, column: str, values: Sequence[str]) -> None:
        async with translated():
            for some in batches(values):
                await table.delete(one_of(column, some))

    async def _drop_retired(self) -> None:
        """Drop chunks tables that no longer serve and that no tag needs."""
        kept = set(self.manifest.tags.values())
        gone = [name for name in self.manifest.retired if name not in kept]
        if not gone:
            return
        async with translated():
            existing = set((await self.connection.list_tables()).tables)
            for name in existing.intersection(gone):
                await self.connection.drop_table(name)
        still = tuple(name for name in self.manifest.retired if name in kept)
        former = {name: model for name, model in self.manifest.former.items() if name in kept}
        self.set_manifest(replace(self.manifest, retired=still, former=former))

    def set_manifest(self, manifest: Manifest) -> None:
        """Put another manifest in place, atomically. Readers turn to it with their next search."""
        write_manifest(self.directory, manifest)
        self.manifest = manifest

    def set_calibration(self, calibration: Calibration) -> None:
        """Keep what the embedder was measured to be worth; the next search sees it."""
        put_in_place(self.directory / CALIBRATION, calibration.json())

    def versioned_tables(self) -> tuple[AsyncTable, ...]:
        """The tables whose versions together are one moment of the collection."""
        return self._documents, self._pages, self.chunks_table
