"""One moment of a collection: its documents, and the two searches in its chunks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from rag.embedding import Vectors
from rag.store import schema
from rag.store.indexes import PROBES, REFINE, Indexes
from rag.store.lance import one_of, translated
from rag.types import Document, StoredChunk

if TYPE_CHECKING:
    import pyarrow as pa
    from lancedb.table import AsyncTable


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
    pages: tuple[int, int] | None = None

    def sql(self) -> str | None:
        parts = []
        if self.document_ids is not None:
            parts.append(one_of("document_id", self.document_ids))
        if self.pages is not None:
            first, last = self.pages
            parts.append(f"last_page >= {first} AND first_page <= {last}")
        return " AND ".join(parts) or None


# Tuples, because a question makes a thousand of them: a frozen class takes twice as long.
class Match(NamedTuple):
    """A row of the chunks table that a search found, by LanceDB's row id.

    `score`: cosine similarity, or BM25 for full text.
    """

    row: int
    score: float


class Place(NamedTuple):
    """Which chunk it is and where it stands: enough to rank it, without its text."""

    row: int
    id: str
    document_id: str
    first_page: int


class Found(NamedTuple):
    """A chunk from one list, with its score there."""

    place: Place
    score: float


class Searcher:
    """The searches in the chunks of one moment: `Store.searcher` gives it.

    A search tells rows and scores alone. `found` then looks up where the rows stand, once for all
    lists of a question, and `read` reads the few that are wanted in the end: hundreds of whole
    rows take longer to read than to find. Compacting the table gives its rows other ids, so the
    table is held at one version.
    """

    def __init__(self, chunks: AsyncTable, snapshot: Snapshot, indexes: Indexes) -> None:
        self.snapshot = snapshot
        self._chunks = chunks
        self._indexes = indexes

    async def dense(self, vector: Vectors, limit: int, where: Filter) -> list[Match]:
        """The nearest chunks by cosine. `vector` has shape (dimensions,) and unit length."""
        query = self._chunks.query().nearest_to(vector).distance_type("cosine").nprobes(PROBES)
        if self._indexes.quantised:  # its own distances are estimates, on another scale
            query = query.refine_factor(REFINE)
        matches = await _matches(query, limit, where, "_distance")
        return [Match(match.row, 1.0 - match.score) for match in matches]

    async def full_text(
        self, terms: Sequence[str], limit: int, where: Filter, *, distance: int = 0
    ) -> list[Match]:
        """The best chunks by BM25 over any of `terms` (from `rag.terms`).

        `distance`: also take terms that differ by up to this many letters, never in the first.
        """
        from lancedb.query import MatchQuery

        if not terms:
            return []
        match = MatchQuery(" ".join(terms), "terms", fuzziness=distance, prefix_length=1)
        return await self._full_text(match, limit, where)

    async def phrase(self, terms: Sequence[str], limit: int, where: Filter) -> list[Match]:
        """Chunks that hold `terms` one after the other."""
        from lancedb.query import PhraseQuery

        return await self._full_text(PhraseQuery(" ".join(terms), "terms"), limit, where)

    async def has_term(self, term: str) -> bool:
        """Whether any chunk holds the term."""
        return bool(await self.full_text([term], 1, Filter()))

    async def _full_text(self, match: Any, limit: int, where: Filter) -> list[Match]:
        if not self._indexes.text:
            return []
        query = self._chunks.query().nearest_to_text(match)
        matches = await _matches(query, limit, where, "_score")
        # LanceDB gives equal scores in an order of chance: the same question, the same ranks.
        return sorted(matches, key=lambda match: (-match.score, match.row))

    async def found(self, lists: Mapping[str, Sequence[Match]]) -> dict[str, list[Found]]:
        """The lists with the places of their rows. Chunks without a document fall out."""
        rows = {match.row for matches in lists.values() for match in matches}
        places = await self._places(rows) if rows else {}
        return {
            name: [Found(places[m.row], m.score) for m in matches if m.row in places]
            for name, matches in lists.items()
        }

    async def read(self, places: Sequence[Place]) -> list[StoredChunk]:
        """The chunks of these places, in their order."""
        if not places:
            return []
        table = await self._take((place.row for place in places), schema.CHUNK_COLUMNS)
        chunks = dict(zip(table["_rowid"].to_pylist(), schema.stored_chunks(table), strict=True))
        return [chunks[place.row] for place in places]

    async def _places(self, rows: Iterable[int]) -> dict[int, Place]:
        """By row, those whose document is in the index."""
        # A chunk's id follows from two of them, which are quicker to read: it is never the same.
        names = ("_rowid", "document_id", "ordinal", "first_page")
        table = await self._take(rows, names[1:])
        documents = self.snapshot.by_id
        return {
            row: Place(row, schema.chunk_id(document, ordinal), document, page)
            for row, document, ordinal, page in zip(
                *(table[name].to_pylist() for name in names), strict=True
            )
            if document in documents
        }

    async def _take(self, rows: Iterable[int], columns: Sequence[str]) -> pa.Table:
        """Each of the rows once, with its id."""
        query = self._chunks.take_row_ids(sorted(set(rows))).select(list(columns))
        async with translated():
            return await query.with_row_id().to_arrow()


async def _matches(query: Any, limit: int, where: Filter, score: str) -> list[Match]:
    query = query.limit(limit)
    if (condition := where.sql()) is not None:
        query = query.where(condition)
    async with translated():
        table = await query.with_row_id().select([score]).to_arrow()
    return list(map(Match, table["_rowid"].to_pylist(), table[score].to_pylist()))
