"""The prompt: pure functions from question, conversation and passages to messages in a budget."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from rag.answering.conversation import Turn
from rag.errors import PromptTooLong
from rag.types import Hit, Message

SYSTEM = (
    "You answer questions about the user's documents. Use only the numbered passages. "
    "Be brief and exact: copy names, numbers and units as they stand. After each sentence put the "
    "number of the passage it rests on, like [1]. If the passages do not hold the answer, say: "
    '"The documents do not say."'
)

CountTokens = Callable[[Sequence[Message]], int]


GO_ON = (
    "Your answer broke off. Go on with its next word. Repeat nothing of it, and keep to the same"
    " rules."
)


@dataclass(frozen=True, slots=True)
class Prompt:
    """Messages that fit the budget, and the passages that the answer may rest on: those of the
    newest message, and earlier ones that it refers to. `numbers[i]` is that of `hits[i]`."""

    messages: tuple[Message, ...]
    hits: tuple[Hit, ...]
    numbers: tuple[int, ...]
    fresh: Mapping[str, int]  # chunk ids of the passages that the newest message brings
    condensed: int  # turns, from the first, without their passages
    tokens: int
    answer: str = ""  # where it is known already: no model is asked then

    def turn(self, question: str, answer: str) -> Turn:
        """This prompt's turn, once it is answered."""
        return Turn(question, self.messages[-1].content, answer, self.fresh, self.condensed)


@dataclass(frozen=True, slots=True)
class Budget:
    """Tokens of the whole prompt, and of the newest message, which no cache can have."""

    prompt: int
    message: int
    count_tokens: CountTokens


def build_prompt(
    question: str, turns: Sequence[Turn], hits: Sequence[Hit], budget: Budget
) -> Prompt:
    """The conversation as it was, then as many passages as fit, best first, and the question.

    A passage that the conversation still shows is named by its number. Over budget, the oldest half
    of the turns is condensed, and if need be half of the rest. Raises PromptTooLong.
    """
    condensed = turns[-1].condensed if turns else 0
    while True:
        prompt = _fitted(question, turns, hits, condensed, budget)
        if prompt is not None:
            return prompt
        if condensed == len(turns):
            raise PromptTooLong(f"the question does not fit into {budget.prompt} tokens")
        condensed += (len(turns) - condensed + 1) // 2


def _fitted(
    question: str, turns: Sequence[Turn], hits: Sequence[Hit], condensed: int, budget: Budget
) -> Prompt | None:
    """The prompt with the first `condensed` turns condensed; None if too little fits: two passages
    while there are turns to condense, otherwise the best one."""
    shown = MappingProxyType({i: n for turn in turns[condensed:] for i, n in turn.passages.items()})
    first = 1 + max((n for turn in turns for n in turn.passages.values()), default=0)
    past = _past(turns, condensed, budget)
    least = min(len(hits), 2 if condensed < len(turns) else 1)
    for count in range(len(hits), least - 1, -1):
        message, numbers = _question(question, hits[:count], shown, first)
        if count > least and budget.count_tokens([message]) > budget.message:
            continue
        messages = (Message("system", SYSTEM), *past, message)
        tokens = budget.count_tokens(messages)
        if tokens <= budget.prompt:
            fresh = {h.chunk.id: n for h, n in zip(hits, numbers, strict=False) if n >= first}
            return Prompt(messages, tuple(hits[:count]), numbers, fresh, condensed, tokens)
    return None


def _past(turns: Sequence[Turn], condensed: int, budget: Budget) -> list[Message]:
    """Condensed turns, as many of the newest as fit a quarter of the prompt, then the others."""
    bare = bare_turns(turns[:condensed], budget)
    return bare + [message for turn in turns[condensed:] for message in turn.messages()]


def bare_turns(turns: Sequence[Turn], budget: Budget) -> list[Message]:
    """Without their passages, as many of the newest as fit a quarter of the prompt."""
    bare: list[Message] = []
    for turn in reversed(turns):
        longer = [*turn.bare(), *bare]
        if budget.count_tokens(longer) > budget.prompt // 4:
            break
        bare = longer
    return bare


def _question(
    question: str, hits: Sequence[Hit], shown: Mapping[str, int], first: int
) -> tuple[Message, tuple[int, ...]]:
    """The newest message, and the numbers of the hits."""
    numbers: list[int] = []
    fresh: list[str] = []
    for hit in hits:
        number = shown.get(hit.chunk.id) or first + len(fresh)
        numbers.append(number)
        if hit.chunk.id not in shown:
            fresh.append(passage(number, hit))
    parts = ["\n\n".join(["Passages:", *fresh])] if fresh else []
    if earlier := [f"[{number}]" for number in numbers if number < first]:
        parts.append(f"See also above: {', '.join(earlier)}")
    parts.append(f"Question: {question}")
    return Message("user", "\n\n".join(parts)), tuple(numbers)


def going_on(begun: str) -> tuple[Message, ...]:
    """What follows the prompt where the answer's beginning is there already."""
    if not begun:
        return ()
    return Message("assistant", begun), Message("user", GO_ON)


def passage(number: int, hit: Hit) -> str:
    """A passage as the model sees it: number, where it stands, its text."""
    chunk = hit.chunk
    return f"[{number}] {chunk.header or hit.document.title}, page {chunk.first_page}\n{chunk.text}"
