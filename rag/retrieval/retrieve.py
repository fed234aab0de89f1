"""Question to passages: several ranked lists (`rag.retrieval.lists`), fused into one."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType
from typing import Self
from weakref import WeakKeyDictionary

from rag.calibration import Calibration
from rag.embedders.base import Embedder, Vectors
from rag.options import PageRange
from rag.rerankers.base import Reranker, reranked
from rag.retrieval.fusion import Gains, RetrievalPlan, fuse, gains
from rag.retrieval.lists import LISTS, Query, all_known
from rag.retrieval.locations import Locations, locations_in
from rag.retrieval.named_documents import Titles
from rag.retrieval.query_expansion import expansion
from rag.retrieval.rank_rules import cover_documents, distinct_pages_first, named_pages_first
from rag.store import ChunkRef, Filter, Found, Searcher, Snapshot, Store
from rag.terms import indexed_terms, query_terms
from rag.types import Document, Hit, StoredChunk

_QUOTED = re.compile(r'"([^"]{3,})"|“([^”]{3,})”|„([^“]{3,})“|«([^»]{3,})»')
# A question's terms are stemmed for each of the languages that most of the documents are in.
_LANGUAGES = 3
# A question that names a page means that of one document, or of a few that it compares.
_DOCUMENTS = 3
# A misspelt word among many does no harm: the others find the passage.
_DOUBTFUL = 0.25
# A commit in mid-search may take away what was found: then once more, on the new documents.
_TRIES = 3
_EDGES = ".,;:!?()[]{}|>\"'“”„«»"
_NONE: Mapping[str, Reranker] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class SearchText:
    """What is searched for, with its vector; what the glossary adds, with the vector of both."""

    text: str
    vector: Vectors
    added: str = ""
    with_added: Vectors | None = None

    @classmethod
    async def of(cls, text: str, embedder: Embedder, plan: RetrievalPlan) -> Self:
        """Raises EmbeddingError."""
        added = expansion(text, plan.glossary)
        texts = [text, f"{text} {added}"] if added else [text]
        vector, *widened = await asyncio.gather(*map(embedder.embed_query, texts))
        return cls(text, vector, added, *widened)


async def retrieve(
    searched: SearchText,
    store: Store,
    *,
    k: int,
    where: Filter,
    plan: RetrievalPlan,
    rerankers: Mapping[str, Reranker] = _NONE,
) -> list[Hit]:
    """The k best passages, best first. Each of `rerankers` makes one more list, of the first
    `plan.rerank` that the others found."""
    for _ in range(_TRIES):
        searcher = await store.searcher()
        query = _query(searched, searcher.snapshot, where, await store.calibration())
        hits = await _search(searched.text, query, searcher, k, plan, rerankers)
        now = await store.snapshot()
        if now is searcher.snapshot:
            break
    return [hit for hit in hits if hit.document.id in now.by_id]


async def _search(
    text: str,
    query: Query,
    searcher: Searcher,
    k: int,
    plan: RetrievalPlan,
    rerankers: Mapping[str, Reranker],
) -> list[Hit]:
    names = [name for name in plan.weights if name in LISTS and name != "corrected"]
    run = (LISTS[name](searcher, query, plan.candidates) for name in names)
    lists = dict(zip(names, await asyncio.gather(*run), strict=True))
    passages = _Passages(searcher)
    ordered, added = _ordered(lists, query, plan, k)
    if "corrected" in plan.weights:
        first = await passages.read(ordered[: max(k, plan.rerank)])
        query = replace(query, unseen=_unseen(query.terms, first))
        if corrected := await LISTS["corrected"](searcher, query, plan.candidates):
            lists["corrected"] = corrected
            ordered, added = _ordered(lists, query, plan, k)
    if rerankers:
        candidates = fuse(lists, added)[: plan.rerank]
        lists |= await _rerank(text, candidates, passages, plan, rerankers)
        ordered, added = _ordered(lists, query, plan, k)
    chunks, documents = await passages.read(ordered[:k]), searcher.snapshot.by_id
    return [
        _hit(chunk, ref.row, score, lists, added, query, documents)
        for chunk, (ref, score) in zip(chunks, ordered, strict=False)
    ]


class _Passages:
    """Reads each chunk of a search once: the best after reranking were mostly the best before."""

    def __init__(self, searcher: Searcher) -> None:
        self._searcher = searcher
        self._known: dict[ChunkRef, StoredChunk] = {}

    async def read(self, ordered: Sequence[tuple[ChunkRef, float]]) -> list[StoredChunk]:
        new = [ref for ref, _ in ordered if ref not in self._known]
        self._known.update(zip(new, await self._searcher.read(new), strict=True))
        return [self._known[ref] for ref, _ in ordered]


def _ordered(
    lists: Mapping[str, Sequence[Found]], query: Query, plan: RetrievalPlan, k: int
) -> tuple[list[tuple[ChunkRef, float]], Gains]:
    """The lists as one, by the rules of the plan; and what each list added."""
    added = gains(lists, plan, query.known)
    ordered = fuse(lists, added)
    if plan.distinct_pages:
        ordered = distinct_pages_first(ordered)
    if plan.named_pages and query.places:
        ordered = named_pages_first(ordered, query.places)
    if plan.cover_named and query.named and query.named.document_ids:
        ordered = cover_documents(ordered, query.named.document_ids, k)
    return ordered, added


async def _rerank(
    text: str,
    candidates: Sequence[tuple[ChunkRef, float]],
    passages: _Passages,
    plan: RetrievalPlan,
    rerankers: Mapping[str, Reranker],
) -> dict[str, list[Found]]:
    """One more list by each reranker that has a weight."""
    refs = [ref for ref, _ in candidates]
    contents = [chunk.content for chunk in await passages.read(candidates)]
    return {
        name: await reranked(text, refs, contents, reranker)
        for name, reranker in rerankers.items()
        if name in plan.weights
    }


def _query(
    searched: SearchText, snapshot: Snapshot, where: Filter, calibration: Calibration | None
) -> Query:
    text, library = searched.text, _Library.of(snapshot)
    titles, languages = library.titles, library.languages
    places = locations_in(text)
    named = (titles if where.document_ids is None else titles.within(where.document_ids)).named_in(
        text
    )
    quoted = ["".join(match.groups(default="")) for match in _QUOTED.finditer(text)]
    return Query(
        vector=searched.vector,
        terms=_terms(text, languages),
        where=where,
        named=Filter(named, where.pages) if named else None,
        glossary=(
            None
            if searched.with_added is None
            else (searched.with_added, _terms(searched.added, languages))
        ),
        phrases=tuple(tuple(indexed_terms(phrase, languages[0])) for phrase in quoted),
        places=_places(places, snapshot, named or where.document_ids, where),
        labels=tuple(tuple(indexed_terms(label, languages[0])) for label in places.labels),
        known=all_known if calibration is None else partial(_known, snapshot, calibration),
    )


def _places(
    found: Locations, snapshot: Snapshot, ids: Sequence[str] | None, where: Filter
) -> tuple[Filter, ...]:
    """The pages that a question names, where it is clear of which documents: of hundreds that have
    a page 12, it means none in particular."""
    wanted = tuple(snapshot.by_id) if ids is None else tuple(ids)
    if where.pages is not None or not 0 < len(wanted) <= _DOCUMENTS:
        return ()
    places = [Filter(wanted, pages) for pages in found.pages]
    if found.last_page:
        for id_ in wanted:
            last = snapshot.by_id[id_].pages
            places.append(Filter((id_,), PageRange(last, last)))
    return tuple(places)


def _known(snapshot: Snapshot, calibration: Calibration, document_id: str) -> float:
    return calibration.known(snapshot.by_id[document_id].language)


@dataclass(frozen=True, slots=True)
class _Library:
    """What all questions to one snapshot share."""

    titles: Titles
    languages: list[str]

    @classmethod
    def of(cls, snapshot: Snapshot) -> _Library:
        """Made once, and gone with the snapshot."""
        if (known := _libraries.get(snapshot)) is None:
            documents = list(snapshot.by_path.values())
            known = _libraries[snapshot] = cls(Titles.of(documents), _languages(documents))
        return known


_libraries: WeakKeyDictionary[Snapshot, _Library] = WeakKeyDictionary()


def _unseen(terms: Sequence[str], passages: Iterable[StoredChunk]) -> tuple[str, ...]:
    """Terms that no passage shows, letter for letter: only these are worth a look-up each, and only
    where they are a good part of the question."""
    unseen = set(terms)
    for passage in passages:
        if not unseen:
            break
        lowered = passage.content.lower()
        unseen = {term for term in unseen if term not in lowered}
    left = tuple(term for term in terms if term in unseen)
    return left if len(left) >= _DOUBTFUL * len(terms) else ()


def _languages(documents: Iterable[Document]) -> list[str]:
    """The languages of most documents, the commonest first; "" (English) if none is known."""
    counts = Counter(d.language for d in documents if d.language)
    return [language for language, _ in counts.most_common(_LANGUAGES)] or [""]


def _terms(text: str, languages: Sequence[str]) -> tuple[str, ...]:
    """Stemmed for each language. A term that stands twice counts twice, as in a follow-up."""
    terms = query_terms(text, languages[0])
    for language in languages[1:]:
        terms += [term for term in query_terms(text, language) if term not in terms]
    return tuple(terms)


def _hit(
    chunk: StoredChunk,
    row: int,
    score: float,
    lists: Mapping[str, Sequence[Found]],
    added: Gains,
    query: Query,
    documents: Mapping[str, Document],
) -> Hit:
    document = documents[chunk.document_id]
    having = [name for name, gained in added.items() if row in gained]
    ranks = {name: list(added[name]).index(row) for name in having}  # best first, as its list
    return Hit(
        chunk,
        document,
        score,
        {name: rank + 1 for name, rank in ranks.items()},
        lists["dense"][ranks["dense"]].score if "dense" in ranks else None,
        {name: added[name][row] for name in having},
        _words_asked_for(chunk.header, document.language, query),
    )


def _words_asked_for(header: str, language: str, query: Query) -> tuple[str, ...]:
    """The header's words that the question or its additions have, each once, as they are written.

    A header may hold the whole head of a table: words that only the punctuation parts are shown
    together, and the stemming of one language is enough.
    """
    asked = {*query.terms, *(query.glossary[1] if query.glossary else ())}
    words = {
        word.strip(_EDGES): asked.intersection(indexed_terms(word, language))
        for word in header.split()
    }
    return tuple(word for word, shared in words.items() if word and shared)
