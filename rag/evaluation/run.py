"""Questions through a pipeline: one record each, with the embedding of the question timed apart."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import fields, replace
from typing import Any

from rag.answering.answerability import estimate_answerability, is_measured
from rag.calibration import Calibration
from rag.embedders.base import Embedder, Vectors
from rag.errors import DocumentNotFound, EngineError
from rag.evaluation.questions import Question, missing_documents
from rag.evaluation.records import CitedPage, Record, RetrievedPassage
from rag.evaluation.scoring import Scoring, score
from rag.events import Done, Retrieved
from rag.pipeline import AskOptions, Pipeline, Scope
from rag.types import Answer


class QueryCache:
    """An embedder that keeps the vectors of questions, and counts the seconds they took.

    Variants of retrieval over the same questions then cost no second embedding.
    """

    def __init__(self, inner: Embedder) -> None:
        self._inner = inner
        self._vectors: dict[str, Vectors] = {}
        self.seconds = 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)  # whatever else embedders can do

    @property
    def id(self) -> str:
        return self._inner.id

    @property
    def dimensions(self) -> int:
        return self._inner.dimensions

    @property
    def max_tokens(self) -> int:
        return self._inner.max_tokens

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return self._inner.count_tokens(texts)

    async def embed_documents(self, texts: Sequence[str]) -> Vectors:
        return await self._inner.embed_documents(texts)

    async def embed_query(self, text: str) -> Vectors:
        if text not in self._vectors:
            started = time.perf_counter()
            self._vectors[text] = await self._inner.embed_query(text)
            self.seconds += time.perf_counter() - started
        return self._vectors[text]

    async def close(self) -> None:
        await self._inner.close()


class MeasuredPipeline(Pipeline):
    """A pipeline whose embedder is a QueryCache. It may share another pipeline's runtime."""

    _cache: QueryCache | None = None

    async def embedder(self) -> Embedder:
        return await self.cache()

    async def cache(self) -> QueryCache:
        if self._cache is None:
            self._cache = QueryCache(await super().embedder())
        return self._cache


async def run_questions(
    pipeline: MeasuredPipeline,
    questions: Sequence[Question],
    scoring: Scoring,
    *,
    answers: bool = False,
    parallel: int = 4,
) -> AsyncGenerator[Record]:
    """A record for each question, as they are done.

    Retrieval runs one question at a time after a warm-up, so that its times mean something; answers
    run `parallel` at a time, as the engine batches them.
    """
    await pipeline.search("warm up")  # opens the index and loads the model
    for start in range(0, len(questions), parallel if answers else 1):
        some = questions[start : start + (parallel if answers else 1)]
        records = [await retrieve_one(pipeline, question, scoring.depth) for question in some]
        if answers:
            pairs = zip(some, records, strict=True)
            records = await asyncio.gather(*(answer_one(pipeline, q, r) for q, r in pairs))
        for question, record in zip(some, records, strict=True):
            yield replace(record, metrics=score(question, record, scoring))


async def require_documents(pipeline: Pipeline, questions: Sequence[Question]) -> list[str]:
    """Names of documents that the questions need and the index does not hold.

    Raises DocumentNotFound if it holds none of those that they need.
    """
    names = {document.name for document in await pipeline.documents()}
    missing = missing_documents(questions, names)
    if missing and len(missing) == len(missing_documents(questions, ())):
        raise DocumentNotFound(
            f"none of the documents that the questions name is in the index: {missing[0]}, …",
            hint="Ingest them first (rag ingest FOLDER), or name their --collection.",
        )
    return missing


async def retrieve_one(pipeline: MeasuredPipeline, question: Question, k: int) -> Record:
    """The question's first k passages, with the times of the two halves of retrieval."""
    cache = await pipeline.cache()
    before, started = cache.seconds, time.perf_counter()
    try:
        found = await pipeline.search(
            question.question, question.history, k=k, scope=_scope(question)
        )
    except DocumentNotFound:  # reported once for all questions by missing_documents
        found = Retrieved(question.question, question.question, ())
    total, embedding = time.perf_counter() - started, cache.seconds - before
    return Record(
        id=question.id,
        retrieved=tuple(map(RetrievedPassage.of, found.hits)),
        likely=await _likely(found, cache, await pipeline.calibration()),
        embed_ms=embedding * 1000,
        search_ms=(total - embedding) * 1000,
    )


async def _likely(
    found: Retrieved, embedder: Embedder, calibration: Calibration | None
) -> float | None:
    if not is_measured(calibration, embedder.id):
        return None
    if not found.hits:
        return 0.0
    return (await estimate_answerability(found, embedder, calibration)).likely


async def answer_one(pipeline: Pipeline, question: Question, record: Record) -> Record:
    """The record with the engine's answer, or with the reason why there is none."""
    started = time.perf_counter()
    try:
        answer = await ask(pipeline, question)
    except (EngineError, DocumentNotFound) as error:
        return replace(record, error=f"{type(error).__name__}: {error}")
    return replace(
        record,
        answer=answer.text,
        citations=tuple(map(CitedPage.of, answer.citations)),
        abstained=answer.refused,
        answer_ms=(time.perf_counter() - started) * 1000,
    )


async def ask(pipeline: Pipeline, question: Question) -> Answer:
    """The finished answer to a question; greedy, so that two runs agree."""
    options = AskOptions(temperature=0.0)
    events = pipeline.ask(
        question.question, question.history, scope=_scope(question), options=options
    )
    async with aclosing(events):
        async for event in events:
            if isinstance(event, Done):
                return event.answer
    raise EngineError("the answer ended without its last event")


def setup(pipeline: Pipeline, scoring: Scoring) -> dict[str, Any]:
    """What the figures depend on, to be written next to them."""
    plan = pipeline.retrieval_plan
    parts = {f.name: getattr(plan, f.name) for f in fields(plan)}
    return {
        "embedding_model": pipeline.embedding_model,
        "chunk_tokens": pipeline.settings.chunk_tokens,
        "recipe": pipeline.recipe,
        "plan": {name: dict(v) if isinstance(v, Mapping) else v for name, v in parts.items()},
        "k": scoring.k,
        "budget": scoring.budget,
    }


def _scope(question: Question) -> Scope:
    return Scope(documents=(question.scope,)) if question.scope else Scope()
