"""The models of one process: opened when first used, shared by all pipelines, closed together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sized
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from rag.compute.import_patches import remember_models_of_transformers
from rag.compute.mlx_runtime import MLXThread
from rag.config import Settings
from rag.embedders.base import Embedder
from rag.engines import kept_files
from rag.engines.base import Engine
from rag.engines.capability import Capabilities
from rag.engines.pool import Engines, OpenEngine
from rag.models.registry import silent
from rag.rerankers.cross_encoder import CrossEncoder
from rag.verification.base import Verifier


class Runtime:
    """The embedder and the chat models of `settings`, on one MLX thread.

    Other implementations may be given, which tests and embedding programs use. `notify` is told,
    in a line, of what takes time (a download, an import, an upgrade of the index).
    """

    def __init__(
        self,
        settings: Settings,
        *,
        embedder: Embedder | None = None,
        engine: Engine | None = None,
        open_engine: OpenEngine | None = None,
        notify: Callable[[str], None] | None = None,
    ) -> None:
        self.settings = settings
        self.notify = notify or silent
        self.thread = MLXThread()
        self._given_embedder = embedder
        self._embedders: dict[str, Embedder] = {}
        self._reranker: CrossEncoder | None = None
        self._verifier: Verifier | None = None
        self._opening = asyncio.Lock()
        remember_models_of_transformers(settings.cache)
        budget = settings.model_memory_mb
        self.engines = Engines(
            settings,
            open_engine or self._open_engine,
            self._weights if open_engine is None else _unknown_size,
            budget=None if budget is None else budget << 20,
        )
        self.capabilities = Capabilities(settings.cache / "capabilities.json")
        if engine is not None:
            self.engines.adopt(engine)

    async def embedder(self, model: str) -> Embedder:
        """The embedding model of that name. Collections may have been made with different ones."""
        if self._given_embedder is not None:
            return self._given_embedder
        async with self._opening:
            if model not in self._embedders:
                from rag.embedders.factory import open_embedder

                self._embedders[model] = await open_embedder(
                    self._with(model), self.thread, notify=self.notify
                )
            return self._embedders[model]

    async def reranker(self) -> CrossEncoder:
        """The cross-encoder of the settings. Raises ModelNotFound, ModelLoadFailed."""
        async with self._opening:
            if self._reranker is None:
                self._reranker = await CrossEncoder.open(
                    self.settings, self.thread, notify=self.notify
                )
            return self._reranker

    async def verifier(self) -> Verifier:
        """What checks answers. Raises ModelNotFound."""
        async with self._opening:
            if self._verifier is None:
                from rag.verifiers.factory import open_verifier

                self._verifier = await asyncio.to_thread(open_verifier, self.settings, self.thread)
            return self._verifier

    def lease(self, model: str | None = None) -> AbstractAsyncContextManager[Engine]:
        """A chat model (None: the default one), kept open until the block ends."""
        return self.engines.lease(model)

    async def engine(self) -> Engine:
        """The default chat model, for whoever ends together with this runtime."""
        async with self.lease() as engine:
            return engine

    def expects_capable(self, model: str | None) -> bool | None:
        """Whether a chat model (None: the default one) was measured to be capable, before anybody
        waits for it to be loaded; None: it was not measured."""
        if (engine := self.engines.opened(model)) is not None:
            return self.capabilities.known(engine)
        return self.capabilities.expected(self._named(model))

    async def is_capable(self, engine: Engine, model: str | None) -> bool:
        """Of a leased model, by the name that it was leased by; measured if need be."""
        if self.capabilities.known(engine) is None:
            self.notify(f"Measuring what {engine.model} can do (once)")
        return await self.capabilities.of(engine, self._named(model))

    def _named(self, model: str | None) -> str:
        return f"{self.settings.engine_url or ''} {model or self.engines.default}"

    def tokenizer_file(self, model: str) -> Path:
        """The embedding model's tokenizer.json, by which chunks are measured."""
        from rag.models.registry import embedding_folder

        return Path(embedding_folder(self._with(model), self.notify), "tokenizer.json")

    def _with(self, model: str) -> Settings:
        return self.settings.model_copy(update={"embedding_model": model})

    def forget(self, removed: Sized) -> None:
        """Delete what models keep on disk of what they read, if something was removed. Raises
        StoreError."""
        if removed:
            kept_files.forget(self.settings.cache)

    async def close(self) -> None:
        await self.engines.close()
        for model in (self._given_embedder, *self._embedders.values(), self._reranker):
            if model is not None:
                await model.close()
        self.thread.close()

    async def _open_engine(self, settings: Settings) -> Engine:
        from rag.engines.base import open_engine

        return await open_engine(settings, self.thread, notify=self.notify)

    async def _weights(self, settings: Settings) -> int:
        """Bytes of the model's weights on disk, which is what they take in memory."""
        if settings.engine_url is not None or settings.model_memory_mb is None:
            return 0
        from rag.models.registry import chat_model

        folder = (await self.thread.run(chat_model, settings)).folder
        return sum(file.stat().st_size for file in folder.glob("*.safetensors"))


async def _unknown_size(_: Settings) -> int:
    return 0
