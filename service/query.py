"""Questions: answered as one document or as a stream of events; and search alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import asdict, replace
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse

from rag.errors import AnswerStopped, RagError
from rag.events import Delta, Done, MapProgress, Quoted, Retrieved, Thought
from service import markdown, sse
from service.answers import Running, Told, unless_gone
from service.ask_request import AskRequest
from service.deps import Service
from service.growing import Growing
from service.jobs import Waiting
from service.problems import CLIENT_GONE, Refused, problem_of
from service.schemas import AnswerOut, Query, QuotedOut, Search, SearchOut

router = APIRouter(tags=["questions"])

_EVENTS = """\
With `"stream": true` (or `Accept: text/event-stream`) a stream of server-sent events:

| event | data |
|---|---|
| `waiting` | with `"wait": true`: `files_done`, `files_total` of those that are read first |
| `retrieved` | once: `question`, `search_text`, `hits`, `pending` |
| `quoted` | what the answer begins with: `text` with verified markers, `citations`, `html` |
| `map_progress` | `pages_done`, `pages_total`…: how far documents are read that are given whole |
| `thought` | `text`: the next piece of what the model thinks first; `restart`: so were the deltas |
| `delta` | `text`: the next piece, as the model writes it, not yet verified |
| `html` | with `"render": true`: `html` of blocks that ended, `open` of the one being written |
| `done` | once, at the end: the verified answer as in the JSON response, kept in its session |
| `error` | instead of `done`: a problem document |

The blocks in `html` are final until `done`; `open` takes the place of the last `open`, and deltas
behind it go on with that block as text.

What fails before the first event has its true HTTP status. A client that goes away stops its
answer, unless that belongs to a session: then it is written on, `GET /sessions/{id}/answer` hears
it, and `POST /sessions/{id}/stop` stops it, which ends its streams with the event `stopped`.
"""


@router.post(
    "/query",
    summary="Ask a question",
    description=_EVENTS,
    response_model=AnswerOut,
    responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
)
async def query(query: Query, request: Request, state: Service) -> AnswerOut | StreamingResponse:
    asked = await AskRequest.open(state, query)
    running = state.answers.start(asked.events, query.session_id)
    stop = running.stop if query.session_id is None else _go_on
    if query.stream or "text/event-stream" in request.headers.get("accept", ""):
        await unless_gone(request, running.next(), stop)
        return sse.Stream(told(running, render=query.render), stop)
    done = await unless_gone(request, running.last(), stop)
    if not isinstance(done, Done):
        raise Refused(CLIENT_GONE, "the client went away")
    return _with_html(asked, done) if query.render else asked.answer(done)


def _go_on() -> None:
    """An answer of a session does not depend on who listens."""


async def told(running: Running, *, render: bool) -> AsyncGenerator[bytes]:
    """All events of an answer as bytes, with pings while nothing happens."""
    assert isinstance(running.about, AskRequest)
    printer = _Printer(running.about, render=render)
    reader = running.reader()
    try:
        while True:
            waiting = asyncio.ensure_future(reader.next())
            try:
                while not (await asyncio.wait({waiting}, timeout=sse.PING_S))[0]:
                    yield sse.PING
                event = waiting.result()
            finally:
                waiting.cancel()
            if event is None:
                return
            for part in printer.told(event):
                yield part
    except AnswerStopped as error:
        stopped = running.stopped
        yield sse.event("stopped" if stopped else "error", {} if stopped else problem_of(error))
    except RagError as error:
        yield sse.event("error", problem_of(error))


class _Printer:
    """Answer events as server-sent ones."""

    def __init__(self, asked: AskRequest, *, render: bool) -> None:
        self._asked = asked
        self._render = render
        self._growing = Growing()

    def told(self, event: Told) -> list[bytes]:
        if isinstance(event, Retrieved):
            out = self._asked.wire.search(event)
            out = out.model_copy(update={"pending": self._asked.pending})
            return [sse.event("retrieved", {**out.model_dump(mode="json"), **self._ids()})]
        if isinstance(event, Quoted):
            return [sse.event("quoted", self._quoted(event).model_dump(mode="json"))]
        if isinstance(event, Waiting):
            return [sse.event("waiting", asdict(event))]
        if isinstance(event, MapProgress):
            return [sse.event("map_progress", asdict(event))]
        if isinstance(event, Thought):
            self._growing = Growing() if event.restart else self._growing
            return [sse.event("thought", {"text": event.text, "restart": event.restart})]
        if isinstance(event, Delta):
            told = [sse.event("delta", {"text": event.text})]
            if self._render and (html := self._growing.feed(event.text)) is not None:
                told.append(sse.event("html", html))
            return told
        answer = _with_html(self._asked, event) if self._render else self._asked.answer(event)
        return [sse.event("done", answer.model_dump(mode="json"))]

    def _quoted(self, event: Quoted) -> QuotedOut:
        out = self._asked.wire.quoted(event)
        if not self._render:
            return out
        places = _places(out.model_dump()["citations"])
        return out.model_copy(update={"html": markdown.render(out.text, places, [])})

    def _ids(self) -> dict[str, Any]:
        asked = self._asked
        return {"session_id": asked.query.session_id, "turn_id": asked.turn_id}


def _with_html(asked: AskRequest, done: Done) -> AnswerOut:
    answer = asked.answer(done)
    return answer.model_copy(update={"html": answer_html(answer.model_dump())})


def answer_html(answer: dict[str, Any]) -> str:
    """HTML of an answer as it goes over the wire, or as a session keeps it. The passages' own
    sentences, which it may begin with, stand in an element of their own."""
    text, quoted = answer["text"], answer.get("quoted") or 0
    places = _places(answer["citations"])
    notes = _notes([] if answer["refused"] else answer["claims"])
    links = markdown.addresses(citation["quote"] for citation in answer["citations"])
    if not quoted:
        return markdown.render(text, places, notes, links)
    begin = f'<div class="quoted">{markdown.render(text[:quoted], places, [], links)}</div>'
    rest = [replace(note, end=note.end - quoted) for note in notes]
    return begin + markdown.render(text[quoted:], places, rest, links)


def _places(citations: list[dict[str, Any]]) -> dict[int, str]:
    return {
        citation["number"]: f"{citation['document']['title'] or citation['document']['name']}, "
        f"page {citation['page_label'] or citation['page']}"
        for citation in citations
    }


def _notes(claims: list[dict[str, Any]]) -> list[markdown.Note]:
    return [
        markdown.Note(
            claim["end"],
            claim.get("note") or "not in the passages",
            claim.get("finding") or "not_said",
            (claim.get("near") or {}).get("quote", ""),
        )
        for claim in claims
        if not claim["sources"]
    ]


@router.post("/search", summary="Find passages, without an answer")
async def search(search: Search, state: Service) -> SearchOut:
    pipeline = state.pipeline(search.collection)
    wire = state.wire(pipeline.settings.collection)
    pending = state.jobs.files_left(wire.collection)
    found = await pipeline.search(search.question, search.messages, k=search.k, scope=search.scope)
    return wire.search(found).model_copy(update={"pending": pending})
