"""The engine that speaks to a server: a real `vllm-mlx serve`, and sockets that misbehave."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from rag.compute.mlx_runtime import MLXThread
from rag.config import Settings
from rag.engines.base import open_engine
from rag.engines.openai_compatible import OpenAIEngine
from rag.errors import (
    EngineBusy,
    EngineError,
    EngineTimeout,
    EngineUnreachable,
    PromptTooLong,
)
from rag.types import Finish, Message

FRANCE = [Message("user", "What is the capital of France?")]
COUNT = [Message("user", "Count from 1 to 100.")]

_SERVE = """
from rag.compute import mlx_runtime
mlx_runtime.prepare()
from vllm_mlx.cli import main
main()
"""


@pytest.fixture(scope="module")
def server(
    chat_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Path]]:
    """URL and log of a `vllm-mlx serve` with the bundled model and the fast BLAS."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    log = tmp_path_factory.mktemp("server") / "log"
    command = [sys.executable, "-c", _SERVE, "serve", str(chat_folder), "--continuous-batching"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", port], stdout=output, stderr=output
        )
        try:
            _wait_until_ready(f"http://127.0.0.1:{port}/v1/models", process, log)
            yield f"http://127.0.0.1:{port}/v1", log
        finally:
            process.terminate()
            process.wait(30)


def _wait_until_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(600):
        assert process.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.25)
    pytest.fail(f"the server did not start: {log.read_text()}")


@asynccontextmanager
async def opened(url: str, **settings: object) -> AsyncIterator[OpenAIEngine]:
    engine = await OpenAIEngine.open(Settings(engine_url=url, **settings))  # type: ignore[arg-type]
    try:
        yield engine
    finally:
        await engine.close()


async def collect(
    engine: OpenAIEngine, messages: list[Message], max_tokens: int = 12
) -> tuple[str, Finish]:
    stream = engine.stream(messages, max_tokens=max_tokens, temperature=0.0)
    pieces = [piece async for piece in stream]
    finish = pieces[-1].finish
    assert finish is not None
    assert all(piece.finish is None for piece in pieces[:-1])
    return "".join(piece.text for piece in pieces), finish


# ── a real server ─────────────────────────────────────────────────────────────────────────────


async def test_it_answers_with_the_servers_model(server: tuple[str, Path]) -> None:
    async with opened(server[0]) as engine:
        assert "SmolLM2" in engine.model
        text, finish = await collect(engine, FRANCE)
    assert text == "The capital of France is Paris."
    assert finish.reason == "stop"
    assert finish.prompt_tokens == 37
    assert finish.completion_tokens == 8


async def test_the_settings_choose_it(
    server: tuple[str, Path], settings: Settings, mlx_thread: MLXThread
) -> None:
    engine = await open_engine(settings.model_copy(update={"engine_url": server[0]}), mlx_thread)
    assert isinstance(engine, OpenAIEngine)
    await engine.close()


async def test_max_tokens_cut_the_answer(server: tuple[str, Path]) -> None:
    async with opened(server[0]) as engine:
        _, finish = await collect(engine, COUNT, max_tokens=5)
    assert (finish.reason, finish.completion_tokens) == ("length", 5)


async def test_closing_the_stream_stops_the_server(server: tuple[str, Path]) -> None:
    """The server notices the closed connection: its log says so, and the next answer comes."""
    url, log = server
    async with opened(url) as engine:
        stream = engine.stream(COUNT, max_tokens=400, temperature=0.0)
        await anext(stream)
        assert "ABORTED" not in log.read_text()
        await stream.aclose()
        assert (await collect(engine, FRANCE))[0] == "The capital of France is Paris."
    assert "ABORTED" in log.read_text()


async def test_an_unknown_model_is_an_error_with_a_hint(server: tuple[str, Path]) -> None:
    async with opened(server[0], chat_model="no-such-model") as engine:
        with pytest.raises(EngineError) as caught:
            await collect(engine, FRANCE)
    assert "chat_model" in caught.value.hint


# ── servers that misbehave ────────────────────────────────────────────────────────────────────


@asynccontextmanager
async def misbehaving(answer: bytes, *, then_wait: bool = False) -> AsyncIterator[str]:
    """A server that gives this answer to every request, and closes the connection, or does not."""
    done = asyncio.Event()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        if then_wait:
            await done.wait()
        writer.close()

    listener = await asyncio.start_server(handle, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        done.set()
        listener.close()
        await listener.wait_closed()


def refusal(status: str, message: str) -> bytes:
    body = json.dumps({"error": {"message": message}}).encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body


def begun_stream(*lines: str) -> bytes:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n"
    body = "".join(f"data: {line}\n\n" for line in lines).encode()
    return head + f"Content-Length: {len(body) + 99}\r\n\r\n".encode() + body


CHUNK = json.dumps(
    {
        "id": "1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "delta": {"content": "Paris"}, "finish_reason": None}],
    }
)


@pytest.mark.parametrize(
    ("status", "message", "expected"),
    [
        ("429 Too Many Requests", "slow down", EngineBusy),
        ("503 Service Unavailable", "loading", EngineBusy),
        ("400 Bad Request", "maximum context length is 8192 tokens", PromptTooLong),
        ("400 Bad Request", "temperature must be a number", EngineError),
        ("401 Unauthorized", "wrong key", EngineError),
        ("404 Not Found", "no such model", EngineError),
        ("500 Internal Server Error", "oops", EngineError),
    ],
)
async def test_each_refusal_becomes_our_error(
    status: str, message: str, expected: type[EngineError]
) -> None:
    async with misbehaving(refusal(status, message)) as url, opened(url, chat_model="m") as engine:
        with pytest.raises(EngineError) as caught:
            await collect(engine, FRANCE)
    assert type(caught.value) is expected
    assert message in str(caught.value)
    assert caught.value.hint


async def test_no_server() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    with pytest.raises(EngineUnreachable) as caught:
        await OpenAIEngine.open(Settings(engine_url=url))
    assert url in str(caught.value)
    assert caught.value.hint


async def test_a_server_that_falls_silent_is_a_timeout() -> None:
    async with (
        misbehaving(begun_stream(CHUNK), then_wait=True) as url,
        opened(url, chat_model="m", request_timeout_s=0.3) as engine,
    ):
        stream = engine.stream(FRANCE, max_tokens=9, temperature=0.0)
        assert (await anext(stream)).text == "Paris"
        with pytest.raises(EngineTimeout):
            await anext(stream)


async def test_a_server_that_dies_in_the_middle_is_unreachable() -> None:
    async with misbehaving(begun_stream(CHUNK)) as url, opened(url, chat_model="m") as engine:
        stream = engine.stream(FRANCE, max_tokens=9, temperature=0.0)
        assert (await anext(stream)).text == "Paris"
        with pytest.raises(EngineUnreachable):
            await anext(stream)


@pytest.mark.parametrize("line", ["[DONE]", "{not json", '{"error": {"message": "no memory"}}'])
async def test_a_stream_without_a_proper_end_is_an_error(line: str) -> None:
    async with misbehaving(begun_stream(CHUNK, line)) as url, opened(url, chat_model="m") as engine:
        stream = engine.stream(FRANCE, max_tokens=9, temperature=0.0)
        await anext(stream)
        with pytest.raises(EngineError) as caught:
            await anext(stream)
    assert caught.value.hint


async def test_tokens_are_estimated_on_the_safe_side() -> None:
    engine = await OpenAIEngine.open(Settings(engine_url="http://127.0.0.1:1/v1", chat_model="m"))
    english = Message("user", "The committee will publish its annual report in September. " * 20)
    assert engine.count_tokens([english]) > 220  # a BPE tokenizer says about 220
    await engine.close()
