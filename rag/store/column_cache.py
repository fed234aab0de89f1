"""The small columns of all chunks, held in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, Self

import numpy as np
import pyarrow as pa

from rag.store.connection import translated

if TYPE_CHECKING:
    from lancedb.table import AsyncTable


class Held:
    """Columns of one version of the chunks table: 40 bytes a chunk.

    LanceDB takes a millisecond for each column of the few rows that a search found, wherever they
    stand; from here they take none. All columns of a million chunks are read in 0.4 s.
    """

    # All but the texts and the vector.
    COLUMNS: Final = (
        "document_id",
        "ordinal",
        "start",
        "end",
        "first_page",
        "last_page",
        "kind",
        "tokens",
    )

    def __init__(self, table: pa.Table) -> None:
        """`table` has the columns and LanceDB's row ids, in any order."""
        rows = table["_rowid"].to_numpy()
        order = np.argsort(rows, kind="stable")
        self._rows = rows[order]
        columns = {name: table[name] for name in self.COLUMNS}
        for name in ("document_id", "kind"):
            columns[name] = columns[name].dictionary_encode()
        self._columns = pa.table(columns).take(order).combine_chunks()

    @classmethod
    async def read(cls, chunks: AsyncTable) -> Self:
        async with translated():
            table = await chunks.query().with_row_id().select(list(cls.COLUMNS)).to_arrow()
        return await asyncio.to_thread(cls, table)

    def of(self, rows: pa.ChunkedArray, names: Sequence[str]) -> pa.Table:
        """Columns of the rows of these ids, in their order."""
        return self._columns.select(list(names)).take(np.searchsorted(self._rows, rows.to_numpy()))
