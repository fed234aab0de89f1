"""A pipeline over documents that were never PDFs, with fakes for the models: quick to make."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np
from store_factory import addition

from rag.config import Settings
from rag.events import AnswerEvent, Done
from rag.pipeline import AskOptions, Conversation, Pipeline, Scope
from rag.runtime import Runtime
from rag.store import StoreWriter
from rag.testing import FakeEmbedder, FakeEngine


@asynccontextmanager
async def pipeline_over(
    settings: Settings, engine: FakeEngine, documents: dict[str, list[str]], *, embedder: str = "x"
) -> AsyncIterator[Pipeline]:
    """`documents` are names to the texts of their pages. Each page is a chunk."""
    fake = FakeEmbedder(id=embedder)
    runtime = Runtime(settings, embedder=fake, engine=engine)
    store = await StoreWriter.create(settings.collection_dir, fake.id, fake.dimensions, "fake")
    additions = []
    for name, pages in documents.items():
        vectors = [np.asarray(vector) for vector in await fake.embed_documents(pages)]
        additions.append(addition(name, pages, vectors))
    await store.commit(additions)
    await store.optimize()
    store.close()
    pipeline = Pipeline(settings, runtime)
    try:
        yield pipeline
    finally:
        pipeline.close()
        await runtime.close()


async def events_of(
    pipeline: Pipeline,
    question: str,
    *,
    conversation: Conversation | None = None,
    documents: tuple[str, ...] = (),
    options: AskOptions | None = None,
) -> tuple[list[AnswerEvent], Done]:
    asked = pipeline.ask(
        question, scope=Scope(documents), options=options, conversation=conversation
    )
    events = [event async for event in asked]
    last = events[-1]
    assert isinstance(last, Done)
    return events, last
