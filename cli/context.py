"""What every command has at hand: the global options, and a way to run work on a pipeline."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from rag.backend import Backend
    from rag.config import Settings
    from rag.pipeline import Pipeline
    from rag.runtime import Runtime

T = TypeVar("T")
_TURN_S = 0.5  # until a lock is tried again
RuntimeFactory = Callable[["Settings"], "Runtime"]


def default_runtime(settings: Settings) -> Runtime:
    from cli.terminal import say
    from rag.runtime import Runtime

    return Runtime(settings, notify=say)


async def _in_turn(work: Callable[[], Awaitable[T]]) -> T:
    import asyncio

    from cli.terminal import say
    from rag.errors import IndexLocked

    told = False
    while True:
        try:
            return await work()
        except IndexLocked as error:
            if not told:
                say(f"{error}: waiting for it to end (Ctrl-C stops waiting)")
            told = True
            await asyncio.sleep(_TURN_S)


@dataclass(frozen=True, slots=True)
class Context:
    """`flags` holds the global options that are settings, None where not given."""

    flags: Mapping[str, Any]
    verbose: bool
    debug: bool
    runtime_factory: RuntimeFactory

    def settings(self, **flags: Any) -> Settings:
        """Settings with the command's flags on top of the global ones. Raises ConfigError."""
        from rag.config import load_settings

        given = {name: value for name, value in flags.items() if value is not None}
        return load_settings(**{**self.flags, **given})

    def run(
        self, work: Callable[[Pipeline], Awaitable[T]], *, in_turn: bool = False, **flags: Any
    ) -> T:
        """Do `work` in an event loop of its own, on a pipeline that is closed afterwards. With
        `in_turn` it waits while another process writes to the collection; nothing may be done
        before it takes the lock."""
        import asyncio

        async def run() -> T:
            async with self._pipeline(self.settings(**flags)) as pipeline:
                return await (_in_turn(lambda: work(pipeline)) if in_turn else work(pipeline))

        return asyncio.run(run())

    def run_backend(
        self,
        work: Callable[[Backend], Awaitable[T]],
        *,
        local: bool,
        as_of: str | None = None,
        answers: bool = False,
        **flags: Any,
    ) -> T:
        """Do `work` on the service that runs on this home, whose models are warm; on a pipeline of
        our own where there is none, with `local`, with another embedding model, or on the
        collection as it was when the tag `as_of` was set. What `answers` with a chat model of
        our own is offered the one that suits the machine."""
        import asyncio

        local = local or as_of is not None or self.flags.get("embedding_model") is not None
        return asyncio.run(self._run_backend(work, self.settings(**flags), local, as_of, answers))

    async def _run_backend(
        self,
        work: Callable[[Backend], Awaitable[T]],
        settings: Settings,
        local: bool,
        as_of: str | None,
        answers: bool,
    ) -> T:
        from rag.client import ServiceClient

        if not local:
            async with ServiceClient.running(settings) as client:
                if client is not None:
                    return await work(client)
        if answers and sys.stdin.isatty() and sys.stderr.isatty():
            from cli.offer import offer_default

            offer_default(settings)
        async with self._pipeline(settings) as pipeline:
            pipeline.as_of(as_of)
            return await work(pipeline)

    @asynccontextmanager
    async def _pipeline(self, settings: Settings) -> AsyncIterator[Pipeline]:
        from rag.pipeline import open_pipeline

        runtime = self.runtime_factory(settings)
        try:
            async with open_pipeline(settings, runtime) as pipeline:
                yield pipeline
        finally:
            await runtime.close()
