"""OpenAI's Responses API. Nothing is kept: a conversation comes whole, as `input`."""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncGenerator
from typing import Any, Literal

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse
from pydantic import Field

from rag.errors import RagError
from service import sse
from service.answers import unless_gone
from service.deps import Service
from service.openai.limits import (
    Body,
    ChatMessage,
    ModelName,
    Temperature,
    Unsupported,
    limit_of,
    require_supported,
    schema_of,
)
from service.openai.questions import opened
from service.openai.reply import Ended, Reply
from service.problems import in_openais_form, problem_of
from service.sound import Sound

router = APIRouter(prefix="/v1", tags=["openai"])


class ResponseIn(Sound, Body):
    model: ModelName
    input: str | list[dict[str, Any]] = Field(examples=["How long is the notice period?"])
    instructions: str | None = None  # passed over, as system messages are
    stream: bool = False
    temperature: Temperature = None
    max_output_tokens: int | None = None
    text: dict[str, Any] | None = None
    quotes: Literal["auto", "first", "only", "off"] | bool | None = None  # ours, as /query has it


@router.post("/responses", summary="Ask about the documents", response_model=None)
async def respond(
    body: ResponseIn, request: Request, state: Service
) -> dict[str, Any] | StreamingResponse:
    require_supported(body)
    how = {
        "max_tokens": limit_of("max_output_tokens", body.max_output_tokens),
        "temperature": body.temperature,
        "quotes": body.quotes,
        "answer_schema": schema_of("text.format", (body.text or {}).get("format")),
    }
    asked = await opened(state, body.model, _messages(body.input), "input", **how)
    running = state.answers.start(asked.events)
    reply, response = Reply(asked, request), _Response(body)
    if not body.stream:
        return response.whole(await reply.whole(running, request))
    await unless_gone(request, running.next(), running.stop)
    return sse.Stream(response.events(reply.told(running)), running.stop)


def _messages(given: str | list[dict[str, Any]]) -> list[ChatMessage]:
    """Raises Unsupported for items that are no messages; a model's own thoughts are passed over."""
    if isinstance(given, str):
        return [ChatMessage(role="user", content=given)]
    items = [item for item in given if item.get("type") != "reasoning"]
    for item in items:
        if item.get("type", "message") != "message":
            kind = str(item["type"])[:40]
            raise Unsupported("input", f"{kind!r} is no message", "Send messages alone.")
    try:
        return [ChatMessage.model_validate(item) for item in items]
    except ValueError as error:
        what = "a message of `input` has no role and content that can be read"
        raise Unsupported("input", what, "Give each message a role and a text.") from error


class _Response:
    """A response as it is told, whole or event by event."""

    def __init__(self, body: ResponseIn) -> None:
        self._body = body
        self._id, self._item_id = (f"{kind}_{secrets.token_hex(16)}" for kind in ("resp", "msg"))
        self._created = int(time.time())
        self._number = 0

    def whole(self, ended: Ended) -> dict[str, Any]:
        cut = ended.reason == "length"
        prompt, written, cached = ended.tokens
        return {
            **self._head("incomplete" if cut else "completed"),
            "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
            "output": [self._item([_part(ended)], "incomplete" if cut else "completed")],
            "usage": {
                "input_tokens": prompt,
                "input_tokens_details": {"cached_tokens": cached},
                "output_tokens": written,
                "output_tokens_details": {"reasoning_tokens": 0},
                "total_tokens": prompt + written,
            },
        }

    async def events(self, told: AsyncGenerator[str | Ended]) -> AsyncGenerator[bytes]:
        at = {"item_id": self._item_id, "output_index": 0, "content_index": 0}
        for kind in ("created", "in_progress"):
            yield self._event(f"response.{kind}", response=self._head("in_progress"))
        item = self._item([], "in_progress")
        yield self._event("response.output_item.added", output_index=0, item=item)
        begun = False
        try:
            async for piece in told:
                if isinstance(piece, Ended) and piece.refusal:
                    for event in self._refused(at, piece):
                        yield event
                    return
                if not begun:
                    begun, empty = True, _text_part("", [])
                    yield self._event("response.content_part.added", **at, part=empty)
                rest = piece.rest if isinstance(piece, Ended) else piece
                if rest:
                    yield self._event("response.output_text.delta", **at, delta=rest, logprobs=[])
                if isinstance(piece, Ended):
                    for event in self._ended(at, piece):
                        yield event
        except RagError as error:
            shown = in_openais_form(problem_of(error))["error"]
            failed = self._head("failed") | {
                "error": {"code": "server_error", "message": shown["message"]}
            }
            yield self._event("response.failed", response=failed)

    def _ended(self, at: dict[str, Any], ended: Ended) -> list[bytes]:
        cited = [
            self._event(
                "response.output_text.annotation.added",
                **at,
                annotation_index=number,
                annotation=annotation,
            )
            for number, annotation in enumerate(_cited(ended))
        ]
        text = {"text": ended.text, "logprobs": []}
        done = self._event("response.output_text.done", **at, **text)
        return [*cited, done, *self._closed(at, ended)]

    def _refused(self, at: dict[str, Any], ended: Ended) -> list[bytes]:
        empty = {"type": "refusal", "refusal": ""}
        return [
            self._event("response.content_part.added", **at, part=empty),
            self._event("response.refusal.delta", **at, delta=ended.refusal),
            self._event("response.refusal.done", **at, refusal=ended.refusal),
            *self._closed(at, ended),
        ]

    def _closed(self, at: dict[str, Any], ended: Ended) -> list[bytes]:
        response = self.whole(ended)
        [item] = response["output"]
        return [
            self._event("response.content_part.done", **at, part=_part(ended)),
            self._event("response.output_item.done", output_index=0, item=item),
            self._event(f"response.{response['status']}", response=response),
        ]

    def _event(self, kind: str, **data: Any) -> bytes:
        event = sse.event(kind, {"type": kind, "sequence_number": self._number, **data})
        self._number += 1
        return event

    def _item(self, content: list[dict[str, Any]], status: str) -> dict[str, Any]:
        return {
            "id": self._item_id,
            "type": "message",
            "role": "assistant",
            "status": status,
            "content": content,
        }

    def _head(self, status: str) -> dict[str, Any]:
        return {
            "id": self._id,
            "object": "response",
            "created_at": self._created,
            "status": status,
            "model": self._body.model,
            "error": None,
            "incomplete_details": None,
            "instructions": self._body.instructions,
            "max_output_tokens": self._body.max_output_tokens,
            "metadata": {},
            "output": [],
            "parallel_tool_calls": False,
            "previous_response_id": None,
            "store": False,
            "temperature": self._body.temperature,
            "text": self._body.text or {"format": {"type": "text"}},
            "tool_choice": "none",
            "tools": [],
            "top_p": None,
            "truncation": "disabled",
            "usage": None,
        }


def _part(ended: Ended) -> dict[str, Any]:
    if ended.refusal:
        return {"type": "refusal", "refusal": ended.refusal}
    return _text_part(ended.text, _cited(ended))


def _text_part(text: str, annotations: list[dict[str, Any]]) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": annotations, "logprobs": []}


def _cited(ended: Ended) -> list[dict[str, Any]]:
    return [{"type": "url_citation", **one} for one in ended.annotations]
