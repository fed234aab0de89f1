"""A service in the benchmark's own process, and a client of it, for benchmarks/serve.py."""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2

from benchmarks._serve_texts import AT_LENGTH, long_answer, make_pdf, questions
from rag.config import Settings
from rag.engines import base as engines
from rag.engines.base import Engine
from rag.runtime import Runtime
from rag.testing import FakeEngine
from rag.types import Message, Piece
from service.app import create_app
from service.serving import Server, listen


class Overheard:
    """An engine that remembers what it was last asked, to be asked it without the service."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.model, self.context_tokens = engine.model, engine.context_tokens
        self.fingerprint = engine.fingerprint
        self.thinking_tokens = engine.thinking_tokens
        self.count_tokens, self.close = engine.count_tokens, engine.close
        self.asked: tuple[Sequence[Message], dict[str, Any]] = ((), {})

    def stream(self, messages: Sequence[Message], **options: Any) -> AsyncGenerator[Piece]:
        self.asked = messages, options
        return self._engine.stream(messages, **options)

    def again(self) -> AsyncGenerator[Piece]:
        return self._engine.stream(self.asked[0], **self.asked[1])


@dataclass(slots=True)
class Bench:
    """A service in this very loop, so that its stalls can be measured; and a client of it."""

    server: Server
    client: httpx2.AsyncClient
    engines: list[Overheard]
    questions: Iterator[str]
    options: dict[str, Any]  # of each question

    async def ingest(self, pages: int) -> None:
        """Upload a PDF of so many pages and wait until it is in the index."""
        files = {"file": (f"{pages}.pdf", await asyncio.to_thread(make_pdf, pages))}
        job = (await self.client.post("/documents", files=files)).json()["job"]
        while job["status"] not in ("done", "failed"):
            await asyncio.sleep(0.5)
            job = (await self.client.get(f"/jobs/{job['id']}")).json()
        assert job["status"] == "done", job

    async def ask(self, question: str, tokens: int, session: str | None = None) -> Asked:
        body = {"question": question, "max_tokens": tokens, "session_id": session, "stream": True}
        started, first, pieces = time.perf_counter(), float("nan"), 0
        async with self.client.stream("POST", "/query", json=body | self.options) as stream:
            async for event in httpx2.EventSource(stream, max_event_size=None):
                if event.event == "delta":
                    first = first if pieces else time.perf_counter() - started
                    pieces += 1
        data: Any = event.json()
        assert event.event == "done", data
        # A repetition that is cut ends without the engine's count.
        return Asked(first, data["finish"]["completion_tokens"] if data["finish"] else pieces)

    async def weigh(self, *, render: bool) -> tuple[float, int]:
        """CPU-seconds of this process, and bytes on the wire, of a long answer."""
        body = {"question": f"Kilns {AT_LENGTH}", "stream": True, "render": render}
        more = {"max_tokens": 16_000, "quotes": "off"}
        started, size = time.process_time(), 0
        async with self.client.stream("POST", "/query", json=body | self.options | more) as stream:
            async for part in stream.aiter_bytes():
                size += len(part)
        return time.process_time() - started, size


@dataclass(frozen=True, slots=True)
class Asked:
    """Seconds to the first token, and the tokens written."""

    first: float
    tokens: int


@asynccontextmanager
async def service(settings: Settings, options: argparse.Namespace) -> AsyncIterator[Bench]:
    opened: list[Overheard] = []

    async def open_engine(chosen: Settings) -> Engine:
        if options.scripted:
            opened.append(Overheard(FakeEngine(_said, context_tokens=32_768)))
        else:
            opened.append(Overheard(await engines.open_engine(chosen, runtime.thread)))
        return opened[-1]

    runtime = Runtime(settings, open_engine=open_engine)
    told: asyncio.Queue[str] = asyncio.Queue()
    server = Server(create_app(settings, runtime), settings, told.put_nowait)
    serving = asyncio.create_task(server.serve([listen(settings)]))
    async with httpx2.AsyncClient(
        base_url=await told.get(), timeout=600, trust_env=False
    ) as client:
        try:
            yield Bench(server, client, opened, questions(20), _asked(options))
        finally:
            server.should_exit = True
            await serving


def _said(messages: Sequence[Message]) -> str:
    if AT_LENGTH in messages[-1].content:
        return long_answer()
    return "The tenant may run two electric kilns of at most 18 kilowatts each. " * 4


def _asked(options: argparse.Namespace) -> dict[str, Any]:
    # At zero a model of random weights says one word for ever, which the pipeline cuts.
    return {"k": options.k, "temperature": 1.0 if options.random else options.temperature}
