"""Where thoughts are shown, and where they never are: page events, the command line, OpenAI's
protocol, claims. And servers that send them in every known way."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest
from asking import events_of, pipeline_over
from typer.testing import CliRunner, Result

from cli.main import create_cli
from rag.config import Settings
from rag.engines.openai_compatible import OpenAIEngine
from rag.engines.thought_format import ANY
from rag.errors import ThoughtsCutOff
from rag.events import Delta, Thought
from rag.runtime import Runtime
from rag.testing import FakeEmbedder, FakeEngine
from rag.types import Message, Piece
from tests.service_server import ANSWER, LEASE, events, pdf, running, service_settings, upload

QUESTION = "How high is the deposit?"
THOUGHT = "The lessor wants 99 crowns"
# What a model writes, by a word of the question.
WRITTEN = {
    "tags": f"<think>{THOUGHT} [1].</think>\n\n{ANSWER}",
    "unopened": f"{THOUGHT} [1].\n</think>\n\n{ANSWER}",
    "cut": f"<think>{THOUGHT} " * 40,
}


def written(messages: Sequence[Message]) -> str:
    question = messages[-1].content
    return next((text for word, text in WRITTEN.items() if word in question), ANSWER)


def letters(text: str) -> list[str]:
    return list(text)


def thinker() -> FakeEngine:
    return FakeEngine(written, context_tokens=16_000, cut=letters, thoughts=ANY)


# ── the answer ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("word", ["tags", "unopened"])
async def test_no_claim_and_no_text_of_an_answer_is_thought(settings: Settings, word: str) -> None:
    async with pipeline_over(settings, thinker(), {"lease.pdf": LEASE.split("\n\n")}) as pipeline:
        told, done = await events_of(pipeline, f"How high is the deposit? {word}")
    kinds = [event.kind for event in told]
    assert kinds[0] == "retrieved"
    assert kinds[-1] == "done"
    assert any(isinstance(event, Thought) for event in told)
    assert done.answer.text.startswith("The deposit is 23,500 crowns")
    assert THOUGHT not in done.answer.text
    assert len(done.answer.claims) == 2
    restarts = [i for i, event in enumerate(told) if isinstance(event, Thought) and event.restart]
    last = max(restarts, default=0)
    assert "".join(e.text for e in told[last:] if isinstance(e, Delta)).strip() == ANSWER


async def test_a_conversation_remembers_answers_without_thoughts(settings: Settings) -> None:
    from rag.pipeline import Conversation

    conversation = Conversation()
    async with pipeline_over(settings, thinker(), {"lease.pdf": LEASE.split("\n\n")}) as pipeline:
        await events_of(pipeline, f"{QUESTION} tags", conversation=conversation)
    assert conversation.turns[0].answer == ANSWER


async def test_cut_within_the_thoughts_is_an_error_that_says_so(settings: Settings) -> None:
    async with pipeline_over(settings, thinker(), {"lease.pdf": LEASE.split("\n\n")}) as pipeline:
        with pytest.raises(ThoughtsCutOff, match="still thinking"):
            await events_of(pipeline, f"{QUESTION} cut")


# ── the service ───────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory, shared_cache: Path) -> Iterator[str]:
    settings = service_settings(tmp_path_factory.mktemp("home"), shared_cache)
    with running(settings, thinker()) as url:
        with httpx2.Client(base_url=url, timeout=60) as client:
            upload(client, ("lease.pdf", pdf(LEASE, "Lease")))
        yield url


@pytest.mark.parametrize("word", ["tags", "unopened"])
def test_the_services_events_have_thoughts_apart(address: str, word: str) -> None:
    with httpx2.Client(base_url=address, timeout=60) as client:
        told = events(client, {"question": f"{QUESTION} {word}", "render": True})
    thoughts = "".join(str(data["text"]) for name, data in told if name == "thought")
    assert any(data["restart"] for name, data in told if name == "thought") == (word == "unopened")
    assert (THOUGHT in thoughts) == (word == "tags")
    name, done = told[-1]
    assert name == "done"
    assert THOUGHT not in json.dumps({**done, "hits": []})
    html = [f"{data['html']}{data['open']}" for name, data in told if name == "html"]
    assert word == "unopened" or THOUGHT not in "".join(html)


def test_the_service_says_that_thoughts_were_cut_off(address: str) -> None:
    with httpx2.Client(base_url=address, timeout=60) as client:
        name, problem = events(client, {"question": f"{QUESTION} cut"})[-1]
        answer = client.post("/query", json={"question": f"{QUESTION} cut"})
    assert name == "error"
    assert problem["code"] == "thoughts_cut_off"
    assert "thinking_tokens" in str(problem["hint"])
    assert answer.json()["code"] == "thoughts_cut_off"


def test_openais_content_has_no_thoughts(address: str) -> None:
    asked: Any = {"model": "rag", "messages": [{"role": "user", "content": f"{QUESTION} tags"}]}
    with openai.OpenAI(base_url=f"{address}/v1", api_key="-", max_retries=0) as client:
        whole = client.chat.completions.create(**asked).choices[0].message.content
        chunks = list(client.chat.completions.create(**asked, stream=True))
    streamed = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    for content in (whole, streamed):
        assert content is not None
        assert "23,500 crowns" in content
        assert THOUGHT not in content


def test_openais_stream_ends_where_what_was_sent_turns_out_to_be_thought(address: str) -> None:
    asked: Any = {"model": "rag", "messages": [{"role": "user", "content": f"{QUESTION} unopened"}]}
    with openai.OpenAI(base_url=f"{address}/v1", api_key="-", max_retries=0) as client:
        whole = client.chat.completions.create(**asked).choices[0].message.content
        raw = httpx2.post(
            f"{address}/v1/chat/completions", json={**asked, "stream": True}, timeout=60
        ).text
    assert whole is not None
    assert THOUGHT not in whole
    assert "its thoughts as an answer" in raw
    assert '"finish_reason": "stop"' not in raw


# ── the command line ──────────────────────────────────────────────────────────────────────────


@pytest.fixture
def rag(tmp_path: Path, shared_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RAG_HOME", str(tmp_path / "home"))
    (tmp_path / "lease.pdf").write_bytes(pdf(LEASE, "Lease"))

    def make(settings: Settings) -> Runtime:
        return Runtime(settings, embedder=FakeEmbedder(), engine=thinker())

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(create_cli(runtime_factory=make), [*arguments])

    assert run("ingest", "lease.pdf").exit_code == 0
    return run


def test_a_command_shows_thoughts_with_v_alone_and_beside_the_answer(rag: Any) -> None:
    quiet, verbose = rag("ask", f"{QUESTION} tags"), rag("-v", "ask", f"{QUESTION} tags")
    for result in (quiet, verbose):
        assert result.exit_code == 0, result.stderr
        assert "23,500 crowns" in result.stdout
        assert THOUGHT not in result.stdout
    assert THOUGHT not in quiet.stderr
    assert THOUGHT in verbose.stderr
    lines = [
        json.loads(line) for line in rag("ask", "--json", f"{QUESTION} tags").stdout.splitlines()
    ]
    assert "thought" in {line["kind"] for line in lines}
    cut = rag("ask", f"{QUESTION} cut")
    assert cut.exit_code != 0
    assert "still thinking" in cut.stderr
    assert THOUGHT not in cut.stdout


# ── servers ───────────────────────────────────────────────────────────────────────────────────


@asynccontextmanager
async def server(*answers: list[dict[str, Any]]) -> AsyncIterator[tuple[str, list[dict[str, Any]]]]:
    """A server that streams these deltas, answer by answer (the last again and again); what it was
    asked. A delta's `finish_reason` ends it."""
    asked: list[dict[str, Any]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            int(line.split(b":")[1])
            for line in head.split(b"\r\n")
            if b"content-length" in line.lower()
        )
        asked.append(json.loads(await reader.readexactly(length)))
        deltas = answers[min(len(asked), len(answers)) - 1]
        lines = [chunk(dict(delta)) for delta in deltas]
        body = "".join(f"data: {line}\n\n" for line in [*lines, "[DONE]"]).encode()
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
        )
        writer.write(body)
        await writer.drain()
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listening:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/v1", asked


def chunk(delta: dict[str, Any]) -> str:
    reason = delta.pop("finish_reason", None)
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    head = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    return json.dumps({**head, "choices": [choice]})


STOP = {"finish_reason": "stop"}
LENGTH = {"finish_reason": "length"}


def texts(text: str, name: str = "content") -> list[dict[str, Any]]:
    return [{name: letter} for letter in text]


async def heard(engine: OpenAIEngine, max_tokens: int = 20) -> list[Piece]:
    stream = engine.stream([Message("user", "?")], max_tokens=max_tokens, temperature=0)
    return [piece async for piece in stream]


async def asked(url: str, model: str = "m", **changes: Any) -> tuple[OpenAIEngine, list[Piece]]:
    settings = Settings(engine_url=url, chat_model=model, thinking_tokens=200, **changes)
    engine = await OpenAIEngine.open(settings)
    try:
        return engine, await heard(engine)
    finally:
        await engine.close()


def told(pieces: list[Piece]) -> tuple[str, str]:
    answer = thoughts = ""
    for piece in pieces:
        if piece.restart:
            answer, thoughts = "", thoughts + answer
        answer, thoughts = answer + piece.text, thoughts + piece.thought
    return answer, thoughts


@pytest.mark.parametrize(
    "deltas",
    [
        texts("Hm.", "reasoning_content") + texts("Four."),
        texts("Hm.", "reasoning") + texts("Four."),
        [{"reasoning": "Hm.", "reasoning_content": "Hm.", "content": None}, *texts("Four.")],
        [
            {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}]},
            {"content": [{"type": "text", "text": "Four."}]},
        ],
        texts("<think>Hm.</think>Four."),
        texts(
            "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final<|message|>Four."
        ),
    ],
)
@pytest.mark.parametrize("model", ["m", "deepseek-r1:8b"])
async def test_each_way_in_which_servers_send_thoughts(
    deltas: list[dict[str, Any]], model: str
) -> None:
    async with server([*deltas, STOP]) as (url, _):
        _, pieces = await asked(url, model)
    assert told(pieces) == ("Four.", "Hm.")
    assert pieces[-1].finish is not None
    assert not any(piece.restart for piece in pieces)


async def test_a_server_that_sends_thoughts_unopened_is_found_out_once() -> None:
    async with server([*texts("Hm.\n</think>\nFour."), STOP]) as (url, _):
        engine = await OpenAIEngine.open(Settings(engine_url=url, chat_model="m"))
        first, second = await heard(engine), await heard(engine)
        await engine.close()
    assert told(first)[0] == told(second)[0] == "Four."
    assert any(piece.restart for piece in first)
    assert not any(piece.restart for piece in second)


async def test_a_thinker_by_its_name_never_shows_thoughts() -> None:
    async with server([*texts("Hm.\n</think>\nFour."), STOP]) as (url, _):
        _, pieces = await asked(url, "Qwen3-4B-Thinking-2507")
    assert told(pieces) == ("Four.", "Hm.\n")
    assert not any(piece.restart for piece in pieces)


async def test_thoughts_get_tokens_of_their_own_once_they_are_known() -> None:
    cut = [*texts("Hm.", "reasoning_content"), LENGTH]
    async with server(cut, [*texts("Hm.", "reasoning"), *texts("Four."), STOP]) as (url, requests):
        engine, pieces = await asked(url)
    assert told(pieces)[0] == "Four."
    assert [request["max_tokens"] for request in requests] == [20, 220]
    assert engine.thinking_tokens == 200


async def test_a_server_that_only_thinks_is_an_error() -> None:
    async with server([*texts("Hm.", "reasoning_content"), LENGTH]) as (url, requests):
        with pytest.raises(ThoughtsCutOff):
            await asked(url)
    assert len(requests) == 2


async def test_a_server_is_told_of_thinking_only_if_that_was_set() -> None:
    async with server([*texts("Four."), STOP]) as (url, requests):
        await asked(url)
        await asked(url, thinking="off")
        await asked(url, thinking="high")
    said = [(r.get("chat_template_kwargs"), r.get("reasoning_effort")) for r in requests]
    off, on = {"enable_thinking": False}, {"enable_thinking": True}
    assert said == [(None, None), (off, None), (on, "high")]
