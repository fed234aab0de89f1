"""Answers under way: each in a task of its own, so many and no more."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing

from fastapi import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rag.config import Settings
from rag.errors import AnswerStopped, EngineBusy, RagError, SessionBusy
from rag.events import AnswerEvent, Delta, Done, MapProgress, Thought
from service.jobs import Waiting

Told = AnswerEvent | Waiting
_log = logging.getLogger(__name__)
# Answers that decode together on the smallest machine.
_TOGETHER = 8


def at_once(settings: Settings) -> int:
    """How many answers may be under way: those that decode together, and those that may wait."""
    return _TOGETHER + settings.queue_limit


class Running:
    """An answer that is being told. It runs on when nobody reads, until it is stopped, and whoever
    comes later hears it from its beginning.

    In a task of its own, because a response's task is cancelled again at each await once its
    client is gone, and the engine could not take its request back in peace.
    """

    def __init__(self, source: AsyncGenerator[Told], about: object = None) -> None:
        self.about = about  # whose answer it is
        self.stopped = False
        self.told: list[Told] = []
        self._changed = asyncio.Event()
        self._reader = self.reader()
        self.task = asyncio.create_task(self._pump(source))
        self.task.add_done_callback(lambda _: self._touch())

    async def _pump(self, source: AsyncGenerator[Told]) -> None:
        async with aclosing(source):
            async for event in source:
                self.told.append(event)
                self._touch()

    def _touch(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def reader(self) -> Reader:
        """Somebody who hears it from its beginning."""
        return Reader(self)

    async def next(self) -> Told | None:
        """The first reader's next event; None after the last. Raises what the answer raised."""
        return await self._reader.next()

    async def at(self, place: int) -> Told | None:
        """The event at a place, once it is told; None behind the last. Raises as `next`."""
        while place >= len(self.told):
            if self.task.done():
                self._raise()
                return None
            await self._changed.wait()
        return self.told[place]

    def _raise(self) -> None:
        if self.task.cancelled():
            hint = None if self.stopped else "The service is shutting down."
            raise AnswerStopped("the answer was stopped", hint=hint)
        error = self.task.exception()
        if error is None or isinstance(error, RagError):
            if error is not None:
                raise error
            return
        # The outermost edge of a stream: its status is long sent, so it is told as an event.
        _log.error("an answer failed", exc_info=error)
        raise RagError("something went wrong inside the service", hint="Its log says more.")

    @property
    def ended(self) -> bool:
        """Whether all is told, though its task may still have something to put away."""
        return self.task.done() or (bool(self.told) and isinstance(self.told[-1], Done))

    async def last(self) -> Told | None:
        """Waits for the end. Raises what the answer raised."""
        last = None
        while (event := await self.next()) is not None:
            last = event
        return last

    def stop(self) -> None:
        self.stopped = True
        self.task.cancel()


class Reader:
    """Hears an answer from its beginning: what was told before it came in few pieces."""

    def __init__(self, running: Running) -> None:
        self._running = running
        self._place = len(running.told)
        self._before = iter(_merged(running.told))

    async def next(self) -> Told | None:
        """The next event; None after the last. Raises what the answer raised."""
        if (event := next(self._before, None)) is not None:
            return event
        event = await self._running.at(self._place)
        self._place += event is not None
        return event


class Answers:
    """All answers under way in this process."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._running: set[Running] = set()
        self._sessions: dict[str, Running] = {}

    def __len__(self) -> int:
        return len(self._running)

    def start(
        self, tell: Callable[[], AsyncGenerator[Told]], session: str | None = None
    ) -> Running:
        """Begin an answer. Raises EngineBusy at the limit, SessionBusy where the session has one
        under way."""
        if session is not None and self.of(session) is not None:
            raise SessionBusy("an answer of this session is being written")
        if len(self._running) >= self.limit:
            raise EngineBusy(f"{self.limit} questions are being answered or waiting")
        running = Running(tell(), getattr(tell, "__self__", None))
        if session is not None:
            self._sessions[session] = running
            running.task.add_done_callback(lambda _: self._forget(session, running))
        self._running.add(running)
        running.task.add_done_callback(lambda _: self._running.discard(running))
        return running

    def of(self, session: str) -> Running | None:
        """The answer that is being written in a session."""
        running = self._sessions.get(session)
        return running if running is not None and not running.ended else None

    def _forget(self, session: str, running: Running) -> None:
        if self._sessions.get(session) is running:
            del self._sessions[session]

    async def stop(self, session: str) -> None:
        """Stop the session's answer, if there is one, and wait until it is written down."""
        if running := self._sessions.get(session):
            running.stop()
            await asyncio.wait({running.task})

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


def _merged(events: Sequence[Told]) -> list[Told]:
    """With the pieces of text, and the steps of progress, that follow each other as one."""
    merged: list[Told] = []
    for event in events:
        last = merged[-1] if merged else None
        if isinstance(event, Delta) and isinstance(last, Delta):
            merged[-1] = Delta(last.text + event.text)
        elif isinstance(event, Thought) and isinstance(last, Thought) and not event.restart:
            merged[-1] = Thought(last.text + event.text, last.restart)
        elif isinstance(event, MapProgress | Waiting) and type(event) is type(last):
            merged[-1] = event
        else:
            merged.append(event)
    return merged


async def unless_gone(
    request: Request, result: Awaitable[Told | None], stop: Callable[[], None]
) -> Told | None:
    """The result; None, and `stop` called, if the client goes away before."""
    wanted = asyncio.ensure_future(result)
    gone = asyncio.create_task(_gone(request))
    try:
        await asyncio.wait({wanted, gone}, return_when=asyncio.FIRST_COMPLETED)
        return wanted.result() if wanted.done() else None
    finally:
        gone.cancel()
        if not wanted.done():
            wanted.cancel()
            stop()


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
