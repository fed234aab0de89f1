"""Follow-ups: what the question lacks is carried over from the one before, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.retrieval.follow_up import search_text
from rag.types import Message

turns = st.lists(
    st.builds(Message, st.sampled_from(["user", "assistant"]), st.text(max_size=60)), max_size=4
)


def test_the_words_that_the_question_lacks_are_carried_over() -> None:
    history = [Message("user", "Who leads Northwind Energy?"), Message("assistant", "Ada.")]
    assert search_text("Since when?", history) == "leads Northwind Energy Since when? Since when?"


def test_words_that_the_question_has_itself_are_not_repeated() -> None:
    history = [Message("user", "What was the rent in 2030?"), Message("assistant", "4,200.")]
    assert search_text("And the rents of 2031?", history).startswith("2030 And the rents")


def test_a_first_question_is_left_alone() -> None:
    assert search_text("Since when?", []) == "Since when?"


def test_a_repeated_question_is_left_alone() -> None:
    history = [Message("user", "How high is the rent?"), Message("assistant", "4,200.")]
    assert search_text("How high is the rent?", history) == "How high is the rent?"


@pytest.mark.parametrize("earlier", ["And that one?", "What about it?", "Und die andere dort?"])
def test_a_pointing_question_has_nothing_to_carry(earlier: str) -> None:
    history = [Message("user", earlier), Message("assistant", "Yes.")]
    assert "one" not in search_text("Why?", history).split()
    assert "it" not in search_text("Why?", history).split()


@given(st.text(max_size=60), turns)
def test_the_question_itself_is_never_changed(question: str, history: list[Message]) -> None:
    assert question in search_text(question, history)


@given(st.text(max_size=60), turns)
def test_nothing_comes_from_answers(question: str, history: list[Message]) -> None:
    users = [message for message in history if message.role == "user"]
    assert search_text(question, history) == search_text(question, users)
