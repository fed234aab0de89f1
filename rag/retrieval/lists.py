"""The ranked lists of retrieval: each one small function from a Query to chunks, best first."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from rag.embedders.base import Vectors
from rag.store import Filter, Found, Searcher

Known = Callable[[str], float]  # by a document's id: what its vectors count, 0 to 1


def all_known(_: str) -> float:
    return 1.0


@dataclass(frozen=True, slots=True)
class Query:
    """A question ready to be searched for. `named` narrows to the documents that it names, if any.

    `glossary` holds what the glossary adds (vector of question and additions, terms of these),
    `phrases` the terms of each quoted phrase, `unseen` terms that the full-text list does not show.
    `places` are pages that the question names, `labels` the terms of each numbered part, `known`
    tells how well the embedder knows a document's language.
    """

    vector: Vectors
    terms: tuple[str, ...]
    where: Filter
    named: Filter | None = None
    glossary: tuple[Vectors, tuple[str, ...]] | None = None
    phrases: tuple[tuple[str, ...], ...] = ()
    unseen: tuple[str, ...] = ()
    places: tuple[Filter, ...] = ()
    labels: tuple[tuple[str, ...], ...] = ()
    known: Known = all_known


RankedList = Callable[[Searcher, Query, int], Awaitable[list[Found]]]

# Shorter words have too many neighbours one letter away.
_CORRECTABLE = 5
_FAR = 7
# Longer is no word but an address or a code, and LanceDB's automaton of 10,000 states has no room
# for what is two letters away from 48 of three kinds.
_LONGEST = 40


async def dense(searcher: Searcher, query: Query, limit: int) -> list[Found]:
    return await searcher.dense(query.vector, limit, query.where)


async def full_text(searcher: Searcher, query: Query, limit: int) -> list[Found]:
    return await searcher.full_text(query.terms, limit, query.where)


async def dense_named(searcher: Searcher, query: Query, limit: int) -> list[Found]:
    return await searcher.dense(query.vector, limit, query.named) if query.named else []


async def dense_glossary(searcher: Searcher, query: Query, limit: int) -> list[Found]:
    if query.glossary is None:
        return []
    return await searcher.dense(query.glossary[0], limit, query.named or query.where)


async def full_text_glossary(searcher: Searcher, query: Query, limit: int) -> list[Found]:
    if query.glossary is None:
        return []
    return await searcher.full_text(query.glossary[1], limit, query.named or query.where)


async def phrases(searcher: Searcher, query: Query, limit: int) -> list[Found]:
    """Passages that hold a quoted phrase as it stands."""
    return await _with_phrases(searcher, query.phrases, query.where, limit)


async def labelled(searcher: Searcher, query: Query, limit: int) -> list[Found]:
    """Passages that hold the label of a part that the question names."""
    return await _with_phrases(searcher, query.labels, query.named or query.where, limit)


async def located(searcher: Searcher, query: Query, limit: int) -> list[Found]:
    """The nearest passages of the pages that the question names."""
    run = (searcher.dense(query.vector, limit, where) for where in query.places)
    return _best([item for items in await asyncio.gather(*run) for item in items], limit)


async def _with_phrases(
    searcher: Searcher, wanted: Sequence[tuple[str, ...]], where: Filter, limit: int
) -> list[Found]:
    run = (searcher.phrase(phrase, limit, where) for phrase in wanted)
    return _best([item for items in await asyncio.gather(*run) for item in items], limit)


def _best(found: Iterable[Found], limit: int) -> list[Found]:
    """Each chunk once, with its best score."""
    kept: dict[int, Found] = {}
    for item in sorted(found, key=lambda item: -item.score):
        kept.setdefault(item.ref.row, item)
    return list(kept.values())[:limit]


async def corrected(searcher: Searcher, query: Query, limit: int) -> list[Found]:
    """Passages for words that stand nowhere in the index, by the words nearest to them."""
    words = [term for term in dict.fromkeys(query.unseen) if term.isalpha()]
    terms = [word for word in words if _CORRECTABLE <= len(word) <= _LONGEST]
    known = await asyncio.gather(*map(searcher.has_term, terms))
    unknown = [term for term, there in zip(terms, known, strict=True) if not there]
    # Two letters swapped are a distance of 2.
    near = (
        searcher.full_text([term], limit, query.where, distance=1 if len(term) < _FAR else 2)
        for term in unknown
    )
    found = [item for items in await asyncio.gather(*near) for item in items]
    return sorted(found, key=lambda item: -item.score)[:limit]


LISTS: Mapping[str, RankedList] = MappingProxyType(
    {
        function.__name__: function
        for function in (
            dense,
            full_text,
            dense_named,
            dense_glossary,
            full_text_glossary,
            phrases,
            labelled,
            located,
            corrected,
        )
    }
)
