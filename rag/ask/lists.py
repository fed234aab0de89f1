"""The ranked lists of retrieval: each one small function from a Query to chunks, best first."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from rag.embedding import Vectors
from rag.store import Filter, Found, Store


@dataclass(frozen=True, slots=True)
class Query:
    """A question ready to be searched for. `named` narrows to the documents that it names, if any.

    `glossary` holds what the glossary adds (vector of question and additions, terms of these),
    `phrases` the terms of each quoted phrase, `unseen` terms that the full-text list does not show.
    """

    vector: Vectors
    terms: tuple[str, ...]
    where: Filter
    named: Filter | None = None
    glossary: tuple[Vectors, tuple[str, ...]] | None = None
    phrases: tuple[tuple[str, ...], ...] = ()
    unseen: tuple[str, ...] = ()


RankedList = Callable[[Store, Query, int], Awaitable[list[Found]]]

# Shorter words have too many neighbours one letter away.
_CORRECTABLE = 5
_FAR = 7


async def dense(store: Store, query: Query, limit: int) -> list[Found]:
    return await store.dense(query.vector, limit, query.where)


async def full_text(store: Store, query: Query, limit: int) -> list[Found]:
    return await store.full_text(query.terms, limit, query.where)


async def dense_named(store: Store, query: Query, limit: int) -> list[Found]:
    return await store.dense(query.vector, limit, query.named) if query.named else []


async def full_text_named(store: Store, query: Query, limit: int) -> list[Found]:
    return await store.full_text(query.terms, limit, query.named) if query.named else []


async def dense_glossary(store: Store, query: Query, limit: int) -> list[Found]:
    if query.glossary is None:
        return []
    return await store.dense(query.glossary[0], limit, query.named or query.where)


async def full_text_glossary(store: Store, query: Query, limit: int) -> list[Found]:
    if query.glossary is None:
        return []
    return await store.full_text(query.glossary[1], limit, query.named or query.where)


async def phrases(store: Store, query: Query, limit: int) -> list[Found]:
    """Passages that hold a quoted phrase as it stands."""
    found: dict[str, Found] = {}
    for phrase in query.phrases:
        for item in await store.phrase(phrase, limit, query.where):
            found.setdefault(item.chunk.id, item)
    return sorted(found.values(), key=lambda item: -item.score)[:limit]


async def corrected(store: Store, query: Query, limit: int) -> list[Found]:
    """Passages for words that stand nowhere in the index, by the words nearest to them."""
    terms = [t for t in dict.fromkeys(query.unseen) if len(t) >= _CORRECTABLE and t.isalpha()]
    known = await asyncio.gather(*map(store.has_term, terms))
    unknown = [term for term, there in zip(terms, known, strict=True) if not there]
    # Two letters swapped are a distance of 2.
    near = (
        store.full_text([term], limit, query.where, distance=1 if len(term) < _FAR else 2)
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
            full_text_named,
            dense_glossary,
            full_text_glossary,
            phrases,
            corrected,
        )
    }
)
