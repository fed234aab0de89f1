"""The turns of a conversation as the model saw them, so that its prompts only ever grow.

The engine's prefix cache reuses a prompt up to its first change. So a turn is kept as it was
written: the user message with the passages it had, and the model's own words, markers and all. When
the budget is reached, the oldest half loses its passages in one go, and then nothing changes again
until the budget is next reached.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from itertools import pairwise
from typing import Any, Self

from rag.types import Message

_MARKER = re.compile(r"[ \t]*\[\d+(?:[,; ]+\d+)*\]")


@dataclass(frozen=True, slots=True)
class Turn:
    """A question and its answer. `passages` maps the ids of chunks shown first in this turn to
    their numbers; `condensed` says how many turns of the conversation had lost their passages when
    this one was asked."""

    question: str
    prompt: str  # the user message that the model read
    answer: str  # as the model wrote it, not yet verified
    passages: Mapping[str, int] = field(default_factory=dict)
    condensed: int = 0

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The turn that `to_json` wrote. Fields of another version are left out."""
        known = {f.name for f in fields(cls)}
        return cls(**{name: value for name, value in data.items() if name in known})

    def messages(self) -> tuple[Message, Message]:
        """As they were."""
        return Message("user", self.prompt), Message("assistant", self.answer)

    def bare(self) -> tuple[Message, Message]:
        """Without passages, and without the markers that point to them."""
        answer = _MARKER.sub("", self.answer)
        return Message("user", self.question), Message("assistant", answer)


class Conversation:
    """The turns so far. `Pipeline.ask` adds one when an answer is finished; `ServiceClient.ask`
    leaves them with the service, in its session of the id `session`."""

    def __init__(self, turns: Iterable[Turn] = ()) -> None:
        self.turns: list[Turn] = list(turns)
        self.session: str | None = None

    @classmethod
    def of(cls, messages: Sequence[Message]) -> Self:
        """From plain messages, whose passages nobody kept. What is not a question with its answer
        behind it is left out."""
        return cls(
            Turn(question.content, question.content, answer.content)
            for question, answer in pairwise(messages)
            if question.role == "user" and answer.role == "assistant"
        )

    @property
    def shown(self) -> Mapping[str, int]:
        """The passages that the next prompt still holds, as ids of chunks to numbers."""
        condensed = self.turns[-1].condensed if self.turns else 0
        return {i: n for turn in self.turns[condensed:] for i, n in turn.passages.items()}

    @property
    def messages(self) -> list[Message]:
        """Questions as they were asked and answers as the model wrote them."""
        return [
            message
            for turn in self.turns
            for message in (Message("user", turn.question), Message("assistant", turn.answer))
        ]
