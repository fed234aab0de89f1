"""Search against corpus size: latency and recall of the searches alone, and of the whole retrieval.

    uv run python -m benchmarks scale --rows 1000,10000,100000
    uv run python -m benchmarks scale --rows 1000000 --keep FOLDER

Rows are made up (benchmarks/_corpus.py), written and indexed by the store itself; with --keep a
collection stays in FOLDER for the next run. "flat" bypasses the vector index, which is exact;
"dense" and "full text" are the searches that retrieval makes, alone; "raw" is both at once, made
directly on LanceDB, for the ids of as many candidates as retrieval asks for, and then the k rows.
"retrieve" is everything but the embedding of the question, whose vector is given; "document" is
retrieve within one document in a hundred; "embed" is the bundled embedder on a question of common
length, and is counted on both sides of retrieve/raw. Recall is that of the ten nearest against the
exact search. Prints a table, then one JSON line.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._corpus import CHUNKS_A_DOCUMENT, Corpus, document_id, unit
from benchmarks._report import finish, median, show, tell
from rag.config import load_settings
from rag.embedders.base import Embedder, Vectors
from rag.evaluation.summary import latency_of
from rag.retrieval.fusion import RetrievalPlan
from rag.retrieval.retrieve import SearchText, retrieve
from rag.runtime import Runtime
from rag.store import Filter, Found, Store, StoreWriter
from rag.store.schema import chunk_id
from rag.terms import query_terms
from rag.types import Hit

DIMENSIONS = 384
WORDS = 12  # of a question, with its stop words
# In English, because made-up words fall into many more tokens. 17: the development sets have 13 to
# 33 in the median.
QUESTION = "What was the company's operating income in 2017, and why did it fall?"


@dataclass(frozen=True, slots=True)
class Asked:
    """A question near the stored row `row`: its vector, and words of the row's text."""

    row: int
    vector: Vectors
    text: str


async def questions(store: Store, rows: int, count: int) -> list[Asked]:
    """Each about a stored row: words of its text, and a vector as near to its own as a
    question's is to its passage (cosine about 0.7)."""
    chance = np.random.default_rng(2)
    chosen = chance.choice(rows, count, replace=False)
    noise = unit(chance.standard_normal((count, DIMENSIONS), dtype=np.float32))
    asked = []
    for row, away in zip(chosen.tolist(), noise, strict=True):
        text, vector = await _stored(store, row)
        near = unit((vector + 0.7 * away)[None])[0].astype(np.float32)
        asked.append(Asked(row, near, " ".join(chance.choice(text.split(), WORDS))))
    return asked


async def _stored(store: Store, row: int) -> tuple[str, Vectors]:
    """A row's text and vector, as they were written."""
    id_ = chunk_id(document_id(row), row % CHUNKS_A_DOCUMENT)
    found = store.chunks_table.query().where(f"id = '{id_}'").select(["text", "vector"])
    (stored,) = (await found.to_arrow()).to_pylist()
    return stored["text"], np.array(stored["vector"], dtype=np.float32)


@asynccontextmanager
async def collection(rows: int, args: argparse.Namespace) -> AsyncIterator[tuple[Store, float]]:
    """The collection of so many rows, made if --keep has none, and the seconds to index it."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(args.keep or temporary, f"{rows}-rows-of-{args.words}-words")
        indexing = 0.0
        if not folder.exists():
            unfinished = folder.with_suffix(".unfinished")
            indexing = await write(unfinished, Corpus(rows, args.words, DIMENSIONS))
            unfinished.rename(folder)
        store = await Store.open(folder)
        yield store, indexing
        store.close()


async def write(folder: Path, corpus: Corpus) -> float:
    """The corpus in a new collection; the seconds that indexing took."""
    shutil.rmtree(folder, ignore_errors=True)
    store = await StoreWriter.create(folder, "given@0", DIMENSIONS, "given")
    for number in range(corpus.blocks):
        await store.commit(corpus.block(number))
        tell(f"  {number + 1}/{corpus.blocks} blocks")
    started = time.perf_counter()
    await store.optimize()
    store.close()
    return time.perf_counter() - started


# ── searches ──────────────────────────────────────────────────────────────────────────────────

Search = Callable[[Asked], Awaitable[Any]]


class Searches:
    """Each search by its name, on one store."""

    def __init__(self, store: Store, embedder: Embedder, k: int) -> None:
        self._store = store
        self._embedder = embedder
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
            "embed": self.embed,
        }

    async def flat(self, asked: Asked) -> list[str]:
        query = self._nearest(asked).bypass_vector_index().limit(self._k)
        return await _ids(query)

    async def dense(self, asked: Asked) -> list[str]:
        searcher = await self._store.searcher()
        return self._first(await searcher.dense(asked.vector, self._plan.candidates, Filter()))

    async def full_text(self, asked: Asked) -> list[str]:
        searcher = await self._store.searcher()
        terms = query_terms(asked.text, "en")
        return self._first(await searcher.full_text(terms, self._plan.candidates, Filter()))

    def _first(self, found: Sequence[Found]) -> list[str]:
        return [item.ref.id for item in found[: self._k]]

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
            SearchText(asked.text, asked.vector),
            self._store,
            k=self._k,
            where=where,
            plan=self._plan,
        )

    async def embed(self, asked: Asked) -> Vectors:  # noqa: ARG002 - as the others
        return await self._embedder.embed_query(QUESTION)

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


async def measure(rows: int, embedder: Embedder, args: argparse.Namespace) -> dict[str, Any]:
    tell(f"{rows:,} rows")
    async with collection(rows, args) as (store, indexing):
        asked = await questions(store, rows, args.queries)
        taken = await take_turns(Searches(store, embedder, 10).all(), asked)
    figures = {name: own.figures() for name, own in taken.items()}
    return {
        "indexing_s": round(indexing, 1) or None,
        "searches": figures,
        "recall@10": recall(taken["dense"].found, taken["flat"].found),
        "retrieve_over_raw": {unit_: ratio_of(figures, unit_) for unit_ in ("p50_ms", "cpu_ms")},
    }


def recall(found: Sequence[Sequence[str]], exact: Sequence[Sequence[str]]) -> float:
    pairs = zip(found, exact, strict=True)
    return round(float(np.mean([len({*a} & {*b}) / len(b) for a, b in pairs])), 4)


def ratio_of(figures: dict[str, dict[str, float]], unit_: str) -> float:
    """Retrieval over the raw calls, the embedding of the question in both."""
    retrieve, raw, embed = (figures[name][unit_] for name in ("retrieve", "raw", "embed"))
    return round((retrieve + embed) / (raw + embed), 2)


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
    settings = load_settings()
    runtime = Runtime(settings)
    try:
        embedder = await runtime.embedder(settings.embedding_model)
        report({str(rows): await measure(rows, embedder, args) for rows in args.rows}, args)
    finally:
        await runtime.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=_numbers, default=(1_000, 10_000, 100_000), help="a,b,c")
    parser.add_argument("--queries", type=int, default=50)
    parser.add_argument("--words", type=int, default=120, help="words of a row")
    parser.add_argument("--keep", type=Path, help="folder where the collections stay")
    asyncio.run(run(parser.parse_args()))


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(","))


if __name__ == "__main__":
    main()
