"""Loops at the end of a text."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rag.answering.repetition import loop_start

SENTENCE = "The answer is: 6.2 euros. "


def test_three_copies_are_a_loop_and_the_first_is_kept() -> None:
    text = "It says so. " + SENTENCE * 3
    assert text[: loop_start(text)] == "It says so. " + SENTENCE


def test_two_copies_and_short_repeats_are_not() -> None:
    assert loop_start(SENTENCE * 2) is None
    assert loop_start("| 0 | 0 | 0 | 0 |") is None
    assert loop_start("1. bread\n2. butter\n3. jam\n") is None


def test_a_long_sentence_loops_with_its_second_copy() -> None:
    paragraph = f"{'No city lies on a wider river, ' * 2}as all {'guides and maps ' * 5}say.\n\n"
    assert loop_start(paragraph) is None
    assert loop_start(paragraph * 2) == len(paragraph)


@given(st.text(max_size=80), st.text(alphabet="abcdefgh .,\n", min_size=12, max_size=200))
def test_any_loop_is_seen_and_cut_to_fewer_copies(before: str, unit: str) -> None:
    text = before + unit * 3
    start = loop_start(text)
    assert start is not None
    assert len(text[:start]) < len(text)
