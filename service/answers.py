"""Answers under way: each in a task of its own, so many and no more."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing

from fastapi import Request

from rag.errors import EngineBusy, EngineError, RagError
from rag.events import AnswerEvent

_log = logging.getLogger(__name__)


class Running:
    """An answer that is being told. It runs on when nobody reads, until it is stopped.

    In a task of its own, because a response's task is cancelled again at each await once its
    client is gone, and the engine could not take its request back in peace.
    """

    def __init__(self, source: AsyncGenerator[AnswerEvent]) -> None:
        self._events: asyncio.Queue[AnswerEvent | None] = asyncio.Queue()
        self.task = asyncio.create_task(self._pump(source))
        self.task.add_done_callback(lambda _: self._events.put_nowait(None))

    async def _pump(self, source: AsyncGenerator[AnswerEvent]) -> None:
        async with aclosing(source):
            async for event in source:
                self._events.put_nowait(event)

    async def next(self) -> AnswerEvent | None:
        """The next event; None after the last. Raises what the answer raised."""
        event = await self._events.get()
        if event is not None:
            return event
        self._events.put_nowait(None)
        if self.task.cancelled():
            raise EngineError("the answer was stopped", hint="The service is shutting down.")
        error = self.task.exception()
        if error is None:
            return None
        if isinstance(error, RagError):
            raise error
        # The outermost edge of a stream: its status is long sent, so it is told as an event.
        _log.error("an answer failed", exc_info=error)
        raise RagError("something went wrong inside the service", hint="Its log says more.")

    def stop(self) -> None:
        self.task.cancel()


class Answers:
    """All answers under way in this process."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._running: set[Running] = set()

    def __len__(self) -> int:
        return len(self._running)

    def start(self, tell: Callable[[], AsyncGenerator[AnswerEvent]]) -> Running:
        """Begin an answer. Raises EngineBusy at the limit."""
        if len(self._running) >= self.limit:
            raise EngineBusy(f"{self.limit} questions are being answered or waiting")
        running = Running(tell())
        self._running.add(running)
        running.task.add_done_callback(lambda _: self._running.discard(running))
        return running

    async def drain(self, seconds: float) -> None:
        """Let answers end for so long, then stop them and wait until they have."""
        tasks = {running.task for running in self._running}
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=seconds)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late)


async def unless_gone(
    request: Request, running: Running, result: Awaitable[AnswerEvent | None]
) -> AnswerEvent | None:
    """The result; None, and the answer stopped, if the client goes away before."""
    wanted = asyncio.ensure_future(result)
    gone = asyncio.create_task(_gone(request))
    try:
        await asyncio.wait({wanted, gone}, return_when=asyncio.FIRST_COMPLETED)
        return wanted.result() if wanted.done() else None
    finally:
        gone.cancel()
        if not wanted.done():
            wanted.cancel()
            running.stop()


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
