"""One moment of a collection: its documents, and the two searches in its chunks."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from rag.embedders.base import Vectors
from rag.errors import IndexCorrupt
from rag.options import PageRange
from rag.store import schema
from rag.store.column_cache import Held
from rag.store.connection import one_of, translated
from rag.store.indexes import COMPARED, PROBES, Indexes
from rag.types import BlockKind, Document, StoredChunk

if TYPE_CHECKING:
    from lancedb.table import AsyncTable

# After so many searches of one version, its small columns are held in memory. By then a million
# chunks have been searched for longer than it takes to read them, and a command that asks one
# question never does.
HELD_AFTER = 32
# A chunk's id follows from two of them, which are quicker to read.
_PLACE = ("document_id", "ordinal", "first_page")
_REST = ("start", "end", "last_page", "kind", "tokens")


@dataclass(frozen=True, eq=False)
class Snapshot:
    """The documents of one moment, by path and by id. Two paths may hold the same content.

    Equal only to itself, so that what is made of it can be cached by it.
    """

    version: int
    by_path: Mapping[Path, Document]
    recipes: Mapping[Path, str]

    @cached_property
    def by_id(self) -> Mapping[str, Document]:
        return {document.id: document for document in reversed(list(self.by_path.values()))}


@dataclass(frozen=True, slots=True)
class Filter:
    """Which chunks a search may return. None means all."""

    document_ids: tuple[str, ...] | None = None
    pages: PageRange | None = None

    def sql(self) -> str | None:
        parts = []
        if self.document_ids is not None:
            parts.append(one_of("document_id", self.document_ids))
        if self.pages is not None:
            first, last = self.pages.first, self.pages.last
            parts.append(f"last_page >= {first} AND first_page <= {last}")
        return " AND ".join(parts) or None


# Tuples, because a question makes a thousand of them: a frozen class takes twice as long.
class ChunkRef(NamedTuple):
    """Which chunk it is and where it stands: enough to rank it, without its text.

    `row` is LanceDB's row id.
    """

    row: int
    document_id: str
    ordinal: int
    first_page: int

    @property
    def id(self) -> str:
        return schema.chunk_id(self.document_id, self.ordinal)


class Found(NamedTuple):
    """A chunk from one list. `score`: cosine similarity, BM25 for full text, or a reranker's."""

    ref: ChunkRef
    score: float


class Searcher:
    """The searches in the chunks of one moment: `Store.searcher` gives it.

    A search tells refs and scores alone, and `read` reads the few that are wanted in the end:
    hundreds of whole rows take longer to read than to find. Chunks without a document fall out.
    Compacting the table gives its rows other ids, so the table is held at one version.
    """

    def __init__(self, chunks: AsyncTable, snapshot: Snapshot, indexes: Indexes) -> None:
        self.snapshot = snapshot
        self._chunks = chunks
        self._indexes = indexes
        self._searches = 0
        self._held: Held | None = None
        self._holding: asyncio.Task[None] | None = None

    async def dense(self, vector: Vectors, limit: int, where: Filter) -> list[Found]:
        """The nearest chunks by cosine. `vector` has shape (dimensions,) and unit length."""
        query = self._chunks.query().nearest_to(vector).distance_type("cosine").nprobes(PROBES)
        if self._indexes.quantised:  # its own distances are estimates, on another scale
            query = query.refine_factor(ceil(COMPARED / limit))
        near = await self._found(query, limit, where, "_distance")
        return [Found(ref, 1.0 - distance) for ref, distance in near]

    async def full_text(
        self, terms: Sequence[str], limit: int, where: Filter, *, distance: int = 0
    ) -> list[Found]:
        """The best chunks by BM25 over any of `terms` (from `rag.terms`).

        `distance`: also take terms that differ by up to this many letters, never in the first.
        """
        from lancedb.query import MatchQuery

        if not terms:
            return []
        match = MatchQuery(" ".join(terms), "terms", fuzziness=distance, prefix_length=1)
        return await self._full_text(match, limit, where)

    async def phrase(self, terms: Sequence[str], limit: int, where: Filter) -> list[Found]:
        """Chunks that hold `terms` one after the other."""
        from lancedb.query import PhraseQuery

        return await self._full_text(PhraseQuery(" ".join(terms), "terms"), limit, where)

    async def has_term(self, term: str) -> bool:
        """Whether any chunk holds the term."""
        return bool(await self.full_text([term], 1, Filter()))

    async def _full_text(self, match: Any, limit: int, where: Filter) -> list[Found]:
        if not self._indexes.text:
            return []
        query = self._chunks.query().nearest_to_text(match)
        found = await self._found(query, limit, where, "_score")
        # LanceDB gives equal scores in an order of chance: the same question, the same ranks.
        return sorted(found, key=lambda item: (-item.score, item.ref.row))

    async def _found(self, query: Any, limit: int, where: Filter, score: str) -> list[Found]:
        query = query.limit(limit)
        if (condition := where.sql()) is not None:
            query = query.where(condition)
        documents = self.snapshot.by_id
        found = [
            Found(ChunkRef(row, *ref), value)
            for row, value, *ref in await self._columns(query, (score,), _PLACE)
            if ref[0] in documents
        ]
        self._searches += 1
        if self._searches == HELD_AFTER:
            self._holding = asyncio.create_task(self._hold())
        return found

    async def read(self, refs: Sequence[ChunkRef]) -> list[StoredChunk]:
        """The chunks of these refs, in their order."""
        if not refs:
            return []
        query = self._chunks.take_row_ids(sorted({ref.row for ref in refs}))
        columns = await self._columns(query, ("text", "header"), _REST)
        read = {row: values for row, *values in columns}
        return [_stored(ref, *read[ref.row]) for ref in refs]

    async def _columns(
        self, query: Any, names: Sequence[str], small: Sequence[str]
    ) -> Iterator[tuple[Any, ...]]:
        """Of each row that a query finds: its id, and what it has in the columns `names` and
        `small`, which may be held."""
        held = self._held
        async with translated():
            selected = query.with_row_id().select([*names, *(() if held else small)])
            table = await selected.to_arrow()
        rest = held.of(table["_rowid"], small) if held else table
        columns = [table[name] for name in ("_rowid", *names)] + [rest[name] for name in small]
        return zip(*(column.to_pylist() for column in columns), strict=True)

    async def _hold(self) -> None:
        with suppress(IndexCorrupt):  # whoever reads next is told
            self._held = await Held.read(self._chunks)


def _stored(
    ref: ChunkRef,
    text: str,
    header: str,
    start: int,
    end: int,
    last_page: int,
    kind: BlockKind,
    tokens: int,
) -> StoredChunk:
    return StoredChunk(
        id=ref.id,
        document_id=ref.document_id,
        ordinal=ref.ordinal,
        text=text,
        header=header,
        start=start,
        end=end,
        first_page=ref.first_page,
        last_page=last_page,
        kind=kind,
        tokens=tokens,
    )
