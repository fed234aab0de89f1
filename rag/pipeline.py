"""The two flows put together. Everything a command or an endpoint does is a method here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from rag.answering.conversation import Conversation
from rag.calibration import Calibration
from rag.compute.cpu_cores import cores
from rag.config import Settings
from rag.embedders.base import Embedder
from rag.encoding import well_formed
from rag.engines.sampling import grammar
from rag.errors import IndexMissing, InvalidQuestion, RagError
from rag.events import AnswerEvent, Comparing, IngestEvent, Retrieved
from rag.ingest.comparison import comparison
from rag.ingest.messages import Setup
from rag.ingest.plan import IngestPlan
from rag.ingest.sources import NOTHING, Index
from rag.options import AskOptions, Scope
from rag.retrieval.document_lookup import Lookup
from rag.retrieval.follow_up import search_text
from rag.retrieval.fusion import RetrievalPlan
from rag.retrieval.retrieve import SearchText, retrieve
from rag.retrieval.scope import documents_of
from rag.runtime import Runtime
from rag.store import Filter, Snapshot, Store, StoreWriter
from rag.store.lock import writer_lock
from rag.store.manifest import read_manifest
from rag.types import Document, Message, Page

if TYPE_CHECKING:
    from rag.ingest.extractor import Extractor

__all__ = ["AskOptions", "Conversation", "Pipeline", "Scope", "open_pipeline"]


class Pipeline:
    """A Backend: one collection's documents, with the models to embed, find and answer."""

    url = None  # it is in this process

    def __init__(self, settings: Settings, runtime: Runtime) -> None:
        self.settings = settings
        self.runtime = runtime
        self.retrieval_plan = RetrievalPlan.of(settings)
        self._store: Store | None = None
        self._tag: str | None = None

    def as_of(self, tag: str | None) -> None:
        """From now on read the collection as it was when `tag` was set (None: as it is)."""
        self.close()
        self._tag = tag

    async def store(self) -> Store:
        """The index, open. Raises IndexMissing."""
        if self._store is None:
            self._store = await Store.open(self.settings.collection_dir, tag=self._tag)
        return self._store

    async def embedder(self) -> Embedder:
        """The embedding model that made the index, or that will make it."""
        return await self.runtime.embedder(self.embedding_model)

    async def calibration(self) -> Calibration | None:
        """What that model's cosines are worth here; None where it was not measured."""
        return await (await self.store()).calibration()

    @property
    def embedding_model(self) -> str:
        """The one that the settings name, else the one that the collection was made with."""
        if "embedding_model" not in self.settings.model_fields_set:
            with suppress(IndexMissing):
                return read_manifest(self.settings.collection_dir).model_of(self._tag)
        return self.settings.embedding_model

    def close(self) -> None:
        if self._store is not None:
            self._store.close()
            self._store = None

    # ── ingest ────────────────────────────────────────────────────────────────────────────────

    async def plan_ingest(
        self, paths: Iterable[Path], *, retry: bool = False, reread: bool = False
    ) -> IngestPlan:
        """What `ingest` would do. Raises PathNotFound for a path that names nothing."""
        async with aclosing(self._comparing(paths, retry=retry, reread=reread)) as steps:
            return [step async for step in steps if isinstance(step, IngestPlan)][-1]

    async def _comparing(
        self, paths: Iterable[Path], *, retry: bool, reread: bool
    ) -> AsyncGenerator[Comparing | IngestPlan]:
        index = NOTHING
        with suppress(IndexMissing):
            store = await self.store()
            snapshot = await store.snapshot()
            index = Index(snapshot.by_path, snapshot.recipes, await store.failures())
        own = self.settings.collection_dir.parent
        steps = comparison(list(paths), index, self.recipe, retry=retry, reread=reread, own=own)
        async with aclosing(steps):
            async for step in steps:
                yield step

    @property
    def recipe(self) -> str:
        """The rules by which documents are extracted and cut: a change re-chunks them."""
        from rag.ingest.extractor import recipe

        return recipe(self.settings.extraction, self.settings.chunk_tokens)

    async def ingest(
        self,
        paths: Iterable[Path],
        *,
        password: str | None = None,
        prune: bool = False,
        retry: bool = False,
        reread: bool = False,
        extractor: Extractor | None = None,
    ) -> AsyncGenerator[IngestEvent]:
        """Bring the index in step with files. Raises IndexLocked, IndexMismatch.

        `retry` tries again what failed before, `reread` reads unchanged files anew. `extractor`
        reads files by `extraction()`, `workers` at once; None: processes of this machine do."""
        from rag.ingest.extractor_pool import extracting
        from rag.ingest.run import Ingest

        with writer_lock(self.settings.collection_dir):
            yield Comparing(0, None)  # the embedding model loads
            store, embedder = await self.writer()
            async with aclosing(self._comparing(paths, retry=retry, reread=reread)) as steps:
                async for plan in steps:
                    if isinstance(plan, Comparing):
                        yield plan
            assert isinstance(plan, IngestPlan)  # a comparison ends with it
            async with extracting(extractor, self.extraction, self.workers) as reader:
                run = Ingest(
                    plan,
                    store,
                    embedder,
                    reader,
                    recipe=self.recipe,
                    password=password,
                    prune=prune,
                    parallel=self.workers,
                )
                async with aclosing(run.events()) as events:
                    async for event in events:
                        yield event
            self.runtime.forget(plan.gone if prune else ())

    def extraction(self) -> Setup:
        """By what files are read here: what an extractor elsewhere wants to know."""
        tokenizer = self.runtime.tokenizer_file(self.embedding_model)
        return Setup(self.settings.extraction, tokenizer, self.settings.chunk_tokens)

    async def writer(self) -> tuple[StoreWriter, Embedder]:
        """The store for writing (hold the lock) and its embedder. Raises IndexMismatch."""
        embedder, directory = await self.embedder(), self.settings.collection_dir
        store = await StoreWriter.create(
            directory,
            embedder.id,
            embedder.dimensions,
            self.embedding_model,
            notify=self.runtime.notify,
        )
        self.close()
        self._store = store
        return store, embedder

    @property
    def workers(self) -> int:
        """Worker processes for extraction."""
        return self.settings.workers or min(8, cores())

    # ── ask ───────────────────────────────────────────────────────────────────────────────────

    async def search(
        self,
        question: str,
        history: Sequence[Message] = (),
        *,
        k: int | None = None,
        scope: Scope | None = None,
    ) -> Retrieved:
        """As Backend.search. Raises EmbeddingError, IndexMismatch too."""
        question = well_formed(question)
        if not any(char.isalnum() for char in question):
            raise InvalidQuestion("the question is empty")
        text, scope = search_text(question, history), scope or Scope()
        store, (embedder, embedded) = await asyncio.gather(self.store(), self._embedded(text))
        await store.require_embedder(embedder.id)
        documents = () if scope.all_documents else documents_of(scope, await store.snapshot())
        ids = None if scope.all_documents else tuple(sorted({d.id for d in documents}))
        plan, where = self.retrieval_plan, Filter(ids, scope.pages)
        weighted = "cross_encoder" in plan.weights
        rerankers = {"cross_encoder": await self.runtime.reranker()} if weighted else {}
        k = k or self.settings.k
        hits = await retrieve(embedded, store, k=k, where=where, plan=plan, rerankers=rerankers)
        return Retrieved(question, text, tuple(hits), documents, scope.pages)

    async def _embedded(self, text: str) -> tuple[Embedder, SearchText]:
        """The embedder, and the text with its vectors. The first one has to load the model."""
        embedder = await self.embedder()
        return embedder, await SearchText.of(text, embedder, self.retrieval_plan)

    async def ask(
        self,
        question: str,
        history: Sequence[Message] = (),
        *,
        scope: Scope | None = None,
        options: AskOptions | None = None,
        conversation: Conversation | None = None,
    ) -> AsyncGenerator[AnswerEvent]:
        """As Backend.ask. The prompts of a `conversation` only grow, so that the engine reads again
        only what is new."""
        from rag.answering.answer import Answering

        options = options or AskOptions()
        if options.schema is not None:  # said now, not when long documents have been read for it
            await asyncio.to_thread(grammar, options.schema)
        conversation = conversation or Conversation.of(history)
        retrieved = await self.search(question, conversation.messages, k=options.k, scope=scope)
        answering = Answering(self, conversation)
        async with aclosing(answering.events(retrieved, options)) as events:
            async for event in events:
                yield event

    @asynccontextmanager
    async def loading(self, model: str | None) -> AsyncIterator[None]:
        """As Backend.loading."""
        loading = asyncio.create_task(self.load(model))
        try:
            yield
        finally:
            loading.cancel()
            with suppress(asyncio.CancelledError, RagError):
                await loading

    async def load(self, model: str | None) -> str:
        """As Backend.load."""
        async with self.runtime.lease(model) as engine:
            return engine.model

    async def pages(self, document_id: str, numbers: Sequence[int]) -> list[Page]:
        """Pages of a document in order. Raises IndexMissing."""
        return await (await self.store()).pages(document_id, numbers)

    # ── documents ─────────────────────────────────────────────────────────────────────────────

    async def documents(self) -> list[Document]:
        """As Backend.documents."""
        return list((await self.snapshot()).by_path.values())

    async def snapshot(self) -> Snapshot:
        """The documents of this moment, by path and by id. Raises IndexMissing."""
        return await (await self.store()).snapshot()

    async def find(self, name: str) -> list[Document]:
        """As Backend.find."""
        return Lookup(await self.documents()).find(name)

    async def remove(self, names: Iterable[str]) -> list[Document]:
        """Take documents out of the index; the files stay. Raises DocumentNotFound, IndexLocked."""
        with writer_lock(self.settings.collection_dir):
            found = {d.path: d for name in names for d in await self.find(name)}
            store = await StoreWriter.open(self.settings.collection_dir, notify=self.runtime.notify)
            await store.remove(found)
            store.close()
        self.runtime.forget(found)
        await self.refresh()
        return list(found.values())

    async def refresh(self) -> None:
        """See now what another process has written, instead of within a second."""
        if self._store is not None:
            await self._store.refresh()


@asynccontextmanager
async def open_pipeline(
    settings: Settings, runtime: Runtime | None = None
) -> AsyncIterator[Pipeline]:
    """A pipeline on the collection that the settings name; closes what it opened."""
    own = runtime is None
    runtime = runtime or Runtime(settings)
    pipeline = Pipeline(settings, runtime)
    try:
        yield pipeline
    finally:
        pipeline.close()
        if own:
            await runtime.close()
