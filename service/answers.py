"""Answers under way: each in a task of its own, so many and no more."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing

from fastapi import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rag.config import Settings
from rag.errors import EngineBusy, EngineError, RagError
from rag.events import AnswerEvent
from service.jobs import Waiting

Told = AnswerEvent | Waiting
_log = logging.getLogger(__name__)
# Answers that decode together on the smallest machine.
_TOGETHER = 8


def at_once(settings: Settings) -> int:
    """How many answers may be under way: those that decode together, and those that may wait."""
    return _TOGETHER + settings.queue_limit


class Running:
    """An answer that is being told. It runs on when nobody reads, until it is stopped.

    In a task of its own, because a response's task is cancelled again at each await once its
    client is gone, and the engine could not take its request back in peace.
    """

    def __init__(self, source: AsyncGenerator[Told]) -> None:
        self._events: asyncio.Queue[Told | None] = asyncio.Queue()
        self.task = asyncio.create_task(self._pump(source))
        self.task.add_done_callback(lambda _: self._events.put_nowait(None))

    async def _pump(self, source: AsyncGenerator[Told]) -> None:
        async with aclosing(source):
            async for event in source:
                self._events.put_nowait(event)

    async def next(self) -> Told | None:
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

    async def last(self) -> Told | None:
        """Waits for the end. Raises what the answer raised."""
        last = None
        while (event := await self.next()) is not None:
            last = event
        return last

    def stop(self) -> None:
        self.task.cancel()


class Answers:
    """All answers under way in this process."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._running: set[Running] = set()

    def __len__(self) -> int:
        return len(self._running)

    def start(self, tell: Callable[[], AsyncGenerator[Told]]) -> Running:
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
    request: Request, running: Running, result: Awaitable[Told | None]
) -> Told | None:
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


class UntilGone:
    """ASGI middleware that ends a request when its client goes away, for apps that do not look."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        messages: asyncio.Queue[Message] = asyncio.Queue()

        async def read() -> None:
            message: Message = {}
            while message.get("type") != "http.disconnect":
                message = await receive()
                messages.put_nowait(message)

        reading = asyncio.create_task(read())
        working = asyncio.ensure_future(self.app(scope, messages.get, send))
        try:
            await asyncio.wait({reading, working}, return_when=asyncio.FIRST_COMPLETED)
            if working.done() or reading.exception():
                (working if working.done() else reading).result()
        finally:
            for task in (reading, working):
                task.cancel()
            await asyncio.gather(reading, working, return_exceptions=True)
