"""Search against corpus size: latency and recall of the searches alone, and of the whole retrieval.

    uv run python -m benchmarks scale --rows 1000,10000,100000

Rows are synthetic: clustered unit vectors, and words drawn by Zipf's law, written and indexed by
the store itself. "flat" bypasses the vector index, which is exact; "dense" and "full text" are the
calls that retrieval makes, made directly on LanceDB; "raw" is both at once, for the ids of as many
candidates as retrieval asks for, and then the k rows. "retrieve" is everything but the embedding of
the question, whose vector is given; "document" is retrieve within one document in a hundred. Recall
is that of the ten nearest against the exact search. Prints a table, then one JSON line.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._report import finish, median, show, tell
from benchmarks.vector_index import clustered, unit
from rag.ask.retrieval import RetrievalPlan, retrieve
from rag.embedding import Vectors
from rag.evaluation.summary import latency_of
from rag.store import Addition, Filter, Match, Searcher, Store, StoreWriter
from rag.terms import query_terms
from rag.types import Chunk, Coverage, Document, Hit

DIMENSIONS = 384
CHUNKS_A_DOCUMENT = 100
COMMIT = 200  # documents
SYLLABLES = ("ba", "ce", "di", "fo", "gu", "la", "me", "ni", "po", "ru", "sa", "te", "vi", "zo")


class GivenVector:
    """An Embedder of questions whose vector is known beforehand."""

    id, dimensions, max_tokens = "given@0", DIMENSIONS, 256

    def __init__(self, vector: Vectors) -> None:
        self.vector = vector

    async def embed_query(self, text: str) -> Vectors:  # noqa: ARG002 - the protocol's
        return self.vector


@dataclass(frozen=True, slots=True)
class Corpus:
    """Vectors (rows, DIMENSIONS), one text a row."""

    vectors: Vectors
    texts: Sequence[str]

    @classmethod
    def make(cls, rows: int, words: int, chance: np.random.Generator) -> Corpus:
        vocabulary = np.array([_word(number) for number in range(30_000)])
        which = np.minimum(chance.zipf(1.2, (rows, words)) - 1, len(vocabulary) - 1)
        texts = [" ".join(vocabulary[row]) for row in which]
        return cls(clustered(rows, DIMENSIONS, chance), texts)

    def additions(self) -> list[Addition]:
        starts = range(0, len(self.texts), CHUNKS_A_DOCUMENT)
        return [self._addition(number, start) for number, start in enumerate(starts)]

    def _addition(self, number: int, start: int) -> Addition:
        texts = self.texts[start : start + CHUNKS_A_DOCUMENT]
        chunks = [
            Chunk(text, "", 0, len(text), 1 + i // 3, 1 + i // 3, "text", 100)
            for i, text in enumerate(texts)
        ]
        document = Document(
            f"{number:016x}", Path(f"/synthetic/{number}.pdf"), _word(number), "0" * 64, 0, 0,
            34, len(texts), "en", Coverage(34, 0, 0, ()), {}, "2026-01-01T00:00:00+00:00",
        )  # fmt: skip
        return Addition(document, "", (), chunks, self.vectors[start : start + len(texts)])


def _word(number: int) -> str:
    """A word of its own for each number; the commonest are the shortest."""
    word, base = "", len(SYLLABLES)
    number += base
    while number:
        word, number = word + SYLLABLES[number % base], number // base
    return word


@dataclass(frozen=True, slots=True)
class Asked:
    """A question near the stored row `row`: its vector, and words of the row's text."""

    row: int
    vector: Vectors
    text: str


def questions(corpus: Corpus, count: int, chance: np.random.Generator) -> list[Asked]:
    rows = chance.choice(len(corpus.texts), count, replace=False)
    noise = unit(chance.standard_normal((count, DIMENSIONS), dtype=np.float32))
    vectors = unit(corpus.vectors[rows] + 0.7 * noise).astype(np.float32)
    texts = [" ".join(chance.choice(corpus.texts[row].split(), 7)) for row in rows]
    return [Asked(int(r), v, t) for r, v, t in zip(rows, vectors, texts, strict=True)]


async def write(folder: Path, corpus: Corpus) -> tuple[StoreWriter, float]:
    """The corpus in a new collection, and the seconds that indexing took."""
    store = await StoreWriter.create(folder, GivenVector.id, DIMENSIONS, "given")
    additions = corpus.additions()
    for start in range(0, len(additions), COMMIT):
        await store.commit(additions[start : start + COMMIT])
        tell(f"  {min(start + COMMIT, len(additions))}/{len(additions)} documents")
    started = time.perf_counter()
    await store.optimize()
    return store, time.perf_counter() - started


# ── searches ──────────────────────────────────────────────────────────────────────────────────

Search = Callable[[Asked], Awaitable[Any]]


class Searches:
    """Each search by its name, on one store."""

    def __init__(self, store: Store, k: int) -> None:
        self._store = store
        self._k = k
        self._plan = RetrievalPlan()

    def all(self) -> dict[str, Search]:
        return {
            "flat": self.flat,
            "dense": self.dense,
            "full text": self.full_text,
            "raw": self.raw,
            "retrieve": self.retrieve,
            "document": self.within_document,
        }

    async def flat(self, asked: Asked) -> list[str]:
        query = self._nearest(asked).bypass_vector_index().limit(self._k)
        return await _ids(query)

    async def dense(self, asked: Asked) -> list[str]:
        searcher = await self._store.searcher()
        matches = await searcher.dense(asked.vector, self._plan.candidates, Filter())
        return await self._first(searcher, matches)

    async def full_text(self, asked: Asked) -> list[str]:
        searcher = await self._store.searcher()
        terms = query_terms(asked.text, "en")
        matches = await searcher.full_text(terms, self._plan.candidates, Filter())
        return await self._first(searcher, matches)

    async def _first(self, searcher: Searcher, matches: list[Match]) -> list[str]:
        found = await searcher.found({"": matches})
        return [item.chunk.id for item in found[""][: self._k]]

    async def raw(self, asked: Asked) -> None:
        table, limit = self._store.chunks_table, self._plan.candidates
        text = " ".join(query_terms(asked.text, "en"))
        matching = table.query().nearest_to_text(text, columns="terms").limit(limit)
        near, _ = await asyncio.gather(
            _ids(self._nearest(asked).nprobes(20).limit(limit)), _ids(matching)
        )
        ids = ", ".join(f"'{id_}'" for id_ in near[: self._k])
        await table.query().where(f"id IN ({ids})").to_arrow()

    async def retrieve(self, asked: Asked) -> list[Hit]:
        return await self._retrieve(asked, Filter())

    async def within_document(self, asked: Asked) -> list[Hit]:
        documents = sorted((await self._store.snapshot()).by_id)
        own = asked.row // CHUNKS_A_DOCUMENT
        chosen = {documents[own], *documents[own % 100 :: 100]}
        return await self._retrieve(asked, Filter(tuple(sorted(chosen))))

    async def _retrieve(self, asked: Asked, where: Filter) -> list[Hit]:
        return await retrieve(
            asked.text, self._store, GivenVector(asked.vector), k=self._k, where=where,
            plan=self._plan,
        )  # fmt: skip

    def _nearest(self, asked: Asked) -> Any:
        return self._store.chunks_table.query().nearest_to(asked.vector).distance_type("cosine")


async def _ids(query: Any) -> list[str]:
    found: list[str] = (await query.select(["id"]).to_arrow())["id"].to_pylist()
    return found


@dataclass(slots=True)
class Taken:
    """What one search found for each question, and its wall and CPU milliseconds."""

    found: list[Any] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    async def take(self, search: Search, asked: Asked) -> None:
        wall, cpu = time.perf_counter(), time.process_time()
        found = await search(asked)
        self.wall.append(1000 * (time.perf_counter() - wall))
        self.cpu.append(1000 * (time.process_time() - cpu))
        self.found.append(found)

    def figures(self) -> dict[str, float]:
        latency = latency_of(self.wall)
        assert latency is not None
        return {
            "p50_ms": round(latency.median, 2),
            "p95_ms": round(latency.p95, 2),
            "cpu_ms": round(median(self.cpu), 2),
        }


async def take_turns(searches: Mapping[str, Search], asked: Sequence[Asked]) -> dict[str, Taken]:
    """Each question by each search in turn, so that other load falls on all alike."""
    for search in searches.values():
        await search(asked[0])
    taken = {name: Taken() for name in searches}
    for question in asked:
        for name, search in searches.items():
            await taken[name].take(search, question)
    return taken


# ── a size ────────────────────────────────────────────────────────────────────────────────────


async def measure(rows: int, args: argparse.Namespace) -> dict[str, Any]:
    chance = np.random.default_rng(0)
    tell(f"{rows:,} rows")
    corpus = Corpus.make(rows, args.words, chance)
    asked = questions(corpus, args.queries, chance)
    with tempfile.TemporaryDirectory() as folder:
        store, indexing = await write(Path(folder, "collection"), corpus)
        taken = await take_turns(Searches(store, 10).all(), asked)
        store.close()
    figures = {name: own.figures() for name, own in taken.items()}
    return {
        "indexing_s": round(indexing, 1),
        "searches": figures,
        "recall@10": recall(taken["dense"].found, taken["flat"].found),
        "retrieve_over_raw": {
            unit_: ratio_of(figures, unit_, args.embedding_ms) for unit_ in ("p50_ms", "cpu_ms")
        },
    }


def recall(found: Sequence[Sequence[str]], exact: Sequence[Sequence[str]]) -> float:
    pairs = zip(found, exact, strict=True)
    return round(float(np.mean([len({*a} & {*b}) / len(b) for a, b in pairs])), 4)


def ratio_of(figures: dict[str, dict[str, float]], kind: str, embedding: float) -> float:
    """Retrieval over the raw calls, the embedding of the question in both."""
    return round((figures["retrieve"][kind] + embedding) / (figures["raw"][kind] + embedding), 2)


def report(results: dict[str, Any], args: argparse.Namespace) -> None:
    names = next(iter(results.values()))["searches"]
    columns = ["rows", *names, "recall@10", "retrieve/raw: wall", "CPU", "index s"]
    table = [
        [
            f"{int(rows):,}",
            *("{p50_ms:.0f}/{p95_ms:.0f} ({cpu_ms:.0f})".format(**r["searches"][n]) for n in names),
            f"{r['recall@10']:.3f}",
            *(f"{ratio:.2f}" for ratio in r["retrieve_over_raw"].values()),
            r["indexing_s"],
        ]
        for rows, r in results.items()
    ]
    show(f"{args.queries} questions at each size, ms: median/p95 (CPU)", columns, table)
    finish("scale", results, queries=args.queries, words=args.words)


async def run(args: argparse.Namespace) -> None:
    report({str(rows): await measure(rows, args) for rows in args.rows}, args)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=_numbers, default=(1_000, 10_000, 100_000), help="a,b,c")
    parser.add_argument("--queries", type=int, default=50)
    parser.add_argument("--words", type=int, default=120, help="words of a row")
    parser.add_argument(
        "--embedding-ms", type=float, default=0.0,
        help="what embedding a question takes, counted in retrieve/raw on both sides",
    )  # fmt: skip
    asyncio.run(run(parser.parse_args()))


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(","))


if __name__ == "__main__":
    main()
