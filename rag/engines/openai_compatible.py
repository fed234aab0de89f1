"""The chat model of a server that speaks OpenAI's API: vllm-mlx serve, Ollama, LM Studio…"""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Literal

from rag.config import Settings, revealed
from rag.engines.thought_format import ANY
from rag.engines.thought_stream import Decoded, TokenLimits, without_thoughts
from rag.engines.thoughts import ThoughtFilter
from rag.errors import (
    EngineBusy,
    EngineError,
    EngineTimeout,
    EngineUnreachable,
    PromptTooLong,
    ThoughtsCutOff,
)
from rag.models.registry import AUTO
from rag.types import Finish, Message, Piece

if TYPE_CHECKING:
    from openai import APIStatusError, AsyncOpenAI
    from openai.types import CompletionUsage

_DEFAULT_CONTEXT = 8192
_CONNECT_S = 10.0
# Tokens of text are not to be had from such a server. English has about 4 bytes a token, other
# languages fewer: 3 errs on the side of a prompt that fits.
_BYTES_PER_TOKEN = 3
_TOKENS_PER_MESSAGE = 8
# Models that think without being asked to, by a word of their names. Such a server may send the
# thoughts as content, and without the opening tag, which the prompt has.
_THINKERS = re.compile(
    r"(?:^|[^a-z0-9])(?:r1|qwq|gpt-oss|magistral|think\w*|reason\w*|deepthink|o[134])(?![a-z0-9])"
)


class OpenAIEngine:
    """An Engine. Make one with `open`."""

    def __init__(
        self, client: AsyncOpenAI, model: str, context_tokens: int, settings: Settings
    ) -> None:
        self.model = model
        self.fingerprint = f"{settings.engine_url} {model} {settings.thinking}"
        self.context_tokens = context_tokens
        self._client = client
        self._limit = settings.thinking_tokens
        self._asked_for = _switches(settings)
        # Learnt from answers, too: nobody tells us what template the server has.
        self._thinks = bool(_THINKERS.search(model.lower())) or settings.thinking != "off"
        self._unopened = self._thinks

    @classmethod
    async def open(cls, settings: Settings) -> OpenAIEngine:
        """With chat_model "auto" the server's first model. Raises EngineError."""
        from openai import AsyncOpenAI, Timeout

        client = AsyncOpenAI(
            base_url=settings.engine_url,
            api_key=revealed(settings.engine_api_key) or "none",
            timeout=Timeout(settings.request_timeout_s, connect=_CONNECT_S),
            max_retries=0,
        )
        model = settings.chat_model
        try:
            if model == AUTO:
                model = await _first_model(client)
        except EngineError:
            await client.close()
            raise
        return cls(client, model, settings.context_tokens or _DEFAULT_CONTEXT, settings)

    @property
    def thinking_tokens(self) -> int:
        """Of a model that is known to think."""
        return self._limit if self._thinks else 0

    def count_tokens(self, messages: Sequence[Message]) -> int:
        """An estimate, from the text's bytes: the server alone knows its tokenizer."""
        size = sum(len(message.content.encode()) for message in messages)
        return size // _BYTES_PER_TOKEN + _TOKENS_PER_MESSAGE * len(messages)

    async def stream(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        temperature: float,
        schema: Mapping[str, object] | None = None,
    ) -> AsyncGenerator[Piece]:
        """The answer piece by piece; closing the generator closes the connection.

        Raises EngineUnreachable, EngineBusy, EngineTimeout, PromptTooLong, ThoughtsCutOff,
        EngineError.
        """
        request: dict[str, Any] = {
            "model": self.model,
            "messages": [{"role": turn.role, "content": turn.content} for turn in messages],
            "temperature": temperature,
            "stream": True,
            "stream_options": {"include_usage": True},
            **self._asked_for,
        }
        if schema is not None:
            form = {"name": "answer", "schema": dict(schema), "strict": True}
            request["response_format"] = {"type": "json_schema", "json_schema": form}
        expected = self._thinks
        try:
            async with aclosing(self._answer(request, max_tokens)) as pieces:
                async for piece in pieces:
                    yield piece
        except ThoughtsCutOff:
            if expected:
                raise
            # The first answer of a model that thinks: it had no tokens for that. Now it has.
            yield Piece("", restart=True)
            async with aclosing(self._answer(request, max_tokens)) as pieces:
                async for piece in pieces:
                    yield piece

    async def _answer(self, request: dict[str, Any], max_tokens: int) -> AsyncGenerator[Piece]:
        limits = TokenLimits(max_tokens, self.thinking_tokens)
        hold = self._unopened and "response_format" not in request
        thoughts = ThoughtFilter(ANY, hold=hold)
        decoded = self._decoded({**request, "max_tokens": limits.total})
        try:
            async with aclosing(without_thoughts(decoded, thoughts, limits)) as pieces:
                async for piece in pieces:
                    self._unopened = self._unopened or piece.restart
                    yield piece
            # What ends without thoughts has none that nobody opened.
            self._unopened = self._unopened and (thoughts.thought or not hold)
        finally:
            self._thinks = self._thinks or thoughts.thought

    async def _decoded(self, request: dict[str, Any]) -> AsyncGenerator[Decoded]:
        reason, usage, tokens = None, None, 0
        with _translated(self._client):
            async with await self._client.chat.completions.create(**request) as chunks:
                async for chunk in chunks:
                    usage = chunk.usage or usage
                    for choice in chunk.choices:
                        reason = choice.finish_reason or reason
                        text, thought = _written(choice.delta)
                        if text or thought:
                            tokens += 1
                            yield Decoded(text, _finish("length", None, tokens), thought=thought)
        if reason is None:
            raise EngineError("the server's answer broke off", hint="See the server's log.")
        yield Decoded("", _finish(reason, usage, tokens), done=True)

    async def close(self) -> None:
        await self._client.close()


async def _first_model(client: AsyncOpenAI) -> str:
    with _translated(client):
        served = await client.models.list()
    if not served.data:
        raise EngineError("the server serves no model", hint="Load one there, or set chat_model.")
    return served.data[0].id


def _switches(settings: Settings) -> dict[str, Any]:
    """What a server is told of thinking: nothing, unless that was set. Servers that render a chat
    template take the first, Ollama and OpenAI's own the second, which has no word for "off"."""
    if "thinking" not in settings.model_fields_set:
        return {}
    on = settings.thinking != "off"
    asked: dict[str, Any] = {"extra_body": {"chat_template_kwargs": {"enable_thinking": on}}}
    return {**asked, "reasoning_effort": settings.thinking} if on else asked


def _written(delta: Any) -> tuple[str, str]:
    """The text of a piece, and the thought: servers call it `reasoning_content`, `reasoning` or
    `thinking`, and Mistral's sends a list of parts."""
    thought = ""
    for name in ("reasoning_content", "reasoning", "thinking"):
        value = getattr(delta, name, None)
        if isinstance(value, str) and value:
            thought = value
            break
    if not isinstance(delta.content, list):
        return delta.content or "", thought
    text = ""
    for part in delta.content:
        if part.get("type") == "text":
            text += str(part.get("text") or "")
        elif part.get("type") == "thinking":
            inner = part.get("thinking") or ""
            parts = inner if isinstance(inner, list) else [{"text": inner}]
            thought += "".join(str(one.get("text") or "") for one in parts)
    return text, thought


def _finish(reason: str, usage: CompletionUsage | None, pieces: int) -> Finish:
    """Servers that do not tell usage send about one token a piece."""
    ended: Literal["stop", "length"] = "length" if reason == "length" else "stop"
    if usage is None:
        return Finish(ended, prompt_tokens=0, cached_tokens=0, completion_tokens=pieces)
    details = usage.prompt_tokens_details
    cached = (details.cached_tokens or 0) if details else 0
    return Finish(ended, usage.prompt_tokens, cached, usage.completion_tokens)


# ── errors ────────────────────────────────────────────────────────────────────────────────────


@contextlib.contextmanager
def _translated(client: AsyncOpenAI) -> Iterator[None]:
    """The client's errors as ours."""
    import openai

    try:
        yield
    except openai.APITimeoutError as error:
        raise EngineTimeout(f"{client.base_url} sent nothing in time") from error
    except openai.APIConnectionError as error:
        raise EngineUnreachable(f"{client.base_url} does not answer: {error}") from error
    except openai.APIStatusError as error:
        raise _of_status(error) from error
    except (openai.OpenAIError, ValueError) as error:  # ValueError: no JSON where it belongs
        raise EngineError(
            f"{client.base_url} answered with an error: {error}", hint="See the server's log."
        ) from error


def _of_status(error: APIStatusError) -> EngineError:
    text = f"the server answered {error.status_code}: {error.message}"
    if error.status_code in (429, 503):
        return EngineBusy(text)
    if error.status_code in (401, 403):
        return EngineError(text, hint="Set engine_api_key.")
    if error.status_code == 404:
        return EngineError(text, hint="Check engine_url (it ends in /v1) and chat_model.")
    if error.status_code in (400, 413, 422) and "context" in error.message.lower():
        return PromptTooLong(text)
    return EngineError(text, hint="See the server's log.")
