"""The library's face: a collection that is opened, filled and asked. See docs/python.md."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Sequence
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from rag.answering.conversation import Conversation
from rag.config import load_settings
from rag.embedders.base import Embedder
from rag.engines.base import Engine
from rag.errors import RagError
from rag.events import AnswerEvent, Done, IngestEvent, Summary
from rag.ingest.extractor import Extractor
from rag.options import AskOptions, Scope
from rag.pipeline import Pipeline, open_pipeline
from rag.runtime import Runtime
from rag.types import Answer, Document, Hit, Message

PathLike = str | os.PathLike[str]
T = TypeVar("T")


@asynccontextmanager
async def open_collection(
    name: str | None = None,
    *,
    embedder: Embedder | None = None,
    engine: Engine | None = None,
    notify: Callable[[str], None] | None = None,
    **settings: Any,
) -> AsyncIterator[Collection]:
    """Open the collection `name`, and close it and its models when the block ends.

    Nothing is read or loaded before it is needed; a collection that is not there yet is made by the
    first ingest. `settings` are those of docs/config.md, on top of the environment and rag.toml.
    `embedder` and `engine` stand in for the models that the settings name. `notify` is told, in a
    line, of what takes time: a download, an import, an upgrade of the index.

    Raises ConfigError for a setting that is unknown or wrong.
    """
    chosen = load_settings(**settings, **({} if name is None else {"collection": name}))
    runtime = Runtime(chosen, embedder=embedder, engine=engine, notify=notify)
    try:
        async with open_pipeline(chosen, runtime) as pipeline:
            yield Collection(pipeline)
    finally:
        await runtime.close()


class Collection:
    """An open collection. Safe for many tasks of one event loop at once, but for ingests: one at a
    time."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline  # for what this face leaves out

    @property
    def name(self) -> str:
        return self.pipeline.settings.collection

    # ── ingest ────────────────────────────────────────────────────────────────────────────────

    async def ingest(
        self,
        paths: PathLike | Iterable[PathLike],
        *,
        password: str | None = None,
        prune: bool = False,
        retry: bool = False,
        reread: bool = False,
        extractor: Extractor | None = None,
    ) -> Summary:
        """Bring the collection in step with files, folders and globs; unchanged ones are not read.

        A file that cannot be read fails by itself and is counted in the Summary: `ingest_events`
        names it. `prune` takes files out that are gone, `retry` tries again what failed before,
        `reread` reads unchanged files anew. `extractor` reads the files elsewhere.

        Raises PathNotFound, IndexLocked, IndexMismatch, ModelError, EmbeddingError, StoreError.
        """
        events = self.ingest_events(
            paths, password=password, prune=prune, retry=retry, reread=reread, extractor=extractor
        )
        return await _last(events, Summary)

    def ingest_events(
        self,
        paths: PathLike | Iterable[PathLike],
        *,
        password: str | None = None,
        prune: bool = False,
        retry: bool = False,
        reread: bool = False,
        extractor: Extractor | None = None,
    ) -> AsyncGenerator[IngestEvent]:
        """As `ingest`, telling what happens meanwhile; the last event is the Summary. Closing it
        stops the ingest; what was committed stays."""
        named = [paths] if isinstance(paths, str | os.PathLike) else paths
        return self.pipeline.ingest(
            [Path(path) for path in named],
            password=password,
            prune=prune,
            retry=retry,
            reread=reread,
            extractor=extractor,
        )

    # ── ask ───────────────────────────────────────────────────────────────────────────────────

    async def search(
        self,
        question: str,
        *,
        k: int | None = None,
        scope: Scope | None = None,
        history: Sequence[Message] = (),
    ) -> tuple[Hit, ...]:
        """The k passages that matter most, best first. With `history` the question may be a
        follow-up.

        Raises InvalidQuestion, IndexMissing, IndexMismatch, DocumentNotFound, ModelError.
        """
        return (await self.pipeline.search(question, history, k=k, scope=scope)).hits

    async def ask(
        self,
        question: str,
        *,
        scope: Scope | None = None,
        options: AskOptions | None = None,
        history: Sequence[Message] = (),
        conversation: Conversation | None = None,
    ) -> Answer:
        """An answer whose citations are verified; `refused` where the documents do not hold it.

        A `conversation` stands in for `history` and has one turn more afterwards. Raises what
        `search` does, EngineError and InvalidSchema.
        """
        events = self.stream(
            question, scope=scope, options=options, history=history, conversation=conversation
        )
        return (await _last(events, Done)).answer

    def stream(
        self,
        question: str,
        *,
        scope: Scope | None = None,
        options: AskOptions | None = None,
        history: Sequence[Message] = (),
        conversation: Conversation | None = None,
    ) -> AsyncGenerator[AnswerEvent]:
        """As `ask`, while the model writes: Retrieved, Quoted where the answer begins with the
        passages' own sentences, MapProgress… where documents are read whole,
        Delta…, Done. Closing it stops the model."""
        return self.pipeline.ask(
            question, history, scope=scope, options=options, conversation=conversation
        )

    # ── documents ─────────────────────────────────────────────────────────────────────────────

    async def documents(self) -> list[Document]:
        """All documents. Raises IndexMissing."""
        return await self.pipeline.documents()

    async def remove(self, *names: str) -> list[Document]:
        """Take documents out by name, path, id or glob; the files stay. Returns them.

        Raises DocumentNotFound, IndexLocked, IndexMissing.
        """
        return await self.pipeline.remove(names)


async def _last(events: AsyncGenerator[Any], kind: type[T]) -> T:
    async with aclosing(events):
        async for event in events:
            if isinstance(event, kind):
                return event
    raise RagError(f"ended without {kind.__name__}", hint="Report this as a fault of the program.")
