"""An answer without its thoughts, within the limits of both."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace

from rag.engines.thoughts import ThoughtFilter
from rag.errors import ThoughtsCutOff
from rag.types import Finish, Piece


@dataclass(frozen=True, slots=True)
class Decoded:
    """What a model wrote since the last one, as it is. `usage` counts so far, and says at the end
    (`done`) how it ended. `thought` is what a server had kept apart itself."""

    text: str
    usage: Finish
    done: bool = False
    thought: str = ""


@dataclass(frozen=True, slots=True)
class TokenLimits:
    """An answer's limit, and how many tokens its thoughts may take beside that (0: none are
    expected, and the model keeps the answer's limit by itself)."""

    answer: int
    thoughts: int = 0

    @property
    def total(self) -> int:
        return self.answer + self.thoughts


async def without_thoughts(
    stream: AsyncGenerator[Decoded],
    thoughts: ThoughtFilter,
    limits: TokenLimits,
    *,
    end: Callable[[], None] | None = None,
) -> AsyncGenerator[Piece]:
    """The pieces of an answer; the last one says how it ended. Raises ThoughtsCutOff where there is
    no answer behind the thoughts. `end` has the model end at the answer's limit, if it can."""
    thought = seen = 0
    async with aclosing(stream) as decoded:
        async for step in decoded:
            tokens = step.usage.completion_tokens
            if limits.thoughts and not step.done and tokens - thought > limits.answer:
                usage = replace(step.usage, reason="length")
                if end is not None:
                    end()
                    async for _ in decoded:
                        pass
                step = Decoded("", usage, done=True)
            if step.thought:
                thoughts.thought = True
                yield Piece("", thought=step.thought)
            cut = step.usage.reason == "length"
            for piece in thoughts.feed(step.text) + (thoughts.end(cut=cut) if step.done else []):
                yield piece
            if step.done:
                if thoughts.thought and not thoughts.answered:
                    raise _no_answer(cut, tokens)
                yield Piece("", step.usage)
                return
            if step.thought or thoughts.thinking or not thoughts.answered:
                thought += tokens - seen
            seen = tokens
            if limits.thoughts and thoughts.thought and thought >= limits.thoughts:
                raise _no_answer(True, tokens)


def _no_answer(cut: bool, tokens: int) -> ThoughtsCutOff:
    if cut:
        return ThoughtsCutOff(f"the model was still thinking when its {tokens} tokens were spent")
    return ThoughtsCutOff(f"the model thought for {tokens} tokens and wrote no answer")
