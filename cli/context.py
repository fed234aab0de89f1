"""What every command has at hand: the global options, and a way to run work on a pipeline."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from rag.client import Remote
    from rag.config import Settings
    from rag.pipeline import Pipeline
    from rag.runtime import Runtime
    from rag.search_process import SearchProcess

T = TypeVar("T")
RuntimeFactory = Callable[["Settings"], "Runtime"]


def default_runtime(settings: Settings) -> Runtime:
    from cli.terminal import say
    from rag.runtime import Runtime

    return Runtime(settings, notify=say)


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

    def run(self, work: Callable[[Pipeline], Awaitable[T]], **flags: Any) -> T:
        """Do `work` in an event loop of its own, on a pipeline that is closed afterwards."""
        import asyncio

        return asyncio.run(self._run(work, self.settings(**flags)))

    def run_near(
        self,
        work: Callable[[Pipeline | Remote], Awaitable[T]],
        *,
        local: bool,
        answers: bool = False,
        **flags: Any,
    ) -> T:
        """Do `work` on the service that runs on this home, whose models are warm; on a pipeline of
        our own where there is none, with `local`, or with another embedding model. Work that
        `answers` has its first question searched for beside the load of the chat model."""
        import asyncio

        local = local or self.flags.get("embedding_model") is not None
        return asyncio.run(self._run_near(work, self.settings(**flags), local, answers))

    async def _run_near(
        self,
        work: Callable[[Pipeline | Remote], Awaitable[T]],
        settings: Settings,
        local: bool,
        answers: bool,
    ) -> T:
        from rag.client import Remote

        if not local:
            async with Remote.running(settings) as remote:
                if remote is not None:
                    return await work(remote)
        return await self._run(work, settings, answers)

    async def _run(
        self, work: Callable[[Pipeline], Awaitable[T]], settings: Settings, answers: bool = False
    ) -> T:
        beside = None
        # Models that are not ours to load need no time in which to search.
        if answers and self.runtime_factory is default_runtime and settings.engine_url is None:
            from rag.search_process import SearchProcess

            beside = await SearchProcess.start()  # before all else is imported
        try:
            return await self._work(work, settings, beside)
        finally:
            if beside is not None:
                await beside.close()

    async def _work(
        self,
        work: Callable[[Pipeline], Awaitable[T]],
        settings: Settings,
        beside: SearchProcess | None,
    ) -> T:
        from rag.pipeline import open_pipeline

        runtime = self.runtime_factory(settings)
        try:
            async with open_pipeline(settings, runtime, beside=beside) as pipeline:
                return await work(pipeline)
        finally:
            await runtime.close()
