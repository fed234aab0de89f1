"""OpenAI's protocol, so that any chat program can talk with the documents.

A model's name is `rag` (the default collection) or `rag/COLLECTION`. The last user message is the
question, the messages before it the history; system messages are passed over, since the pipeline
has its own. Sources come as annotations, and as Markdown at the end of the text.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import AsyncGenerator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from rag.errors import EngineError, InvalidQuestion, ModelNotFound, RagError
from rag.events import Delta, Done, Quoted, Thought
from rag.options import QuotesMode
from rag.types import Answer, Citation
from rag.verification.notes import corrections
from rag.verification.unmarking import Unmarking
from service import sse
from service.answers import Running, unless_gone
from service.ask_request import AskRequest
from service.deps import Service
from service.problems import CLIENT_GONE, Refused, problem_of
from service.schemas import QUESTION_CHARS, HistoryMessage, Query
from service.state import State

router = APIRouter(prefix="/v1", tags=["openai"])
_NAME = "rag"


class ContentPart(BaseModel):
    type: str
    text: str = ""


class ChatMessage(BaseModel):
    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[ContentPart] | None = None

    @property
    def text(self) -> str:
        if isinstance(self.content, str):
            return self.content
        return "\n".join(part.text for part in self.content or [] if part.type == "text")


class StreamOptions(BaseModel):
    include_usage: bool = False


class ChatCompletion(BaseModel):
    """Fields of OpenAI's that are not here are taken and passed over."""

    model_config = ConfigDict(extra="allow")

    model: str = Field(max_length=200, examples=["rag"])
    messages: list[ChatMessage] = Field(
        min_length=1,
        max_length=500,
        examples=[[{"role": "user", "content": "How long is the notice period?"}]],
    )
    stream: bool = False
    stream_options: StreamOptions | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    max_tokens: Annotated[int, Field(ge=1, le=32_768)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1, le=32_768)] | None = None
    quotes: QuotesMode | bool | None = None  # ours, as POST /query has it


@router.get("/models", summary="Collections, as models")
async def models(state: Service) -> dict[str, Any]:
    names = [_NAME, *(f"{_NAME}/{name}" for name in state.collections())]
    return {"object": "list", "data": [_model(name) for name in names]}


@router.get("/models/{name:path}", summary="A collection, as a model")
async def model(name: str, state: Service) -> dict[str, Any]:
    _collection(state, name)
    return _model(name)


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": _NAME}


@router.post("/chat/completions", summary="Chat with the documents", response_model=None)
async def complete(
    body: ChatCompletion, request: Request, state: Service
) -> dict[str, Any] | StreamingResponse:
    asked = await AskRequest.open(state, _query(state, body))
    running = state.answers.start(asked.events)
    reply = _Reply(body, asked, str(request.base_url).rstrip("/"))
    if body.stream:
        await unless_gone(request, running.next(), running.stop)
        return sse.Stream(reply.chunks(running), running.stop)
    done = await unless_gone(request, running.last(), running.stop)
    if not isinstance(done, Done):
        raise Refused(CLIENT_GONE, "the client went away")
    return reply.whole(done.answer)


def _query(state: State, body: ChatCompletion) -> Query:
    turns = [message for message in body.messages if message.role in ("user", "assistant")]
    if not turns or turns[-1].role != "user":
        raise InvalidQuestion("the last message is not the user's")
    question = turns[-1].text
    if len(question) > QUESTION_CHARS:
        raise InvalidQuestion(f"the last message is longer than {QUESTION_CHARS:,} characters")
    return Query.model_construct(
        question=question,
        collection=_collection(state, body.model),
        history=[_turn(message) for message in turns[:-1]],
        max_tokens=body.max_completion_tokens or body.max_tokens,
        temperature=body.temperature,
        quotes=body.quotes,
    )


def _collection(state: State, model: str) -> str | None:
    """The collection that a model's name stands for; None: the default one."""
    name, _, collection = model.partition("/")
    if name != _NAME or (collection and collection not in state.collections()):
        raise ModelNotFound(f"no model {model[:80]!r}", hint="GET /v1/models lists them.")
    return collection or None


def _turn(message: ChatMessage) -> HistoryMessage:
    role: Any = message.role
    # What we appended to an earlier answer is no part of what was said.
    return HistoryMessage.model_construct(role=role, content=_SPOKEN.split(message.text)[0])


_SOURCES = "\n\n---\n**Sources**\n\n"
_CORRECTIONS = "\n\n---\n**Not confirmed by the documents**\n\n"
_SPOKEN = re.compile(f"{re.escape(_SOURCES)}|{re.escape(_CORRECTIONS)}")


class _Reply:
    """An answer in OpenAI's words."""

    def __init__(self, body: ChatCompletion, asked: AskRequest, base_url: str) -> None:
        self._body = body
        self._asked = asked
        self._base_url = base_url
        self._id = f"chatcmpl-{secrets.token_hex(12)}"
        self._created = int(time.time())

    def whole(self, answer: Answer) -> dict[str, Any]:
        message = {
            "role": "assistant",
            "content": answer.text + self._sources(answer) + _corrected(answer),
            "refusal": None,
            "annotations": self._annotations(answer, answer.text),
        }
        choice = {
            "index": 0,
            "message": message,
            "finish_reason": _reason(answer),
            "logprobs": None,
        }
        return {**self._head("chat.completion"), "choices": [choice], "usage": _usage(answer)}

    async def chunks(self, running: Running) -> AsyncGenerator[bytes]:
        yield self._chunk({"role": "assistant", "content": ""})
        unmarked = Unmarking()
        quoted = ""
        try:
            while (event := await running.next()) is not None:
                if isinstance(event, Quoted):
                    quoted = event.text
                    yield self._chunk({"content": quoted})
                elif isinstance(event, Delta):  # behind quotes: told once it is verified
                    if text := "" if quoted else unmarked.feed(event.text):
                        yield self._chunk({"content": text})
                elif isinstance(event, Thought):
                    _require_kept(event, unmarked.told)
                elif isinstance(event, Done):
                    if text := unmarked.rest():
                        yield self._chunk({"content": text})
                    rest = _behind(event.answer, quoted, unmarked.told)
                    for chunk in self._end(event.answer, rest, unmarked.told):
                        yield chunk
        except RagError as error:
            yield sse.data(problem_of(error))
        yield b"data: [DONE]\n\n"

    def _end(self, answer: Answer, rest: str, written: str) -> list[bytes]:
        """What was streamed cannot be taken back: the sources are of the verified answer, and what
        is wrong with the text stands behind them."""
        told = rest + self._sources(answer) + _corrected(answer)
        last = {"content": told, "annotations": self._annotations(answer, written or answer.text)}
        chunks = [self._chunk(last), self._chunk({}, _reason(answer))]
        options = self._body.stream_options
        if options is not None and options.include_usage:
            head = self._head("chat.completion.chunk")
            chunks.append(sse.data({**head, "choices": [], "usage": _usage(answer)}))
        return chunks

    def _chunk(self, delta: dict[str, Any], reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": reason, "logprobs": None}
        return sse.data({**self._head("chat.completion.chunk"), "choices": [choice]})

    def _head(self, kind: str) -> dict[str, Any]:
        return {
            "id": self._id,
            "object": kind,
            "created": self._created,
            "model": self._body.model,
        }

    def _url(self, citation: Citation) -> str:
        return self._base_url + self._asked.wire.page_url(citation)

    def _annotations(self, answer: Answer, text: str) -> list[dict[str, Any]]:
        """One for each claim and source, at the claim's place in the text."""
        cited = {citation.number: citation for citation in answer.citations}
        exact = text == answer.text
        return [
            {
                "type": "url_citation",
                "url_citation": {
                    "start_index": claim.start if exact else 0,
                    "end_index": claim.end if exact else len(text),
                    "title": _title(cited[number]),
                    "url": self._url(cited[number]),
                },
            }
            for claim in answer.claims
            for number in claim.sources
            if number in cited
        ]

    def _sources(self, answer: Answer) -> str:
        lines = [
            f"{citation.number}. [{_escaped(_title(citation))}]({self._url(citation)})"
            for citation in answer.citations
        ]
        return _SOURCES + "\n".join(lines) if lines else ""


def _behind(answer: Answer, quoted: str, written: str) -> str:
    """What of the answer was not streamed. A refusal follows quotes that were."""
    if not quoted:
        return "" if written else answer.text
    return f"\n\n{answer.text}" if answer.refused else answer.text[len(quoted) :]


def _corrected(answer: Answer) -> str:
    """The claims that are not cited, each with what is known of it."""
    lines = [
        f"- “{_escaped(one.claim)}”: {one.note}"
        + (
            f", {_escaped(one.place.document.name)}: “{_escaped(one.place.quote)}”"
            if one.place
            else ""
        )
        for one in corrections(answer)
    ]
    return _CORRECTIONS + "\n".join(lines) if lines else ""


def _require_kept(event: Thought, written: str) -> None:
    """Raises EngineError where what was streamed turns out to be thoughts, which are no content:
    nothing can be taken back here."""
    if event.restart and written:
        raise EngineError(
            "the model sent its thoughts as an answer",
            hint="Ask again: from now on its thoughts are recognised.",
        )


def _title(citation: Citation) -> str:
    return f"{citation.document.name}, p. {citation.page_label or citation.page}"


def _escaped(text: str) -> str:
    return "".join(f"\\{char}" if char in r"\[]()<>*_`" else char for char in text)


def _reason(answer: Answer) -> str:
    return answer.finish.reason if answer.finish else "stop"


def _usage(answer: Answer) -> dict[str, Any]:
    finish = answer.finish
    prompt, completion = (finish.prompt_tokens, finish.completion_tokens) if finish else (0, 0)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": finish.cached_tokens if finish else 0},
    }
