"""The indexes of the chunks table: full text always, vectors once there are enough of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rag.store import schema
from rag.store.lance import translated

if TYPE_CHECKING:
    from lancedb.table import AsyncTable

# Measured with benchmarks/vector_index.py (see benchmarks/LOG.md, "Vector index"). Vectors are
# indexed once they fill a partition: even a single one, which leaves no row out, is searched in
# memory and three times as fast as the table.
ROWS_A_PARTITION = 4096
# `optimize` covers new rows by a part of the index of their own, which costs every search a sixth
# of a millisecond: a folder that is watched would add one with each file.
PARTS = 16
# Partitions searched: all of them, so exactly, up to 160,000 chunks. LanceDB looks into more where
# a filter leaves too few rows.
PROBES = 40
_VECTOR_INDEX = "vector_ivf_"  # and the number of partitions


async def index_chunks(chunks: AsyncTable) -> None:
    """Make the indexes that are due. `optimize` covers by them the rows that come later."""
    async with translated():
        rows = await chunks.count_rows()
        names = {index.name for index in await chunks.list_indices()}
        if schema.FULL_TEXT_INDEX not in names and rows:  # made on an empty table, it covers none
            await _index_text(chunks)
        if rows >= ROWS_A_PARTITION:
            await _index_vectors(chunks, names, rows // ROWS_A_PARTITION)


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


async def _index_vectors(chunks: AsyncTable, names: set[str], partitions: int) -> None:
    """Made again once it has too many parts, or the table has doubled and so have partitions."""
    from lancedb.index import IvfFlat

    old = {name for name in names if name.startswith(_VECTOR_INDEX)}
    for name in old:
        stats = await chunks.index_stats(name)
        few = stats is not None and (stats.num_indices or 0) < PARTS
        if few and partitions < 2 * int(name.removeprefix(_VECTOR_INDEX)):
            return
    new = f"{_VECTOR_INDEX}{partitions}"
    config = IvfFlat(distance_type="cosine", num_partitions=partitions)
    await chunks.create_index("vector", name=new, config=config)
    for name in old - {new}:
        await chunks.drop_index(name)
