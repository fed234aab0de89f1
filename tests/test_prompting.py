"""Prompts: within the budget, append-only until they are condensed, best passages last to go."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.answering.conversation import Conversation, Turn
from rag.answering.prompting import Budget, Prompt, build_prompt
from rag.errors import PromptTooLong
from rag.types import Coverage, Document, Hit, Message, StoredChunk

DOCUMENT = Document(
    "d", Path("/d.pdf"), "Title", "", 0, 0, 1, 1, "en", Coverage(1, 0, 0, ()), {}, ""
)
PLAIN = [Message("user", "one two three"), Message("assistant", "four five six")]


def count(messages: Sequence[Message]) -> int:
    return sum(len(message.content.split()) for message in messages)


def budget(prompt: int, message: int | None = None) -> Budget:
    return Budget(prompt, prompt if message is None else message, count)


def hit(number: int, words: int = 10) -> Hit:
    text = " ".join([f"w{number}"] * words)
    chunk = StoredChunk(f"d:{number}", "d", number, text, "", 0, 9, number, number, "text", 1)
    return Hit(chunk, DOCUMENT, 1.0 / number, {})


def talk(searches: Sequence[Sequence[int]], tokens: Budget) -> list[Prompt]:
    """The prompts of a conversation in which each search finds the given passages."""
    conversation, prompts = Conversation(), []
    for number, found in enumerate(searches):
        prompt = build_prompt(f"q{number}", conversation.turns, list(map(hit, found)), tokens)
        conversation.turns.append(prompt.turn(f"q{number}", f"answer {number} [1]."))
        prompts.append(prompt)
    return prompts


passages = st.lists(st.integers(1, 30), min_size=1, max_size=6, unique=True)


@given(st.integers(1, 12), st.integers(0, 4), st.integers(100, 600))
def test_a_prompt_never_exceeds_its_budget(hits: int, turns: int, tokens: int) -> None:
    found = [hit(number) for number in range(1, hits + 1)]
    prompt = build_prompt("why", Conversation.of(PLAIN * turns).turns, found, budget(tokens))
    assert prompt.tokens == count(prompt.messages) <= tokens
    assert prompt.hits == tuple(found[: len(prompt.hits)])
    assert prompt.messages[0].role == "system"
    assert prompt.messages[-1].content.endswith("why")


@given(st.lists(passages, min_size=2, max_size=10), st.integers(150, 900))
def test_a_prompt_continues_the_one_before_until_it_is_condensed(
    searches: list[list[int]], tokens: int
) -> None:
    prompts = talk(searches, budget(tokens, tokens // 2))
    for number, (before, after) in enumerate(pairwise(prompts)):
        assert after.condensed >= before.condensed
        if after.condensed == before.condensed:
            said = Message("assistant", f"answer {number} [1].")
            assert after.messages[:-1] == (*before.messages, said)


@given(st.lists(passages, min_size=1, max_size=10), st.integers(150, 900))
def test_a_number_names_one_passage_and_the_prompt_holds_it(
    searches: list[list[int]], tokens: int
) -> None:
    named: dict[int, str] = {}
    for prompt in talk(searches, budget(tokens, tokens // 2)):
        text = "\n".join(message.content for message in prompt.messages)
        assert len(prompt.numbers) == len(prompt.hits)
        for number, one in zip(prompt.numbers, prompt.hits, strict=True):
            assert f"[{number}] Title, page {one.chunk.first_page}\n{one.chunk.text}" in text
            assert named.setdefault(number, one.chunk.id) == one.chunk.id


def test_a_passage_is_given_once_and_then_referred_to() -> None:
    first, second = talk([[1, 2], [2, 3]], budget(900))
    newest = second.messages[-1].content
    assert (first.numbers, second.numbers) == ((1, 2), (2, 3))
    assert "w3" in newest
    assert "w2" not in newest
    assert "See also above: [2]" in newest


def test_condensed_turns_lose_their_passages_and_markers() -> None:
    prompts = talk([[n, n + 1] for n in range(1, 20, 2)], budget(200))
    last = prompts[-1]
    assert 0 < last.condensed < 9
    earliest = last.messages[1:3]
    assert "Passages" not in earliest[0].content
    assert "[" not in earliest[1].content


def test_condensing_leaves_room_for_several_turns() -> None:
    prompts = talk([[n, n + 1] for n in range(1, 40, 2)], budget(300))
    changes = sum(a.condensed != b.condensed for a, b in pairwise(prompts))
    assert 0 < changes <= len(prompts) // 2


def test_a_condensed_passage_that_is_found_again_is_given_again() -> None:
    prompts = talk([[1, 2], *([n, n + 1] for n in range(3, 20, 2)), [1, 2]], budget(200))
    assert prompts[-1].fresh.keys() == {"d:1", "d:2"}
    assert min(prompts[-1].numbers) > 2


def test_the_newest_message_has_a_budget_of_its_own() -> None:
    found = [hit(number) for number in range(1, 9)]
    prompt = build_prompt("why", [], found, budget(900, 60))
    assert count(prompt.messages[-1:]) <= 60
    assert 1 < len(prompt.hits) < 8


def test_plain_turns_precede_the_passages_in_order() -> None:
    prompt = build_prompt("why", Conversation.of(PLAIN).turns, [hit(1)], budget(500))
    assert list(prompt.messages[1:3]) == PLAIN
    assert "[1] Title, page 1" in prompt.messages[-1].content


def test_a_question_that_cannot_fit_is_refused() -> None:
    with pytest.raises(PromptTooLong):
        build_prompt("why " * 500, [], [hit(1)], budget(100))


def test_messages_without_an_answer_are_left_out() -> None:
    cut_off = [Message("user", "a"), *PLAIN, Message("assistant", "b"), Message("user", "c")]
    assert Conversation.of(cut_off).messages == PLAIN


def test_a_turn_survives_its_journey_through_json() -> None:
    turn = Turn("q", "Passages: …", "a [1]", {"d:1": 1}, 2)
    assert Turn.from_json(turn.to_json() | {"of a later version": 1}) == turn
