"""The indexes of the chunks table: full text always, vectors once there are enough of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rag.store import schema
from rag.store.connection import translated

if TYPE_CHECKING:
    from lancedb.table import AsyncTable

# Measured with benchmarks/vector_index.py (benchmarks/LOG.md, "Search: time by size"). Vectors are
# indexed once they fill a partition: even a single one, which leaves no row out, is searched in
# memory and three times as fast as the table.
ROWS_A_PARTITION = 4096
# `optimize` covers new rows by a part of the index of their own, which costs every search a sixth
# of a millisecond: a folder that is watched would add one with each file.
PARTS = 16
# Up to so many partitions (160,000 chunks) whole vectors are indexed, and all of them searched.
# From then on they are quantised by RaBitQ (Gao and Long, 2024) to BITS a dimension: a seventh of
# the memory, which then holds the index of a million chunks.
EXACT = 40
BITS = 4
# Partitions searched. LanceDB looks into more where a filter leaves too few rows.
PROBES = 80
# A quantised distance is an estimate: at least so many that are nearest by it are compared by their
# whole vectors. The ten nearest of all are then among them; of ten by estimate alone, one or two
# are wrong.
COMPARED = 200
_DOCUMENTS = "document_ids"
_WHOLE, _QUANTISED = "vector_ivf_", "vector_rq_"  # and the number of partitions


@dataclass(frozen=True, slots=True)
class Indexes:
    """What searches have to know of a table's indexes."""

    text: bool
    quantised: bool

    @classmethod
    async def of(cls, chunks: AsyncTable) -> Indexes:
        indices = await chunks.list_indices()
        text = any(index.columns == ["terms"] for index in indices)
        return cls(text, any(index.name.startswith(_QUANTISED) for index in indices))


async def index_chunks(
    chunks: AsyncTable, *, a_partition: int = ROWS_A_PARTITION, exact: int = EXACT
) -> None:
    """Make the indexes that are due. `optimize` covers by them the rows that come later.

    `a_partition`: rows of one; `exact`: partitions up to which whole vectors are indexed.
    """
    async with translated():
        rows = await chunks.count_rows()
        names = {index.name for index in await chunks.list_indices()}
        if schema.FULL_TEXT_INDEX not in names and rows:  # made on an empty table, it covers none
            await _index_text(chunks)
        partitions = rows // a_partition
        if partitions > exact and _DOCUMENTS not in names:  # in a small table filters gain nothing
            await _index_documents(chunks)
        if partitions:
            dimensions = (await chunks.schema()).field("vector").type.list_size
            quantised = partitions > exact and dimensions % 8 == 0  # RaBitQ packs them by eight
            await _index_vectors(chunks, names, partitions, quantised=quantised)


async def _index_text(chunks: AsyncTable) -> None:
    from lancedb.index import FTS

    # The terms are made by rag.terms: LanceDB only splits them at spaces.
    config = FTS(
        with_position=True,
        base_tokenizer="whitespace",
        lower_case=False,
        stem=False,
        remove_stop_words=False,
        ascii_folding=False,
    )
    await chunks.create_index("terms", name=schema.FULL_TEXT_INDEX, config=config)


async def _index_documents(chunks: AsyncTable) -> None:
    from lancedb.index import BTree

    await chunks.create_index("document_id", name=_DOCUMENTS, config=BTree())


async def _index_vectors(
    chunks: AsyncTable, names: set[str], partitions: int, *, quantised: bool
) -> None:
    """Made again once it has too many parts, the table has doubled and so have partitions, or whole
    vectors are too many."""
    from lancedb.index import IvfFlat, IvfRq

    old = {name for name in names if name.startswith((_WHOLE, _QUANTISED))}
    for name in old:
        stats = await chunks.index_stats(name)
        few = stats is not None and (stats.num_indices or 0) < PARTS
        outgrown = quantised and name.startswith(_WHOLE)
        if few and not outgrown and partitions < 2 * int(name.rpartition("_")[2]):
            return
    new = f"{_QUANTISED if quantised else _WHOLE}{partitions}"
    config = (
        IvfRq(distance_type="cosine", num_partitions=partitions, num_bits=BITS)
        if quantised
        else IvfFlat(distance_type="cosine", num_partitions=partitions)
    )
    await chunks.create_index("vector", name=new, config=config)
    for name in old - {new}:
        await chunks.drop_index(name)
