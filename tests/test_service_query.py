"""Questions over HTTP: a real server, a real embedder and index, a scripted engine."""

from __future__ import annotations

import concurrent.futures
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from rag import errors
from rag.runtime import Runtime
from rag.sessions.store import Sessions
from rag.testing import FakeEmbedder, FakeEngine
from rag.types import Message
from service.ask_request import AskRequest
from service.problems import STATUS, status_of
from service.schemas import Query
from service.state import State
from tests.service_server import (
    ANSWER,
    GARDEN,
    LEASE,
    events,
    pdf,
    running,
    service_settings,
    upload,
)

TERMS = '{"deposit": "23,500 crowns", "painter": "Otto Zwei"}'


def _slowly(messages: list[Message]) -> str:
    question = messages[-1].content
    if "Answer in JSON" in question:
        return TERMS
    return "".join(f"word{n} " for n in range(400)) if "slowly" in question else ANSWER


@pytest.fixture(scope="module")
def engine() -> FakeEngine:
    return FakeEngine(_slowly, delay_s=0.005, context_tokens=8192)


@pytest.fixture(scope="module")
def client(
    tmp_path_factory: pytest.TempPathFactory, shared_cache: Path, engine: FakeEngine
) -> Iterator[httpx2.Client]:
    home = tmp_path_factory.mktemp("home")
    settings = service_settings(home, shared_cache, queue_limit=1)
    with running(settings, engine) as url, httpx2.Client(base_url=url, timeout=60) as client:
        job = upload(
            client, ("lease.pdf", pdf(LEASE, "Lease")), ("garden.pdf", pdf(GARDEN, "Garden"))
        )
        assert job["status"] == "done", job
        yield client


def test_an_answer_cites_the_page_and_marks_what_nothing_supports(client: httpx2.Client) -> None:
    answer = client.post("/query", json={"question": "How high is the deposit?", "render": True})
    assert answer.status_code == 200, answer.text
    body = answer.json()
    citation = body["citations"][0]
    assert (citation["document"]["name"], citation["page"]) == ("lease.pdf", 1)
    assert "23,500 crowns" in citation["quote"]
    assert [bool(claim["sources"]) for claim in body["claims"]] == [True, False]
    assert 'data-cite="1"' in body["html"]
    assert 'class="unsupported"' in body["html"]
    image = client.get(citation["image_url"])
    assert image.headers["content-type"] == "image/png"
    assert image.content.startswith(b"\x89PNG")


def test_the_stream_tells_the_pipelines_events(client: httpx2.Client) -> None:
    told = events(client, {"question": "How high is the deposit?", "render": True})
    names = [name for name, _ in told]
    assert names[0] == "retrieved"
    assert names[-1] == "done"
    assert set(names[1:-1]) == {"delta", "html"}
    assert "".join(str(data["text"]) for name, data in told if name == "delta") == ANSWER
    whole = client.post("/query", json={"question": "How high is the deposit?", "render": True})
    assert told[-1][1] == whole.json()


def test_a_failure_before_the_first_event_has_its_true_status(client: httpx2.Client) -> None:
    for body, status in (
        ({"question": "?!"}, 422),
        ({"question": "What?", "collection": "nothing-here"}, 404),
        ({"question": "What?", "documents": ["no-such.pdf"]}, 404),
        ({"question": "What?", "session_id": "no-such"}, 404),
        ({"question": "What?", "model": "/etc"}, 404),
        ({"question": "What?", "colour": "red"}, 422),
        ({"question": "What?", "replaces": 2**70}, 422),
    ):
        answer = client.post("/query", json={**body, "stream": True})
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["status"] == status


def test_a_later_failure_is_an_error_event(
    client: httpx2.Client, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "context_tokens", 32)  # a model that no prompt of ours fits
    told = events(client, {"question": "How high is the deposit?"})
    assert [name for name, _ in told] == ["retrieved", "error"]
    assert told[-1][1]["code"] == "prompt_too_long"


SCHEMA = {
    "type": "object",
    "properties": {"deposit": {"type": "string"}, "months": {"type": "integer"}},
}


def test_documents_are_read_whole_where_that_is_asked_for(
    client: httpx2.Client, engine: FakeEngine
) -> None:
    asked = {"question": "How high is the deposit?", "documents": ["lease.pdf"]}
    told = events(client, {**asked, "whole": True})
    assert [name for name, _ in told][:2] == ["retrieved", "map_progress"]
    assert (told[1][1]["pages_done"], told[1][1]["pages_total"]) == (1, 1)
    assert "two electric kilns" in engine.calls[-1][-1].content
    assert "map_progress" not in [name for name, _ in events(client, {**asked, "whole": False})]


def test_an_answer_by_schema_tells_what_each_field_rests_on(client: httpx2.Client) -> None:
    asked = {"question": "How high is the deposit?", "schema": SCHEMA}
    answer = client.post("/query", json=asked).json()
    assert answer["text"] == TERMS
    assert answer["fields"] == {"/deposit": [1], "/painter": []}
    assert "23,500 crowns" in answer["citations"][0]["quote"]
    assert client.post("/query", json={"question": "The deposit?"}).json()["fields"] is None


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"schema": "string"}, "invalid_request"),
        ({"schema": {"type": "nonsense"}}, "invalid_schema"),
        ({"whole": "perhaps"}, "invalid_request"),
        ({"answer_schema": SCHEMA}, "invalid_request"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_what_no_answer_can_be_is_a_problem_before_the_first_event(
    client: httpx2.Client, wrong: dict[str, object], code: str, stream: bool
) -> None:
    asked = {"question": "How high is the deposit?", "stream": stream, **wrong}
    answer = client.post("/query", json=asked)
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert answer.headers["content-type"] == "application/problem+json"


def test_scope_and_search(client: httpx2.Client) -> None:
    found = client.post("/search", json={"question": "deposit", "documents": ["garden.pdf"]}).json()
    assert {hit["document"]["name"] for hit in found["hits"]} == {"garden.pdf"}
    lease = {"question": "flowers", "metadata": {"title": "lease"}, "since": "2020-01-01"}
    found = client.post("/search", json=lease).json()
    assert {hit["document"]["name"] for hit in found["hits"]} == {"lease.pdf"}
    assert client.post("/search", json=lease | {"until": "1999-12-31"}).status_code == 422
    both = client.post("/search", json=lease | {"metadata": {"title": ["lease", "garden"]}})
    assert (both.status_code, both.json()["code"]) == (404, "document_not_found")
    for pages in ({"first": 2, "last": 1}, {"first": 0, "last": 1}, {"first": 1, "lst": 2}):
        asked = {"question": "deposit", "pages": pages}
        assert client.post("/search", json=asked).status_code == 422
    found = client.post("/search", json={"question": "deposit crowns", "k": 1}).json()
    hit = found["hits"][0]
    assert sum(hit["gains"].values()) == pytest.approx(hit["score"])
    assert hit["header_words"] == []
    assert [hit["document"]["name"] for hit in found["hits"]] == ["lease.pdf"]


def test_a_client_that_goes_away_stops_its_answer(
    client: httpx2.Client, engine: FakeEngine
) -> None:
    for body in ({"stream": True}, {}):
        stopped = engine.closed
        with httpx2.Client(base_url=client.base_url) as leaving:
            question = {"question": "Tell me slowly how high the deposit is", **body}
            if body:
                with leaving.stream("POST", "/query", json=question) as stream:
                    for event in httpx2.EventSource(stream):
                        if event.event == "delta":
                            break
            else:
                with pytest.raises(httpx2.ReadTimeout):
                    leaving.post("/query", json=question, timeout=1)
        _wait(lambda before=stopped: engine.closed == before + 1 and engine.active == 0)
    gone = 'rag_requests_total{method="POST",route="/query",status="499"} 1.0'
    _wait(lambda: gone in client.get("/metrics").text)


def test_beyond_the_queue_come_429s_with_retry_after(
    client: httpx2.Client, engine: FakeEngine
) -> None:
    """Nine may be under way: eight at once, one more may wait."""
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        body = {"question": "Tell me slowly how high the deposit is"}
        asked = [pool.submit(client.post, "/query", json=body) for _ in range(12)]
        answers = [future.result() for future in asked]
    busy = [answer for answer in answers if answer.status_code == 429]
    assert len(busy) == 3
    assert all(answer.headers["retry-after"].isdecimal() for answer in busy)
    assert sum(answer.status_code == 200 for answer in answers) == 9


def test_a_session_remembers_and_can_be_taken_back(
    client: httpx2.Client, engine: FakeEngine
) -> None:
    session = client.post("/sessions", json={}).json()["id"]
    first = client.post(
        "/query", json={"question": "How high is the deposit?", "session_id": session}
    )
    client.post("/query", json={"question": "And the kilns?", "session_id": session})
    assert [m.role for m in engine.calls[-1]] == ["system", "user", "assistant", "user"]
    # As the model had it, so that its prefix cache has it too.
    assert engine.calls[-1][:2] == engine.calls[-2]
    assert engine.calls[-1][2].content == ANSWER
    again = {
        "question": "How many kilns?",
        "session_id": session,
        "replaces": first.json()["turn_id"],
    }
    client.post("/query", json=again)
    assert [m.role for m in engine.calls[-1]] == ["system", "user"]

    detail = client.get(f"/sessions/{session}", params={"render": True}).json()
    assert [turn["question"] for turn in detail["messages"]] == ["How many kilns?"]
    old, new = detail["messages"][0]["branches"]
    assert (old, new) == (first.json()["turn_id"], detail["messages"][0]["id"])
    assert client.put(f"/sessions/{session}/branch", json={"turn": old}).status_code == 204
    shown = client.get(f"/sessions/{session}").json()["messages"]
    assert [turn["question"] for turn in shown] == ["How high is the deposit?", "And the kilns?"]
    assert client.put(f"/sessions/{session}/branch", json={"turn": 99_999}).status_code == 404
    client.put(f"/sessions/{session}/branch", json={"turn": new})
    assert detail["messages"][0]["html"].startswith("<p>")
    assert "as_read" not in detail["messages"][0]["details"]
    assert client.get("/sessions", params={"q": "many kilns"}).json()[0]["id"] == session
    renamed = client.patch(f"/sessions/{session}", json={"title": "Kilns"}).json()
    assert renamed["title"] == "Kilns"
    export = client.get(f"/sessions/{session}/export.md")
    assert export.headers["content-type"].startswith("text/markdown")
    assert "## How many kilns?" in export.text
    assert "lease.pdf, p. 1" in export.text
    assert client.delete(f"/sessions/{session}").status_code == 204
    assert client.get(f"/sessions/{session}").status_code == 404


async def test_an_answer_is_kept_before_it_is_told(tmp_path: Path, shared_cache: Path) -> None:
    """The page lets the next question go as soon as it has the whole answer."""
    settings = service_settings(tmp_path, shared_cache)
    runtime = Runtime(settings, embedder=FakeEmbedder(), engine=FakeEngine(ANSWER))
    state = State(settings, runtime, await Sessions.open(tmp_path))
    file = tmp_path / "lease.pdf"
    file.write_bytes(pdf(LEASE, "Lease"))
    assert [event async for event in state.pipeline().ingest([file])]
    session = await state.sessions.create("default")
    query = Query(question="How high is the deposit?", session_id=session.id)
    conversation = await AskRequest.open(state, query)
    kept = []
    async for event in conversation.events():
        (turn,) = await state.sessions.turns(session.id)
        kept.append((type(event).__name__, turn.state, "as_read" in turn.details))
    assert kept[0] == ("Retrieved", "answering", False)
    assert kept[-1] == ("Done", "done", True)
    await state.close()


def _begun(client: httpx2.Client, session: str) -> None:
    """Ask slowly, and go away with the first word."""
    body = {
        "question": "Tell me slowly how high the deposit is",
        "session_id": session,
        "stream": True,
    }
    with client.stream("POST", "/query", json=body) as stream:
        for event in httpx2.EventSource(stream):
            if event.event == "delta":
                break


def _last(client: httpx2.Client, session: str) -> dict[str, object]:
    return client.get(f"/sessions/{session}").json()["messages"][-1]  # type: ignore[no-any-return]


def test_a_sessions_answer_outlives_its_client_and_is_heard_by_others(
    client: httpx2.Client,
) -> None:
    session = client.post("/sessions", json={}).json()["id"]
    _begun(client, session)
    assert _last(client, session)["state"] == "answering"
    busy = client.post("/query", json={"question": "And the kilns?", "session_id": session})
    assert (busy.status_code, busy.json()["code"]) == (409, "session_busy")

    def heard(_: int) -> list[tuple[str, dict[str, object]]]:
        with client.stream("GET", f"/sessions/{session}/answer") as stream:
            return [(event.event, event.json()) for event in httpx2.EventSource(stream)]  # type: ignore[misc]

    with concurrent.futures.ThreadPoolExecutor() as pool:
        both = list(pool.map(heard, range(2)))
    for told in both:
        assert told[0][0] == "retrieved"
        text = "".join(str(data["text"]) for name, data in told if name == "delta")
        assert text == _slowly([Message("user", "slowly")])
        assert told[-1][0] == "done"
    assert _last(client, session)["state"] == "done"
    assert client.get(f"/sessions/{session}/answer").status_code == 404


def test_a_stopped_answer_ends_for_all_and_goes_on_where_it_was(
    client: httpx2.Client, engine: FakeEngine
) -> None:
    session = client.post("/sessions", json={}).json()["id"]
    _begun(client, session)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        listening = pool.submit(lambda: client.get(f"/sessions/{session}/answer").text)
        time.sleep(0.3)
        assert client.post(f"/sessions/{session}/stop").status_code == 204
        assert listening.result().endswith("event: stopped\ndata: {}\n\n")
    stopped = _last(client, session)
    assert (stopped["state"], str(stopped["text"])[:6]) == ("stopped", "word0 ")
    more = {"question": stopped["question"], "session_id": session, "continues": stopped["id"]}
    told = events(client, more)
    begun = str(stopped["text"]).rpartition(" ")[0]
    first = next(str(data["text"]) for name, data in told if name == "delta")
    assert first.strip() == begun.strip()
    assert [message.role for message in engine.calls[-1]][-2:] == ["assistant", "user"]
    assert engine.calls[-1][-2].content.strip() == begun.strip()
    assert _last(client, session)["branches"] == [stopped["id"], told[-1][1]["turn_id"]]
    assert client.post(f"/sessions/{session}/stop").status_code == 204


def test_a_deleted_session_stops_its_answer(client: httpx2.Client, engine: FakeEngine) -> None:
    session = client.post("/sessions", json={}).json()["id"]
    _begun(client, session)
    assert client.delete(f"/sessions/{session}").status_code == 204
    _wait(lambda: engine.active == 0)


def test_a_stopped_answer_is_kept_as_stopped(client: httpx2.Client) -> None:
    session = client.post("/sessions", json={}).json()["id"]
    _begun(client, session)
    client.post(f"/sessions/{session}/stop")

    def turn() -> dict[str, object]:
        return client.get(f"/sessions/{session}").json()["messages"][0]  # type: ignore[no-any-return]

    _wait(lambda: turn()["state"] == "stopped")
    assert str(turn()["text"]).startswith("word")


def test_models_are_listed_and_strangers_not_loaded(client: httpx2.Client) -> None:
    names = {model["name"]: model for model in client.get("/models").json()}
    assert names["fake"]["loaded"]
    assert names["fake"]["default"]
    for name in ("/etc", "../..", "someone/else"):
        assert client.post("/models", json={"model": name}).status_code == 404


def test_the_end_of_the_service_tells_those_whose_answers_it_stops(
    tmp_path: Path, shared_cache: Path
) -> None:
    question = {"question": "Tell me slowly how high the deposit is"}
    engine = FakeEngine(_slowly, delay_s=0.05, context_tokens=8192)
    with concurrent.futures.ThreadPoolExecutor(2) as pool, httpx2.Client(timeout=60) as client:
        with running(service_settings(tmp_path, shared_cache), engine) as url:
            client.base_url = httpx2.URL(url)
            upload(client, ("lease.pdf", pdf(LEASE, "Lease")))
            whole = pool.submit(client.post, "/query", json=question)
            streamed = pool.submit(events, client, question)
            _wait(lambda: engine.active == 2)
        assert whole.result().status_code == 502
        name, problem = streamed.result()[-1]
        assert (name, problem["hint"]) == ("error", "The service is shutting down.")


def test_health_ready_and_metrics(client: httpx2.Client) -> None:
    assert client.get("/health").json()["status"] == "ok"
    assert client.get("/ready").json()["ready"]
    assert client.request("INVENTED", "/query").status_code == 405
    text = client.get("/metrics").text
    assert "INVENTED" not in text
    assert 'rag_answers_total{outcome="done"}' in text
    assert 'route="/query"' in text


def test_every_error_of_ours_has_a_status() -> None:
    def tree(kind: type[errors.RagError]) -> Iterator[type[errors.RagError]]:
        yield kind
        for child in kind.__subclasses__():
            yield from tree(child)

    for kind in tree(errors.RagError):
        assert 400 <= status_of(kind("x")) < 600
        branch = [base for base in kind.__mro__ if base in STATUS]
        assert branch[0] is not errors.RagError or kind is errors.RagError, kind


def _wait(until: object, seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not until():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.05)
