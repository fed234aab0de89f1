"""Models, chat completions, and the older completions of a text."""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncGenerator
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from rag.errors import RagError
from rag.options import QuotesMode
from service import sse
from service.answers import unless_gone
from service.deps import Service
from service.openai.limits import (
    Body,
    ChatMessage,
    ModelName,
    Stop,
    Temperature,
    Unsupported,
    limit_of,
    require_supported,
    schema_of,
    stops_of,
)
from service.openai.questions import NAME, collection_of, opened
from service.openai.reply import Ended, Reply
from service.problems import in_openais_form, problem_of
from service.sound import Sound

router = APIRouter(prefix="/v1", tags=["openai"])


class StreamOptions(BaseModel):
    include_usage: bool = False


class _Asking(Sound, Body):
    model: ModelName
    stream: bool = False
    stream_options: StreamOptions | None = None
    temperature: Temperature = None
    max_tokens: int | None = None
    stop: Stop = None
    quotes: QuotesMode | bool | None = None  # ours, as POST /query has it


class ChatCompletion(_Asking):
    messages: list[ChatMessage] = Field(
        min_length=1, examples=[[{"role": "user", "content": "How long is the notice period?"}]]
    )
    max_completion_tokens: int | None = None
    response_format: dict[str, Any] | None = None


class Completion(_Asking):
    prompt: str | list[Any] = Field(examples=["How long is the notice period?"])


@router.get("/models", summary="Collections, as models")
async def models(state: Service) -> dict[str, Any]:
    names = [NAME, *(f"{NAME}/{name}" for name in state.collections())]
    return {"object": "list", "data": [_model(name) for name in names]}


@router.get("/models/{name:path}", summary="A collection, as a model")
async def model(name: str, state: Service) -> dict[str, Any]:
    collection_of(state, name)
    return _model(name)


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": NAME}


@router.post("/chat/completions", summary="Chat with the documents", response_model=None)
async def chat(
    body: ChatCompletion, request: Request, state: Service
) -> dict[str, Any] | StreamingResponse:
    newer = body.max_completion_tokens is not None
    limit = limit_of("max_completion_tokens", body.max_completion_tokens)
    limit = limit if newer else limit_of("max_tokens", body.max_tokens)
    schema = schema_of("response_format", body.response_format)
    return await _answer(body, body.messages, limit, _Chat(body), request, state, schema)


@router.post("/completions", summary="Ask about the documents, without roles", response_model=None)
async def complete(
    body: Completion, request: Request, state: Service
) -> dict[str, Any] | StreamingResponse:
    prompt = body.prompt[0] if len(body.prompt) == 1 else body.prompt
    if not isinstance(prompt, str):
        raise Unsupported("prompt", "one prompt is answered, as text", "Send one text.")
    messages = [ChatMessage(role="user", content=prompt)]
    limit = limit_of("max_tokens", body.max_tokens)
    return await _answer(body, messages, limit, _Text(body), request, state)


async def _answer(
    body: _Asking,
    messages: list[ChatMessage],
    limit: int | None,
    form: _Form,
    request: Request,
    state: Service,
    schema: dict[str, Any] | None = None,
) -> dict[str, Any] | StreamingResponse:
    require_supported(body)
    how: dict[str, Any] = {
        "max_tokens": limit,
        "temperature": body.temperature,
        "quotes": body.quotes,
        "answer_schema": schema,
        "stop": stops_of(body.stop),
    }
    asked = await opened(state, body.model, messages, **how)
    running = state.answers.start(asked.events)
    reply = Reply(asked, request)
    if not body.stream:
        return form.whole(await reply.whole(running, request))
    await unless_gone(request, running.next(), running.stop)
    told = reply.told(running)
    return sse.Stream(form.chunks(told), running.stop)


class _Form:
    """One of the two forms that answers have."""

    prefix, kind, chunk_kind = "", "", ""

    def __init__(self, body: _Asking) -> None:
        self._body = body
        self._id = f"{self.prefix}-{secrets.token_hex(12)}"
        self._created = int(time.time())

    def whole(self, ended: Ended) -> dict[str, Any]:
        choice = {"index": 0, **self._said(ended), "finish_reason": ended.reason, "logprobs": None}
        return {**self._head(self.kind), "choices": [choice], "usage": _usage(ended)}

    async def chunks(self, told: AsyncGenerator[str | Ended]) -> AsyncGenerator[bytes]:
        try:
            for first in self._first():
                yield self._chunk(first)
            async for piece in told:
                if isinstance(piece, str):
                    yield self._chunk(self._piece(piece))
                    continue
                yield self._chunk(self._last(piece))
                yield self._chunk(self._nothing(), piece.reason)
                if self._body.stream_options and self._body.stream_options.include_usage:
                    usage = {"choices": [], "usage": _usage(piece)}
                    yield sse.data({**self._head(self.chunk_kind), **usage})
        except RagError as error:
            yield sse.data(in_openais_form(problem_of(error)))
        yield b"data: [DONE]\n\n"

    def _chunk(self, content: dict[str, Any], reason: str | None = None) -> bytes:
        choice = {"index": 0, **content, "finish_reason": reason, "logprobs": None}
        return sse.data({**self._head(self.chunk_kind), "choices": [choice]})

    def _head(self, kind: str) -> dict[str, Any]:
        return {
            "id": self._id,
            "object": kind,
            "created": self._created,
            "model": self._body.model,
        }

    def _first(self) -> list[dict[str, Any]]:
        return []

    def _said(self, ended: Ended) -> dict[str, Any]:
        raise NotImplementedError

    def _piece(self, text: str) -> dict[str, Any]:
        raise NotImplementedError

    def _last(self, ended: Ended) -> dict[str, Any]:
        raise NotImplementedError

    def _nothing(self) -> dict[str, Any]:
        raise NotImplementedError


class _Chat(_Form):
    prefix, kind, chunk_kind = "chatcmpl", "chat.completion", "chat.completion.chunk"

    def _said(self, ended: Ended) -> dict[str, Any]:
        message = {
            "role": "assistant",
            "content": None if ended.refusal else ended.text,
            "refusal": ended.refusal,
            "annotations": _cited(ended),
        }
        return {"message": message}

    def _first(self) -> list[dict[str, Any]]:
        return [{"delta": {"role": "assistant", "content": ""}}]

    def _piece(self, text: str) -> dict[str, Any]:
        return {"delta": {"content": text}}

    def _last(self, ended: Ended) -> dict[str, Any]:
        """What was streamed cannot be taken back: the sources are of the verified answer, and what
        is wrong with the text stands behind them."""
        if ended.refusal:
            return {"delta": {"refusal": ended.refusal}}
        return {"delta": {"content": ended.rest, "annotations": _cited(ended)}}

    def _nothing(self) -> dict[str, Any]:
        return {"delta": {}}


class _Text(_Form):
    prefix, kind, chunk_kind = "cmpl", "text_completion", "text_completion"

    def _said(self, ended: Ended) -> dict[str, Any]:
        return {"text": ended.text}

    def _piece(self, text: str) -> dict[str, Any]:
        return {"text": text}

    def _last(self, ended: Ended) -> dict[str, Any]:
        return {"text": ended.rest}

    def _nothing(self) -> dict[str, Any]:
        return {"text": ""}


def _cited(ended: Ended) -> list[dict[str, Any]]:
    return [{"type": "url_citation", "url_citation": one} for one in ended.annotations]


def _usage(ended: Ended) -> dict[str, Any]:
    prompt, completion, cached = ended.tokens
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": cached},
    }
