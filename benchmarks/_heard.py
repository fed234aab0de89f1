"""An engine that is listened to: what it was asked, and how long its first words took."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager

from rag.config import Settings
from rag.engines.base import Engine
from rag.engines.vllm_mlx import VLLMMLXEngine
from rag.runtime import Runtime
from rag.types import Message, Piece


class HeardEngine:
    """An engine that notes each prompt, and the seconds to its first piece."""

    def __init__(self, inner: Engine) -> None:
        self._inner = inner
        self.model, self.context_tokens = inner.model, inner.context_tokens
        self.thinking_tokens = inner.thinking_tokens
        self.prompts: list[Sequence[Message]] = []
        self.first_s: list[float] = []

    def count_tokens(self, messages: Sequence[Message]) -> int:
        return self._inner.count_tokens(messages)

    async def stream(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        temperature: float,
        schema: Mapping[str, object] | None = None,
    ) -> AsyncGenerator[Piece]:
        self.prompts.append(messages)
        started, heard = time.perf_counter(), False
        stream = self._inner.stream(
            messages, max_tokens=max_tokens, temperature=temperature, schema=schema
        )
        async with aclosing(stream) as pieces:
            async for piece in pieces:
                if not heard:
                    self.first_s.append(time.perf_counter() - started)
                    heard = True
                yield piece

    def forget(self) -> None:
        """Empty the prefix cache of the engine in this process, while nothing is asked of it."""
        assert isinstance(self._inner, VLLMMLXEngine)
        self._inner._core.scheduler.memory_aware_cache.clear()

    async def close(self) -> None:
        await self._inner.close()


@asynccontextmanager
async def listening(settings: Settings) -> AsyncIterator[tuple[Runtime, HeardEngine]]:
    """The models of the settings, the chat model listened to."""
    own = Runtime(settings)
    try:
        engine = HeardEngine(await own.engine())
        embedder = await own.embedder(settings.embedding_model)
        runtime = Runtime(settings, engine=engine, embedder=embedder)
        try:
            yield runtime, engine
        finally:
            await runtime.close()
    finally:
        await own.close()
