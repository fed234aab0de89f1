"""The two flows put together. Everything a command or an endpoint does is a method here."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from rag.answering.conversation import Conversation
from rag.config import Settings
from rag.embedders.base import Embedder
from rag.engines.sampling import grammar
from rag.errors import IndexMissing, InvalidQuestion, RagError
from rag.events import AnswerEvent, IngestEvent
from rag.ingest.plan import Index, Plan, discover, located, make_plan
from rag.options import AskOptions, Scope
from rag.readers.formats import SUFFIXES
from rag.rerankers.base import Reranker
from rag.retrieval.document_lookup import find_documents
from rag.retrieval.filters import matching
from rag.retrieval.follow_up import search_text
from rag.retrieval.fusion import RetrievalPlan
from rag.retrieval.retrieve import SearchText, retrieve
from rag.runtime import Runtime
from rag.store import Filter, Snapshot, Store, StoreWriter
from rag.store.lock import writer_lock
from rag.store.manifest import read_manifest
from rag.types import Document, Hit, Message, Page

if TYPE_CHECKING:
    from rag.answering.answer import Finder
    from rag.answering.answerability import Judged
    from rag.search_process import SearchProcess

__all__ = ["AskOptions", "Conversation", "Pipeline", "Scope", "open_pipeline"]


class Pipeline:
    """One collection's documents, with the models to embed, find and answer."""

    def __init__(
        self, settings: Settings, runtime: Runtime, *, beside: SearchProcess | None = None
    ) -> None:
        """The first question is searched for by the process `beside` this one, if there is one; it
        belongs to who started it."""
        self.settings = settings
        self.runtime = runtime
        self._beside = beside
        self.plan = RetrievalPlan.of(settings)
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
    ) -> Plan:
        """What `ingest` would do. Raises UnsupportedFile for a path that names nothing."""
        arguments = list(paths)
        try:
            store = await self.store()
        except IndexMissing:
            index = Index({}, {}, {})
        else:
            snapshot = await store.snapshot()
            index = Index(snapshot.by_path, snapshot.recipes, await store.failures())
        return await asyncio.to_thread(self._compare, arguments, index, retry, reread)

    def _compare(self, arguments: Sequence[Path], index: Index, retry: bool, reread: bool) -> Plan:
        files = discover(arguments, SUFFIXES)
        roots = [located(path) for path in arguments]
        return make_plan(files, roots, index, self.recipe, retry=retry, reread=reread)

    @property
    def recipe(self) -> str:
        """The rules by which documents are extracted and cut: a change re-chunks them."""
        from rag.ingest.extractor import RECIPE

        extraction = self.settings.extraction
        rules = f"{RECIPE} {self.settings.chunk_tokens}"
        return f"{rules} layout={extraction.layout:d} ocr={extraction.ocr:d}"

    async def ingest(
        self,
        paths: Iterable[Path],
        *,
        password: str | None = None,
        prune: bool = False,
        retry: bool = False,
        reread: bool = False,
    ) -> AsyncGenerator[IngestEvent]:
        """Bring the index in step with files. Raises IndexLocked, IndexMismatch.

        `retry` tries again what failed before, `reread` reads files anew that did not change.
        """
        from rag.ingest.extractor import Extractor
        from rag.ingest.run import Ingest

        with writer_lock(self.settings.collection_dir):
            store, embedder = await self.writer()
            plan = await self.plan_ingest(paths, retry=retry, reread=reread)
            async with Extractor(
                self.settings,
                tokenizer_file=self.runtime.tokenizer_file(self.embedding_model),
                workers=self.workers,
            ) as extractor:
                run = Ingest(
                    plan,
                    store,
                    embedder,
                    extractor,
                    recipe=self.recipe,
                    password=password,
                    prune=prune,
                    parallel=self.workers,
                )
                async with aclosing(run.events()) as events:
                    async for event in events:
                        yield event

    async def writer(self) -> tuple[StoreWriter, Embedder]:
        """The store for writing (hold the lock) and its embedder. Raises IndexMismatch."""
        embedder, directory = await self.embedder(), self.settings.collection_dir
        store = await StoreWriter.create(
            directory, embedder.id, embedder.dimensions, self.embedding_model
        )
        self.close()
        self._store = store
        return store, embedder

    @property
    def workers(self) -> int:
        """Worker processes for extraction."""
        return self.settings.workers or min(8, os.cpu_count() or 1)

    # ── ask ───────────────────────────────────────────────────────────────────────────────────

    async def search(
        self,
        question: str,
        history: Sequence[Message] = (),
        *,
        k: int | None = None,
        scope: Scope | None = None,
    ) -> list[Hit]:
        """The k passages that matter most, best first. Raises InvalidQuestion, IndexMissing."""
        _check(question)
        text = search_text(question, history)
        store, (embedder, sought) = await asyncio.gather(self.store(), self._embedded(text))
        await store.require_embedder(embedder.id)
        where = await self._filter(scope or Scope())
        return await retrieve(
            sought,
            store,
            k=k or self.settings.k,
            where=where,
            plan=self.plan,
            rerankers=await self._rerankers(),
        )

    async def _embedded(self, text: str) -> tuple[Embedder, SearchText]:
        """The embedder, and the text with its vectors. The first one has to load the model."""
        embedder = await self.embedder()
        return embedder, await SearchText.of(text, embedder, self.plan)

    async def _rerankers(self) -> dict[str, Reranker]:
        """Those that the plan has a weight for. Raises ConfigError, ModelNotFound…"""
        found: dict[str, Reranker] = {}
        if "cross_encoder" in self.plan.weights:
            found["cross_encoder"] = await self.runtime.reranker()
        return found

    async def ask(
        self,
        question: str,
        history: Sequence[Message] = (),
        *,
        scope: Scope | None = None,
        options: AskOptions | None = None,
        conversation: Conversation | None = None,
    ) -> AsyncGenerator[AnswerEvent]:
        """Answer from the documents: Retrieved, then Delta…, then Done.

        A `conversation` stands in for `history` and has one turn more afterwards; its prompts only
        grow, so that the engine reads again only what is new. Raises what `search` does, and
        InvalidSchema.
        """
        from rag.answering.answer import Answering, Asked

        _check(question)
        options, scope = options or AskOptions(), scope or Scope()
        if options.schema is not None:  # said now, not when long documents have been read for it
            await asyncio.to_thread(grammar, options.schema)
        if conversation is None:
            conversation = Conversation.of(history)
        earlier = conversation.messages
        searched = search_text(question, earlier)
        async with self._finder(options.model) as finder:
            hits = await finder.search(question, earlier, k=options.k, scope=scope)
            chosen = await finder.chosen(scope, everything=bool(options.whole))
            asked = Asked(question, searched, tuple(hits), chosen, scope.pages)
            answering = Answering(self.settings, self.runtime, finder, conversation)
            async with aclosing(answering.events(asked, options)) as events:
                async for event in events:
                    yield event

    @asynccontextmanager
    async def _finder(self, model: str | None) -> AsyncIterator[Finder]:
        """This pipeline; or the process beside it, while the chat model is loaded in this one."""
        beside, self._beside = self._beside, None
        if beside is None:
            yield self
            return
        read_manifest(self.settings.collection_dir)  # nothing ingested: said before all is opened
        await beside.open(self.settings, self._tag)
        async with self.loading(model):
            yield beside

    @asynccontextmanager
    async def loading(self, model: str | None) -> AsyncIterator[None]:
        """Have a chat model (None: the default) loaded beside what the block does. What hinders
        that is told to whoever asks the model."""
        loading = asyncio.create_task(self.load(model))
        try:
            yield
        finally:
            loading.cancel()
            with suppress(asyncio.CancelledError, RagError):
                await loading

    async def load(self, model: str | None) -> str:
        """Have a chat model at hand (None: the default); returns its name. Raises ModelError."""
        async with self.runtime.lease(model) as engine:
            return engine.model

    async def chosen(self, scope: Scope, *, everything: bool) -> tuple[Document, ...]:
        """The documents of a scope in order of their paths; of an open one none, or everything."""
        by_id = (await self.documents()).by_id
        ids = (await self._filter(scope)).document_ids
        wanted = by_id if ids is None and everything else ids or ()
        found = [by_id[id_] for id_ in wanted if id_ in by_id]
        return tuple(sorted(found, key=lambda document: document.path))

    async def judge(self, question: str, searched: str, hits: Sequence[Hit]) -> Judged:
        """Whether passages that were found can hold the answer. Raises EmbeddingError."""
        from rag.answering.answerability import judge

        return await judge(question, searched, hits, await self.embedder())

    async def pages(self, document_id: str, numbers: Sequence[int]) -> list[Page]:
        """Pages of a document in order. Raises IndexMissing."""
        return await (await self.store()).pages(document_id, numbers)

    # ── documents ─────────────────────────────────────────────────────────────────────────────

    async def documents(self) -> Snapshot:
        """Raises IndexMissing."""
        return await (await self.store()).snapshot()

    async def find(self, name: str) -> list[Document]:
        """Documents that answer to a name. Raises DocumentNotFound, naming near misses."""
        snapshot = await self.documents()
        return find_documents(name, list(snapshot.by_path.values()))

    async def remove(self, names: Iterable[str]) -> list[Document]:
        """Take documents out of the index; the files stay. Raises DocumentNotFound, IndexLocked."""
        with writer_lock(self.settings.collection_dir):
            found = {d.path: d for name in names for d in await self.find(name)}
            store = await StoreWriter.open(self.settings.collection_dir)
            await store.remove(found)
            store.close()
        await self.refresh()
        return list(found.values())

    async def refresh(self) -> None:
        """See now what another process has written, instead of within a second."""
        if self._store is not None:
            await self._store.refresh()

    async def _filter(self, scope: Scope) -> Filter:
        """Raises DocumentNotFound, InvalidQuestion."""
        if scope.all_documents:
            return Filter(None, scope.pages)
        known = list((await self.documents()).by_path.values())
        named = {d.path: d for name in scope.documents for d in find_documents(name, known)}
        found = matching(list(named.values()) if scope.documents else known, scope)
        return Filter(tuple(sorted({d.id for d in found})), scope.pages)


@asynccontextmanager
async def open_pipeline(
    settings: Settings, runtime: Runtime | None = None, *, beside: SearchProcess | None = None
) -> AsyncIterator[Pipeline]:
    """A pipeline on the collection that the settings name; closes what it opened."""
    own = runtime is None
    runtime = runtime or Runtime(settings)
    pipeline = Pipeline(settings, runtime, beside=beside)
    try:
        yield pipeline
    finally:
        pipeline.close()
        if own:
            await runtime.close()


def _check(question: str) -> None:
    if not any(char.isalnum() for char in question):
        raise InvalidQuestion("the question is empty")
