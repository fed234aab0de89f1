"""OpenAI's endpoints with OpenAI's own client, as programs use them: limits, schemas, tasks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest
from pydantic import BaseModel

from rag.testing import FakeEngine
from rag.types import Message
from tests.service_server import ANSWER, LEASE, pdf, running, service_settings, upload

QUESTION = "How high is the deposit?"
ASKED: list[Any] = [{"role": "user", "content": QUESTION}]
WRONG = "The moon is made of green cheese and the orchestra plays on Tuesdays."
TITLE = """### Task:
Generate a concise, 3-5 word title with an emoji summarizing the chat history.
### Output:
JSON format: { "title": "your concise title here" }
### Chat History:
<chat_history>
USER: How high is the deposit?
ASSISTANT: 23,500 crowns.
</chat_history>"""
TAGS = TITLE.replace('{ "title": "your concise title here" }', '{ "tags": ["tag1", "tag2"] }')
FOLLOW_UP = TITLE.replace('{ "title": "your concise title here" }', '{ "follow_ups": ["Q1?"] }')


class Lease(BaseModel):
    deposit: str


def _answer(messages: list[Message]) -> str:
    last = messages[-1].content
    if "### Task:" in last:
        return '{"title": "Deposit [1]"}'
    if "JSON that fits" in last:
        return '{"deposit": "23,500 crowns"}'
    return WRONG if "cheese" in last else ANSWER


@pytest.fixture(scope="module")
def engine() -> FakeEngine:
    return FakeEngine(_answer, context_tokens=8192)


@pytest.fixture(scope="module")
def address(
    tmp_path_factory: pytest.TempPathFactory, shared_cache: Path, engine: FakeEngine
) -> Iterator[str]:
    settings = service_settings(tmp_path_factory.mktemp("home"), shared_cache, quotes="off")
    with running(settings, engine) as url:
        with httpx2.Client(base_url=url, timeout=60) as client:
            upload(client, ("lease.pdf", pdf(LEASE, "Lease")))
        yield url


@pytest.fixture
def client(address: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{address}/v1", api_key="unused", max_retries=0) as client:
        yield client


def _text(stream: Any) -> str:
    return "".join(c.choices[0].delta.content or "" for c in stream if c.choices)


# ── chat ──────────────────────────────────────────────────────────────────────────────────────


def test_a_schema_is_kept_to_and_its_answer_is_json_alone(client: openai.OpenAI) -> None:
    done = client.chat.completions.parse(model="rag", messages=ASKED, response_format=Lease)
    message = done.choices[0].message
    assert message.parsed == Lease(deposit="23,500 crowns")
    assert message.content == '{"deposit": "23,500 crowns"}'
    assert message.annotations
    asked = {"type": "json_object"}
    told = client.chat.completions.create(model="rag", messages=ASKED, response_format=asked)  # type: ignore[call-overload]
    assert json.loads(told.choices[0].message.content) == {"deposit": "23,500 crowns"}


def test_a_schema_streams_as_json_alone(client: openai.OpenAI) -> None:
    with client.chat.completions.stream(
        model="rag", messages=ASKED, response_format=Lease
    ) as stream:
        done = stream.get_final_completion()
    assert done.choices[0].message.parsed == Lease(deposit="23,500 crowns")


@pytest.mark.parametrize("stream", [False, True])
def test_where_the_documents_do_not_say_a_schema_is_refused(
    client: openai.OpenAI, stream: bool
) -> None:
    asked: Any = [{"role": "user", "content": "Who composed the opera of the blue giraffe?"}]
    if stream:
        with client.chat.completions.stream(
            model="rag", messages=asked, response_format=Lease
        ) as told:
            done = told.get_final_completion()
    else:
        done = client.chat.completions.parse(model="rag", messages=asked, response_format=Lease)
    message = done.choices[0].message
    assert message.refusal
    assert not message.content
    assert message.parsed is None


def test_a_withdrawn_answer_ends_with_a_note_and_is_no_history(
    client: openai.OpenAI, engine: FakeEngine
) -> None:
    asked: Any = [{"role": "user", "content": "Is the tenant a musician? cheese"}]
    text = _text(client.chat.completions.create(model="rag", messages=asked, stream=True))
    said, _, after = text.partition("\n\n---\n**Withdrawn")
    assert said == WRONG
    assert "The documents do not seem to hold an answer" in after
    said = "Wrong.\n\n---\n**Withdrawn: nothing in the documents supports the text above**\n\nNo."
    history: Any = [asked[0], {"role": "assistant", "content": said}, *ASKED]
    client.chat.completions.create(model="rag", messages=history)
    told = [message.content for message in engine.calls[-1]]
    assert "No." in told
    assert not any("Wrong." in content for content in told)


@pytest.mark.parametrize(
    ("param", "value"),
    [
        ("tools", [{"type": "function", "function": {"name": "f", "parameters": {}}}]),
        ("functions", [{"name": "f"}]),
        ("n", 2),
        ("n", 0),
        ("logprobs", True),
        ("logit_bias", {"50256": -100}),
        ("modalities", ["text", "audio"]),
        ("audio", {"voice": "alloy", "format": "wav"}),
        ("response_format", {"type": "grammar"}),
        ("response_format", {"type": "json_schema", "json_schema": {"name": "x"}}),
        ("max_tokens", 0),
        ("max_tokens", -2),
        ("max_completion_tokens", -7),
        ("stop", ["x"] * 30 + [str(n) for n in range(30)]),
        ("stop", ""),
        ("web_search_options", {"search_context_size": "low"}),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_what_cannot_be_done_is_refused_by_name(
    client: openai.OpenAI, param: str, value: object, stream: bool
) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(
            model="rag", messages=ASKED, stream=stream, extra_body={param: value}
        )
    assert refused.value.param == param
    assert refused.value.code == "unsupported_parameter"
    assert refused.value.type == "invalid_request_error"


@pytest.mark.parametrize("kind", ["image_url", "input_audio", "file"])
def test_parts_that_are_no_text_are_refused(client: openai.OpenAI, kind: str) -> None:
    part = {"type": kind, kind: {"url": "data:image/png;base64,AA=="}}
    content: Any = [{"type": "text", "text": QUESTION}, part]
    with pytest.raises(openai.BadRequestError, match=kind):
        client.chat.completions.create(model="rag", messages=[{"role": "user", "content": content}])


def test_what_changes_nothing_is_taken(client: openai.OpenAI) -> None:
    done = client.chat.completions.create(
        model="rag",
        messages=[{"role": "developer", "content": "Be brief."}, *ASKED],
        n=1,
        logprobs=False,
        logit_bias={},
        tools=[],
        seed=1,
        top_p=0.5,
        presence_penalty=0,
        frequency_penalty=0,
        stop=[],
        metadata={"a": "b"},
        store=False,
        reasoning_effort="low",
        response_format={"type": "text"},
        extra_body={"functions": None, "chat_template_kwargs": {}},
    )
    assert (done.choices[0].message.content or "").startswith("The deposit is 23,500")


@pytest.mark.parametrize("limit", [-1, 1, 16_384, 10**9])
@pytest.mark.parametrize("param", ["max_tokens", "max_completion_tokens"])
def test_limits_that_clients_send_are_limits(client: openai.OpenAI, limit: int, param: str) -> None:
    done = client.chat.completions.create(model="rag", messages=ASKED, extra_body={param: limit})
    assert done.choices[0].finish_reason == ("length" if limit == 1 else "stop")


@pytest.mark.parametrize("stop", ["walls", ["nothing of it", "The walls"]])
@pytest.mark.parametrize("stream", [False, True])
def test_the_model_stops_before_a_stop_sequence(
    client: openai.OpenAI, stop: Any, stream: bool
) -> None:
    done: Any = client.chat.completions.create(
        model="rag", messages=ASKED, stop=stop, stream=stream
    )
    text = _text(done) if stream else done.choices[0].message.content
    assert text.startswith("The deposit is 23,500 crowns.")
    assert "walls" not in text


def test_a_long_history_is_no_error(client: openai.OpenAI) -> None:
    turn: Any = [{"role": "user", "content": "Hello?"}, {"role": "assistant", "content": "Yes."}]
    tool: Any = [{"role": "tool", "content": "x", "tool_call_id": "1"}]
    messages = [*(turn * 600), *tool, *ASKED]
    done = client.chat.completions.create(model="rag", messages=messages)
    assert (done.choices[0].message.content or "").startswith("The deposit")


# ── a chat program's own tasks ────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("prompt", [TITLE, TAGS, FOLLOW_UP])
@pytest.mark.parametrize("stream", [False, True])
def test_a_title_is_made_without_retrieval(
    client: openai.OpenAI, engine: FakeEngine, prompt: str, stream: bool
) -> None:
    asked: Any = [{"role": "user", "content": prompt}]
    done: Any = client.chat.completions.create(model="rag", messages=asked, stream=stream)
    text = _text(done) if stream else done.choices[0].message.content
    assert text == '{"title": "Deposit [1]"}'
    assert [message.content for message in engine.calls[-1]] == [prompt]


def test_a_task_that_is_too_long_loses_the_middle_of_its_conversation(
    client: openai.OpenAI, engine: FakeEngine
) -> None:
    prompt = TITLE.replace("23,500 crowns.", "crowns and more " * 40_000)
    client.chat.completions.create(model="rag", messages=[{"role": "user", "content": prompt}])
    [asked] = engine.calls[-1]
    assert asked.content.startswith("### Task:")
    assert asked.content.endswith("</chat_history>")
    assert "[…]" in asked.content


@pytest.mark.parametrize("words", ["### Task: How high is the deposit?", "<chat_history> deposit?"])
def test_a_question_that_looks_like_a_task_is_a_question(client: openai.OpenAI, words: str) -> None:
    asked: Any = [{"role": "user", "content": words}]
    text = client.chat.completions.create(model="rag", messages=asked).choices[0].message.content
    assert "title" not in (text or "")


# ── the other endpoints ───────────────────────────────────────────────────────────────────────


def test_completions(client: openai.OpenAI) -> None:
    done = client.completions.create(model="rag", prompt=QUESTION, max_tokens=100)
    assert done.choices[0].text.startswith("The deposit is 23,500 crowns. [1]")
    assert done.usage is not None
    told = client.completions.create(
        model="rag", prompt=[QUESTION], stream=True, stream_options={"include_usage": True}
    )
    chunks = list(told)
    text = "".join(chunk.choices[0].text for chunk in chunks if chunk.choices)
    assert "**Sources**" in text
    assert chunks[-1].usage is not None
    for asked in ([QUESTION, QUESTION], [1, 2, 3], []):
        with pytest.raises(openai.BadRequestError, match="one prompt"):
            client.completions.create(model="rag", prompt=asked)
    with pytest.raises(openai.BadRequestError, match="filled in"):
        client.completions.create(model="rag", prompt=QUESTION, suffix="x")


def test_embeddings(client: openai.OpenAI) -> None:
    texts = ["The deposit is high.", "A cat sat on a mat."]
    plain = client.embeddings.create(model="rag", input=texts, encoding_format="float")
    coded = client.embeddings.create(model="rag", input=texts)  # base64, by default
    assert [len(one.embedding) for one in plain.data] == [384, 384]
    assert coded.data[1].embedding == pytest.approx(plain.data[1].embedding, abs=1e-6)
    assert [one.index for one in plain.data] == [0, 1]
    assert plain.usage.prompt_tokens > 5
    assert len(client.embeddings.create(model="rag", input="x", dimensions=384).data) == 1
    for wrong in ({"input": ""}, {"input": [[1, 2]]}, {"input": "x", "dimensions": 3}):
        with pytest.raises(openai.BadRequestError) as refused:
            client.embeddings.create(model="rag", **wrong)  # type: ignore[arg-type]
        assert refused.value.param in wrong
    with pytest.raises(openai.BadRequestError, match="tokens"):
        client.embeddings.create(model="rag", input="deposit " * 5000)
    with pytest.raises(openai.UnprocessableEntityError):
        client.embeddings.create(model="rag", input=[])
    with pytest.raises(openai.NotFoundError):
        client.embeddings.create(model="text-embedding-3-small", input="x")


def test_responses(client: openai.OpenAI) -> None:
    done = client.responses.create(model="rag", input=QUESTION, instructions="Be brief.")
    assert done.status == "completed"
    assert done.output_text.startswith("The deposit is 23,500 crowns. [1]")
    [part] = done.output[0].content  # type: ignore[union-attr]
    assert part.annotations[0].type == "url_citation"  # type: ignore[union-attr]
    assert done.usage is not None
    turns: Any = [
        {"role": "user", "content": [{"type": "input_text", "text": "Hello?"}]},
        done.output[0].model_dump(),
        *ASKED,
    ]
    assert client.responses.create(model="rag", input=turns).status == "completed"
    cut = client.responses.create(model="rag", input=QUESTION, max_output_tokens=1)
    assert (cut.status, cut.incomplete_details.reason) == ("incomplete", "max_output_tokens")  # type: ignore[union-attr]


def test_responses_by_schema(client: openai.OpenAI) -> None:
    done = client.responses.parse(model="rag", input=QUESTION, text_format=Lease)
    assert done.output_parsed == Lease(deposit="23,500 crowns")
    asked = "Who composed the opera of the blue giraffe?"
    with client.responses.stream(model="rag", input=asked, text_format=Lease) as stream:
        kinds = [event.type for event in stream]
        refused = stream.get_final_response()
    assert refused.output_parsed is None
    assert kinds[-1] == "response.completed"
    assert "response.refusal.done" in kinds


def test_responses_stream_by_events(client: openai.OpenAI) -> None:
    with client.responses.stream(model="rag", input=QUESTION) as stream:
        told = list(stream)
        done = stream.get_final_response()
    kinds = [event.type for event in told]
    assert kinds[:3] == ["response.created", "response.in_progress", "response.output_item.added"]
    assert kinds[-4:] == [
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert "response.output_text.annotation.added" in kinds
    pieces = [event.delta for event in told if event.type == "response.output_text.delta"]
    assert "".join(pieces) == done.output_text
    assert "[5]" not in done.output_text
    numbers = [event.sequence_number for event in told]
    assert numbers == sorted(set(numbers))


@pytest.mark.parametrize(
    ("param", "value"),
    [
        ("tools", [{"type": "web_search"}]),
        ("previous_response_id", "resp_1"),
        ("conversation", "conv_1"),
        ("background", True),
        ("max_output_tokens", 0),
        ("input", [{"type": "function_call_output", "call_id": "1", "output": "x"}]),
        ("input", [{"role": "user", "content": [{"type": "input_image", "image_url": "x"}]}]),
        ("input", [{"role": "nobody", "content": "x"}]),
    ],
)
def test_responses_refuse_by_name(client: openai.OpenAI, param: str, value: object) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        client.responses.create(model="rag", input=QUESTION, extra_body={param: value})
    assert refused.value.param == param


def test_only_openais_routes_speak_of_errors_as_openai_does(address: str) -> None:
    for path, shaped in (("/v1/models/none", True), ("/sessions/none", False)):
        body = httpx2.get(address + path).json()
        assert ("error" in body) is shaped
        assert body["hint"] or not shaped
    wrong = httpx2.post(f"{address}/v1/chat/completions", json={"model": "rag", "messages": []})
    assert wrong.json()["error"]["type"] == "invalid_request_error"
    assert wrong.json()["error"]["param"] == "messages"


# ── what Python reads as JSON and nobody can write ────────────────────────────────────────────

HALF = "cut emoji \\ud83d"
SCHEMA = '{"type": "object", "properties": {"deposit \\ud800": {"type": "string"}}}'
FORMAT = f'{{"format": {{"type": "json_schema", "name": "x", "schema": {SCHEMA}}}}}'


@pytest.mark.parametrize("stream", ["true", "false"])
@pytest.mark.parametrize(
    ("path", "more"),
    [
        ("/v1/responses", f'"instructions": "{HALF}"'),
        ("/v1/responses", f'"text": {FORMAT}'),
        ("/v1/responses", f'"input": [{{"role": "user", "content": "deposit? {HALF}"}}]'),
        ("/v1/chat/completions", f'"stop": ["{HALF}"]'),
        ("/v1/chat/completions", f'"response_format": {{"type":"json_schema","schema":{SCHEMA}}}'),
        ("/v1/completions", f'"prompt": "How high is the deposit? {HALF}"'),
        ("/query", f'"schema": {SCHEMA}'),
        ("/query", f'"history": [{{"role": "user", "content": "{HALF}"}}]'),
    ],
)
def test_half_a_character_is_no_fault_of_the_service(
    address: str, path: str, more: str, stream: str
) -> None:
    told = _posted(address, path, f'{more}, "stream": {stream}')
    assert told.status_code == 200, told.text
    assert "deposit" in told.text


@pytest.mark.parametrize("path", ["/v1/responses", "/v1/chat/completions", "/query"])
@pytest.mark.parametrize("value", ["NaN", "-Infinity", "1e999", '{"deep": [Infinity]}'])
def test_a_number_that_is_not_finite_is_refused(address: str, path: str, value: str) -> None:
    told = _posted(address, path, f'"text": {{"format": {value}}}')
    assert told.status_code == 422
    assert "not finite" in told.json()["detail"]


def _posted(address: str, path: str, more: str) -> httpx2.Response:
    asked = f'"{QUESTION}"'
    field = {
        "/v1/responses": f'"input": {asked}',
        "/v1/chat/completions": f'"messages": [{{"role": "user", "content": {asked}}}]',
        "/v1/completions": f'"prompt": {asked}',
        "/query": f'"question": {asked}',
    }[path]
    model = "" if path == "/query" else '"model": "rag", '
    headers = {"content-type": "application/json"}
    body = f"{{{model}{field}, {more}}}"  # a field told twice: the later one counts
    return httpx2.post(address + path, content=body.encode(), headers=headers, timeout=60)


@pytest.mark.parametrize(
    ("path", "field"), [("/v1/chat/completions", "response_format"), ("/v1/responses", "text")]
)
@pytest.mark.parametrize("value", ['{"schema": {}}', '"json"', "[1]", "7", "true"])
def test_a_format_that_cannot_be_read_is_not_passed_over(
    address: str, path: str, field: str, value: str
) -> None:
    told = _posted(address, path, f'"{field}": ' + _inside(field, value))
    assert told.status_code in (400, 422), told.text
    assert told.json()["error"]["param"].startswith(field)


def _inside(field: str, value: str) -> str:
    return f'{{"format": {value}}}' if field == "text" else value


@pytest.mark.parametrize("path", ["/v1/files", "/v1/responses/resp_1", "/v1/chat/completions/x"])
def test_an_address_that_is_none_says_where_to_look(address: str, path: str) -> None:
    error = httpx2.get(address + path).json()["error"]
    assert (error["type"], error["code"]) == ("not_found_error", "not_found")
    assert "/docs" in error["message"]
