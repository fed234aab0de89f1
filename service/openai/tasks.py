"""What a chat program asks for itself: a title, tags, follow-up questions of a conversation.

These are no questions about the documents: nothing is looked up, and nothing is cited. They are
known by the form that Open WebUI and programs like it give them: a heading for the task, and the
conversation between tags.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

from rag.answering.generation import stopped_at
from rag.engines.base import Engine
from rag.events import AnswerEvent, Delta, Done, Thought
from rag.types import Answer, Message
from service.state import State

_TASK = re.compile(r"\s*#{2,3} Task:\s.*<chat_history>.*</chat_history>", re.DOTALL)
_HISTORY = re.compile(r"(?<=<chat_history>).*(?=</chat_history>)", re.DOTALL)
_FORMAT = re.compile(r"JSON format:\s*(\{[^{}]*\})", re.IGNORECASE)
_TOKENS = 256  # of a title, tags or a few questions; a model that goes on is cut
_CUT = "\n[…]\n"


def is_task(text: str) -> bool:
    return _TASK.match(text) is not None


class Task:
    """A chat program's own task, answered by the model alone."""

    def __init__(
        self, state: State, prompt: str, collection: str | None, how: Mapping[str, Any]
    ) -> None:
        self.state = state
        self.wire = state.wire(state.collection_settings(collection).collection)
        self.schema: Mapping[str, Any] | None = how.get("answer_schema") or _schema(prompt)
        self._prompt = prompt
        self._stop: list[str] = how.get("stop") or []
        self._temperature: float = how.get("temperature") or 0.0
        self._tokens = min(how.get("max_tokens") or _TOKENS, 4 * _TOKENS)

    async def events(self) -> AsyncGenerator[AnswerEvent]:
        """Raises what the engine does."""
        text, finish = "", None
        async with self.state.runtime.lease() as engine:
            tokens = min(self._tokens, engine.context_tokens // 4)
            room = engine.context_tokens - engine.thinking_tokens - tokens
            prompt = fitting(self._prompt, engine, room)
            pieces = engine.stream(
                [Message("user", prompt)],
                max_tokens=tokens,
                temperature=self._temperature,
                schema=self.schema,
            )
            stopping = stopped_at(pieces, self._stop) if self._stop else pieces
            async with aclosing(stopping) as written:
                async for piece in written:
                    text = piece.text if piece.restart else text + piece.text
                    finish = piece.finish or finish
                    if piece.restart:
                        yield Thought(piece.thought, restart=True)
                    if piece.text:
                        yield Delta(piece.text)
            model = engine.model
        yield Done(Answer(self._prompt, "", text, (), (), (), False, finish, model))


def fitting(prompt: str, engine: Engine, tokens: int) -> str:
    """The prompt, of whose conversation as much is left out in the middle as must be."""
    history = _HISTORY.search(prompt)
    assert history is not None  # is_task
    low, high = 0, len(history[0]) + 1  # so many characters fit; so many do not
    if engine.count_tokens([Message("user", prompt)]) <= tokens:
        return prompt
    while high - low > 1:
        size = (low + high) // 2
        shorter = _shortened(prompt, history, size)
        fits = engine.count_tokens([Message("user", shorter)]) <= tokens
        low, high = (size, high) if fits else (low, size)
    return _shortened(prompt, history, low)


def _shortened(prompt: str, history: re.Match[str], size: int) -> str:
    text, half = history[0], size // 2
    kept = text[:half] + _CUT + text[len(text) - (size - half) :]
    return prompt[: history.start()] + kept + prompt[history.end() :]


def _schema(prompt: str) -> dict[str, Any] | None:
    """Of the example that the prompt shows as its format: texts and lists of texts. A small model
    keeps to a grammar better than to an example."""
    shown = _FORMAT.search(prompt)
    try:
        example = json.loads(shown[1]) if shown else None
    except ValueError:
        return None
    if not example:
        return None
    kinds = {name: _KINDS.get(type(value)) for name, value in example.items()}
    if None in kinds.values():
        return None
    return {
        "type": "object",
        "properties": kinds,
        "required": list(kinds),
        "additionalProperties": False,
    }


_KINDS: Mapping[type, dict[str, Any]] = {
    str: {"type": "string", "maxLength": 300},
    list: {"type": "array", "items": {"type": "string", "maxLength": 300}, "maxItems": 8},
}
