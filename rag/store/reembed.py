"""Another embedding model for a collection, from the stored texts, while the old one answers.

A shadow table fills beside the one in use. A crash leaves it part-filled and the next call goes on
from there: chunk ids follow from content, so a row that is there is a row that is right. Writing
the manifest is the swap.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from rag.embedders.base import Embedder, Vectors
from rag.store import schema
from rag.store.connection import batches, one_of, translated
from rag.store.indexes import index_chunks
from rag.store.writer import StoreWriter, retention

if TYPE_CHECKING:
    import pyarrow as pa
    from lancedb.table import AsyncTable

ROWS_A_COMMIT = 512


@dataclass(frozen=True, slots=True)
class Reembedded:
    """Progress: chunks that have their new vector, of all."""

    done: int
    total: int
    kind: Literal["reembedded"] = "reembedded"


async def reembed(store: StoreWriter, embedder: Embedder, model: str) -> AsyncGenerator[Reembedded]:
    """Give every chunk a vector of `embedder`, then swap. `model` is the name it was opened by."""
    current, _ = await store.embedder()
    if current == embedder.id:
        return
    await store.repair()
    name = shadow_name(embedder)
    shadow = await _shadow(store.connection, name, embedder)
    wanted, there = await _ids(store.chunks_table), await _ids(shadow)
    await _delete(shadow, sorted(there - wanted))
    done = len(there & wanted)
    yield Reembedded(done, len(wanted))
    missing = sorted(wanted - there)
    for start in range(0, len(missing), ROWS_A_COMMIT):
        done += await _copy(
            store.chunks_table, shadow, missing[start : start + ROWS_A_COMMIT], embedder
        )
        yield Reembedded(done, len(wanted))
    await index_chunks(shadow)
    async with translated():
        await shadow.optimize(cleanup_older_than=await retention(shadow))
    manifest = store.manifest
    retired = tuple({*manifest.retired, manifest.chunks} - {name})
    former = {**manifest.former, manifest.chunks: manifest.model}
    former.pop(name, None)
    store.set_manifest(replace(manifest, chunks=name, model=model, retired=retired, former=former))


def shadow_name(embedder: Embedder) -> str:
    """The table of an embedder's vectors."""
    return f"chunks-{hashlib.sha256(embedder.id.encode()).hexdigest()[:12]}"


async def _shadow(connection: Any, name: str, embedder: Embedder) -> AsyncTable:
    """The table that an earlier call has begun; a new one where its columns are of another time."""
    fields = schema.chunks_schema(embedder.id, embedder.dimensions)
    async with translated():
        if name in (await connection.list_tables()).tables:
            begun = await connection.open_table(name)
            if (await begun.schema()).equals(fields):
                return begun
        return await connection.create_table(name, schema=fields, mode="overwrite")


async def _copy(source: AsyncTable, shadow: AsyncTable, ids: list[str], embedder: Embedder) -> int:
    async with translated():
        rows = [
            batch
            for some in batches(ids)
            for batch in (await source.query().where(one_of("id", some)).to_arrow()).to_batches()
        ]
    import pyarrow as pa

    table = pa.Table.from_batches(rows)
    headers, texts = table["header"].to_pylist(), table["text"].to_pylist()
    contents = [f"{h}\n{t}" if h else t for h, t in zip(headers, texts, strict=True)]
    vectors = await embedder.embed_documents(contents)
    async with translated():
        await shadow.add(with_vectors(table, vectors, await shadow.schema()))
    return len(table)


def with_vectors(table: pa.Table, vectors: Vectors, fields: pa.Schema) -> pa.Table:
    """Rows of a chunks table with other vectors, shape (len(table), dimensions)."""
    import pyarrow as pa

    flat = pa.array(np.ascontiguousarray(vectors, dtype=np.float32).reshape(-1))
    column = pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1])
    position = table.schema.get_field_index("vector")
    return table.set_column(position, fields.field("vector"), column).cast(fields)


async def _ids(table: AsyncTable) -> set[str]:
    async with translated():
        return set((await table.query().select(["id"]).to_arrow())["id"].to_pylist())


async def _delete(table: AsyncTable, ids: list[str]) -> None:
    async with translated():
        for some in batches(ids):
            await table.delete(one_of("id", some))
