"""A first question, searched for by a process of its own while the chat model is loaded."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from store_factory import addition

from rag.compute.mlx_runtime import MLXThread
from rag.config import Settings
from rag.embedders.factory import open_embedder
from rag.errors import IndexMissing, InvalidQuestion, ModelNotFound, RagError
from rag.events import Done
from rag.options import AskOptions, Scope
from rag.pipeline import Pipeline, open_pipeline
from rag.runtime import Runtime
from rag.search_process import SearchProcess
from rag.store import StoreWriter

PAGES = ["The harbour dues rose in March.", "Herons stand in shallow water.", "Bread is baked."]
QUESTION = "When did the dues of the harbour rise?"


@pytest.fixture
async def indexed(settings: Settings, mlx_thread: MLXThread) -> Settings:
    """Settings of a collection with one document, embedded by the bundled model."""
    embedder = await open_embedder(settings, mlx_thread)
    vectors = await embedder.embed_documents(PAGES)
    store = await StoreWriter.create(
        settings.collection_dir, embedder.id, embedder.dimensions, settings.embedding_model
    )
    await store.commit([addition("dues", PAGES, list(vectors))])
    await store.optimize()
    store.close()
    await embedder.close()
    return settings


@pytest.fixture
async def beside() -> AsyncIterator[SearchProcess]:
    process = await SearchProcess.start()
    yield process
    await process.close()


async def test_it_answers_as_a_pipeline_does(indexed: Settings, beside: SearchProcess) -> None:
    await beside.open(indexed, None)
    async with open_pipeline(indexed) as pipeline:
        hits = await pipeline.search(QUESTION, k=2)
        assert await beside.search(QUESTION, (), k=2, scope=Scope()) == hits
        judged = await pipeline.judge(QUESTION, QUESTION, hits)
        assert await beside.judge(QUESTION, QUESTION, hits) == judged
        assert 0 < judged.likely < 1
        for scope, everything in [(Scope(("dues",)), False), (Scope(), True), (Scope(), False)]:
            chosen = await pipeline.chosen(scope, everything=everything)
            assert await beside.chosen(scope, everything=everything) == chosen
        [document] = await pipeline.chosen(Scope(("dues",)), everything=False)
        pages = await beside.pages(document.id, [1, 3])
        assert pages == await pipeline.pages(document.id, [1, 3])
        assert [page.text for page in pages] == [PAGES[0], PAGES[2]]


async def test_errors_come_across_with_their_hints(
    settings: Settings, beside: SearchProcess
) -> None:
    await beside.open(settings, None)
    for _ in range(2):  # it lives on
        with pytest.raises(IndexMissing) as caught:
            await beside.search(QUESTION, (), k=2, scope=Scope())
        assert "rag ingest" in caught.value.hint


async def test_a_process_that_dies_is_an_error_of_ours(
    indexed: Settings, beside: SearchProcess
) -> None:
    await beside.open(indexed, None)
    os.kill(beside._process.id, signal.SIGKILL)
    with pytest.raises(RagError, match="SIGKILL"):
        await beside.search(QUESTION, (), k=2, scope=Scope())


async def test_the_first_question_goes_to_it_and_the_next_does_not(
    indexed: Settings, beside: SearchProcess, chat_folder: Path
) -> None:
    cold = indexed.model_copy(update={"chat_model": str(chat_folder), "context_tokens": 2048})
    runtime = Runtime(cold)
    pipeline = Pipeline(cold, runtime, beside=beside)
    try:
        for opened in (False, True):
            asked = pipeline.ask(QUESTION, options=AskOptions(max_tokens=8))
            done = [event async for event in asked][-1]
            assert isinstance(done, Done)
            assert done.answer.hits[0].chunk.text == PAGES[0]
            assert done.answer.model == str(chat_folder)
            assert (pipeline._store is not None) == opened
    finally:
        pipeline.close()
        await runtime.close()


async def test_a_refusal_needs_no_chat_model(indexed: Settings, beside: SearchProcess) -> None:
    strict = indexed.model_copy(update={"refusal_threshold": 1.0, "chat_model": "no/such-model"})
    async with open_pipeline(strict, beside=beside) as pipeline:
        events = [event async for event in pipeline.ask("Who won the war of the moles?")]
    last = events[-1]
    assert isinstance(last, Done)
    assert last.answer.refused


async def test_what_is_wrong_at_once_is_said_at_once(
    settings: Settings, beside: SearchProcess
) -> None:
    for question, error in [("?!", InvalidQuestion), (QUESTION, IndexMissing)]:
        runtime = Runtime(settings)
        pipeline = Pipeline(settings, runtime, beside=beside)
        with pytest.raises(error):
            await anext(pipeline.ask(question))
        assert not runtime.engines.loaded()
        await runtime.close()


async def test_what_hinders_a_load_is_told_to_who_asks_the_model(settings: Settings) -> None:
    missing = settings.model_copy(update={"chat_model": "no-such-model"})
    async with open_pipeline(missing) as pipeline:
        async with pipeline.loading(None):
            pass
        with pytest.raises(ModelNotFound):
            await pipeline.load(None)
