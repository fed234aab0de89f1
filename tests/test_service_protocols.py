"""OpenAI's protocol with OpenAI's client, MCP with the official one, our own with rag.client."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

import httpx2
import openai
import pytest
from mcp import StdioServerParameters, stdio_client
from mcp.client.client import Client
from typer.testing import CliRunner, Result

from cli.main import create_cli
from rag.client import ServiceClient
from rag.config import Settings
from rag.errors import DocumentNotFound, EngineUnreachable, InvalidQuestion, InvalidSchema
from rag.events import Delta, Done, MapProgress, Quoted, Retrieved
from rag.options import AskOptions, MetadataFilter, PageRange, QuotesMode, Scope
from rag.runtime import Runtime
from rag.testing import FakeEngine
from rag.types import Message
from tests.service_server import ANSWER, LEASE, pdf, running, service_settings, upload

QUESTION = "How high is the deposit?"


def _answer(messages: list[Message]) -> str:
    slowly = "Slowly" in messages[-1].content
    return " ".join(f"word{number}" for number in range(3000)) if slowly else ANSWER


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def engine() -> FakeEngine:
    return FakeEngine(_answer, delay_s=0.002, context_tokens=8192)


@pytest.fixture(scope="module")
def address(home: Path, shared_cache: Path, engine: FakeEngine) -> Iterator[str]:
    with running(service_settings(home, shared_cache), engine) as url:
        with httpx2.Client(base_url=url, timeout=60) as client:
            upload(client, ("lease.pdf", pdf(LEASE, "Lease")))
        yield url


@pytest.fixture
def chat(address: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{address}/v1", api_key="unused", max_retries=0) as client:
        yield client


def test_openais_client_lists_collections(chat: openai.OpenAI) -> None:
    assert [model.id for model in chat.models.list()] == ["rag", "rag/default"]
    assert chat.models.retrieve("rag/default").id == "rag/default"
    with pytest.raises(openai.NotFoundError):
        chat.models.retrieve("rag/nothing")


def test_openais_client_gets_an_answer_with_its_sources(chat: openai.OpenAI) -> None:
    answer = chat.chat.completions.create(
        model="rag",
        messages=[
            {"role": "system", "content": "Talk like a pirate."},
            {"role": "user", "content": [{"type": "text", "text": QUESTION}]},
        ],
        max_tokens=50,
        temperature=0,
        user="passed over",
    )
    message = answer.choices[0].message
    assert message.content is not None
    assert message.content.startswith("The deposit is 23,500 crowns. [1]")
    assert "**Sources**\n\n1. [lease.pdf, p. 1](http://127.0.0.1" in message.content
    assert message.annotations is not None
    cited = message.annotations[0].url_citation
    assert message.content[cited.start_index : cited.end_index].startswith("The deposit is 23,500")
    assert httpx2.get(cited.url).content.startswith(b"%PDF-")
    assert answer.usage is not None
    assert answer.usage.completion_tokens > 0
    assert answer.choices[0].finish_reason == "stop"


def test_openais_client_streams(chat: openai.OpenAI) -> None:
    stream = chat.chat.completions.create(
        model="rag/default",
        messages=[{"role": "user", "content": QUESTION}],
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = list(stream)
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    said, _, after = text.partition("\n\n---\n**Sources**")
    assert said == ANSWER.replace(" [1]", "")  # the model's own marker is not passed on
    assert "lease.pdf, p. 1" in after
    assert "“The walls are painted yellow.”: not in the passages" in after
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "stop"
    assert chunks[-1].usage is not None


def test_openais_client_streams_quotes_at_once_and_only_verified_words_behind_them(
    chat: openai.OpenAI,
) -> None:
    stream = chat.chat.completions.create(
        model="rag",
        messages=[{"role": "user", "content": QUESTION}],
        stream=True,
        extra_body={"quotes": "first"},
    )
    parts = [c.choices[0].delta.content or "" for c in stream if c.choices]
    quoted = next(part for part in parts if part)
    assert quoted.startswith("The deposit is 23,500 crowns and is held in a separate account. [1]")
    said, _, _ = "".join(parts).partition("\n\n---\n**Sources**")
    assert said == quoted  # the model's second claim is wrong: nothing of it is passed on


def test_openais_client_understands_our_errors(chat: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="no model 'gpt-4'"):
        chat.chat.completions.create(model="gpt-4", messages=[{"role": "user", "content": "x"}])
    with pytest.raises(openai.UnprocessableEntityError, match="last message"):
        chat.chat.completions.create(model="rag", messages=[{"role": "assistant", "content": "x"}])
    with pytest.raises(openai.UnprocessableEntityError, match="longer than 20,000"):
        chat.chat.completions.create(
            model="rag", messages=[{"role": "user", "content": "x" * 20_001}]
        )


async def _use_tools(client: Client) -> None:
    assert client.server_info.version == version("rag-local")
    listed_tools = (await client.list_tools()).tools
    assert all(tool.annotations and tool.annotations.read_only_hint for tool in listed_tools)
    assert all(tool.title for tool in listed_tools)
    tools = {tool.name for tool in listed_tools}
    assert tools == {"search", "ask", "list_documents", "read_page"}
    listed = (await client.call_tool("list_documents", {})).structured_content
    assert listed is not None
    [row] = listed["result"]
    assert (row["name"], row["pages"]) == ("lease.pdf", 1)
    found = (await client.call_tool("search", {"question": "deposit", "k": 1})).structured_content
    assert found is not None
    assert "23,500 crowns" in found["result"][0]["text"]
    page = await client.call_tool("read_page", {"document": row["id"], "page": 1})
    assert page.structured_content is not None
    assert "two electric kilns" in page.structured_content["text"]
    wrong = await client.call_tool("read_page", {"document": row["id"], "page": 9})
    assert wrong.is_error
    missing = await client.call_tool("search", {"question": "x", "documents": ["no-such.pdf"]})
    assert missing.is_error
    assert "list_documents lists" in missing.content[0].text
    empty = await client.call_tool("search", {"question": "x", "collection": "nothing"})
    assert empty.is_error
    assert "rag ingest" not in empty.content[0].text
    for narrowed in ({"until": "1999-12-31"}, {"metadata": {"title": "no such title"}}):
        for tool in ("search", "ask"):
            none = await client.call_tool(tool, {"question": QUESTION, **narrowed})
            assert none.is_error
            assert "no document has" in none.content[0].text
    wide = {"question": "deposit", "since": "2000-01-01", "metadata": {"path": "lease"}}
    found = (await client.call_tool("search", wide)).structured_content
    assert found is not None
    assert {passage["document"] for passage in found["result"]} == {"lease.pdf"}


async def test_quotes_over_mcp(address: str, engine: FakeEngine) -> None:
    before = len(engine.calls)
    async with Client(f"{address}/mcp") as client:
        asked = {"question": QUESTION, "quotes": "only"}
        reply = (await client.call_tool("ask", asked)).structured_content
    assert reply is not None
    assert reply["answer"].startswith("The deposit is 23,500 crowns and is held")
    assert reply["sources"][0]["page"] == 1
    assert len(engine.calls) == before


@pytest.mark.parametrize("quotes", ["first", "only", True])
async def test_quotes_over_our_own_protocol(
    address: str, home: Path, shared_cache: Path, quotes: QuotesMode | bool
) -> None:
    settings = service_settings(home, shared_cache)
    async with ServiceClient.open(address, settings) as client:
        options = AskOptions(quotes=quotes)
        events = [event async for event in client.ask(QUESTION, options=options)]
    last = events[-1]
    assert isinstance(last, Done)
    quoted = [event for event in events if isinstance(event, Quoted)]
    assert [one.text for one in quoted] == ([last.answer.text] if quotes == "first" else [])
    assert last.answer.quoted == len(last.answer.text)
    assert [c.quote for c in last.answer.citations][:1] == [
        "The deposit is 23,500 crowns and is held in a separate account."
    ]


async def test_mcp_over_http(address: str) -> None:
    async with Client(f"{address}/mcp") as client:
        await _use_tools(client)
        answer = (await client.call_tool("ask", {"question": QUESTION})).structured_content
        assert answer is not None
        assert answer["answered"]
        assert answer["sources"][0]["document"] == "lease.pdf"


async def test_an_mcp_client_that_goes_away_stops_its_answer(
    address: str, engine: FakeEngine
) -> None:
    stopped = engine.closed
    async with Client(f"{address}/mcp") as client:
        asked = asyncio.create_task(client.call_tool("ask", {"question": f"Slowly: {QUESTION}"}))
        await _until(lambda: engine.active == 1)
        assert httpx2.get(f"{address}/ready").json()["answering"] == 1
        asked.cancel()
        await _until(lambda: engine.closed == stopped + 1 and engine.active == 0)


async def _until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not true():  # noqa: ASYNC110 - the engine counts, and tells nobody
            await asyncio.sleep(0.05)


async def test_mcp_on_stdio(address: str, home: Path, shared_cache: Path) -> None:
    """`rag mcp` as a program starts it; it reads the index that the service wrote."""
    server = StdioServerParameters(
        command=sys.executable,
        args=["-c", "from cli.main import main; main()", "--home", str(home), "mcp"],
        env={**os.environ, "RAG_CACHE": str(shared_cache)},
    )
    async with Client(stdio_client(server)) as client:
        await _use_tools(client)


async def test_remote_tells_the_same_events_as_the_pipeline(
    address: str, home: Path, shared_cache: Path
) -> None:
    settings = service_settings(home, shared_cache)
    async with ServiceClient.running(settings) as remote:
        assert remote is not None
        assert remote.url == address
        scope, options = Scope(("lease.pdf",), PageRange(1, 1)), AskOptions(k=2)
        told = [event async for event in remote.ask(QUESTION, scope=scope, options=options)]
        first, last = told[0], told[-1]
        assert isinstance(first, Retrieved)
        assert isinstance(last, Done)
        assert "".join(event.text for event in told if isinstance(event, Delta)) == ANSWER
        assert last.answer.citations[0].document == first.hits[0].document
        assert last.answer.citations[0].boxes
        one_page = Scope(pages=PageRange(1, 1))
        retrieved = await remote.search("deposit", k=1, scope=one_page)
        assert retrieved.search_text == "deposit"
        assert retrieved.pages == one_page.pages
        hits = retrieved.hits
        twice = (MetadataFilter("title", "lease"), MetadataFilter("title", "garden"))
        with pytest.raises(DocumentNotFound):  # both must hold
            await remote.search("deposit", scope=Scope(metadata=twice))
        assert hits[0].chunk.text == first.hits[0].chunk.text
        with pytest.raises(InvalidQuestion):
            await anext(remote.ask("?!"))


async def test_remote_passes_every_option_on(address: str, home: Path, shared_cache: Path) -> None:
    async with ServiceClient.running(service_settings(home, shared_cache)) as remote:
        assert remote is not None
        options = AskOptions(whole=True, schema={"type": "object"}, max_tokens=50)
        told = [event async for event in remote.ask(QUESTION, options=options)]
        assert MapProgress(1, 1, 1, 1) in told
        with pytest.raises(InvalidSchema, match="nonsense"):
            await anext(remote.ask(QUESTION, options=AskOptions(schema={"type": "nonsense"})))


def test_the_command_line_asks_a_running_service_unless_told_not_to(
    address: str, home: Path
) -> None:
    def runtime(settings: Settings) -> Runtime:
        return Runtime(settings, engine=FakeEngine("Asked here. The deposit is 23,500 crowns."))

    def ask(*flags: str) -> str:
        arguments = ["--home", str(home), "ask", QUESTION, *flags]
        result = CliRunner().invoke(create_cli(runtime_factory=runtime), arguments)
        assert result.exit_code == 0, result.output
        return result.stdout

    assert "Asked here" not in ask()
    assert "yellow" in ask()
    assert "yellow" in ask("--whole")
    assert "Asked here" in ask("--local")


def test_a_chat_is_a_session_of_the_running_service(
    address: str, home: Path, engine: FakeEngine
) -> None:
    def chat(lines: str, *flags: str) -> Result:
        def runtime(settings: Settings) -> Runtime:
            return Runtime(settings, engine=FakeEngine("Said here. The deposit is 23,500 crowns."))

        cli = create_cli(runtime_factory=runtime)
        result = CliRunner().invoke(cli, ["--home", str(home), "chat", *flags], input=lines)
        assert result.exit_code == 0, result.output
        return result

    before = len(httpx2.get(f"{address}/sessions").json())
    commands = "/doc lease\n/model fake\n/model nothing-like-it\n/model\n/sources\n"
    result = chat(f"{QUESTION}\nAnd the deposit\n{commands}/clear\n{QUESTION}\n", "-k", "1")
    assert result.stdout.count("yellow") == 3
    assert result.stdout.count("\nSources\n") == 4
    assert "Looking into lease.pdf." in result.stderr
    assert result.stderr.count("fake answers.") == 2
    assert "no model 'nothing-like-it'" in result.stderr
    assert f"{address} answers, and keeps" in result.stderr
    [cleared, first] = httpx2.get(f"{address}/sessions").json()[: -before or None]
    assert (first["title"], first["turns"], cleared["turns"]) == (QUESTION, 2, 1)
    asked = engine.calls[-2]
    assert [message.role for message in asked] == ["system", "user", "assistant", "user"]
    assert len(engine.calls[-1]) == 2

    assert "Said here" in chat(f"{QUESTION}\n", "--local").stdout
    assert len(httpx2.get(f"{address}/sessions").json()) == before + 2


def test_a_chat_about_an_empty_collection_ends_at_once(address: str, home: Path) -> None:
    arguments = ["--home", str(home), "--collection", "nothing", "chat"]
    result = CliRunner().invoke(create_cli(), arguments, input=f"{QUESTION}\n")
    assert result.exit_code == 1
    assert "nothing holds no documents" in result.stderr


async def test_no_service_is_found_where_none_runs(tmp_path: Path, shared_cache: Path) -> None:
    settings = service_settings(tmp_path, shared_cache)
    async with ServiceClient.running(settings) as remote:
        assert remote is None
    note = {"url": "http://127.0.0.1:9", "pid": os.getpid()}
    (tmp_path / "service.json").write_text(str(note).replace("'", '"'))
    async with ServiceClient.running(settings) as remote:
        assert remote is None
    async with ServiceClient.open("http://127.0.0.1:9", settings) as remote:
        with pytest.raises(EngineUnreachable):
            await anext(remote.ask(QUESTION))
