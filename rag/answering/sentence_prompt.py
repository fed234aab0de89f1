"""The prompt of a model that loses its way among passages: the nearest sentences, and the question.

A tenth of the tokens, and more right answers (docs/answers.md, "The prompt"). It has neither
numbers nor titles, which such models copy, and does not offer a way out, which they take too often:
what they say is checked, and whether the passages hold an answer is judged before.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rag.answering.best_quotes import chosen, quotes_text
from rag.answering.conversation import Turn
from rag.answering.prompting import Budget, Prompt, bare_turns
from rag.answering.question_match import QuestionMatch
from rag.errors import PromptTooLong
from rag.types import Message

# With five, one question in twenty loses its answer; more than twelve are not embedded.
COUNT: Final = 8


def sentence_prompt(
    question: str, turns: Sequence[Turn], match: QuestionMatch, budget: Budget
) -> Prompt | None:
    """Earlier turns without their passages, then as many sentences as fit, best first, and the
    question. The answer may rest on every passage found. None where no sentence is near. Raises
    PromptTooLong."""
    sentences = chosen(match, COUNT)
    if not sentences:
        return None
    past = bare_turns(turns, budget)
    for count in range(len(sentences), 0, -1):
        told = quotes_text(sentences[:count])
        message = Message("user", f"{told}\n\nAnswer in one sentence: {question}")
        messages = (*past, message)
        tokens = budget.count_tokens(messages)
        if tokens <= budget.prompt and budget.count_tokens([message]) <= budget.message:
            numbers = tuple(range(1, len(match.hits) + 1))
            return Prompt(messages, match.hits, numbers, {}, len(turns), tokens)
    raise PromptTooLong(f"the question does not fit into {budget.prompt} tokens")
