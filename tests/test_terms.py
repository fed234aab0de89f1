"""Terms of full-text search."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.terms import STOP_WORDS, fold, indexed_terms, query_terms


@pytest.mark.parametrize(
    ("text", "language", "wanted"),
    [
        ("FY2018", "en", ["fy2018", "fy", "2018"]),
        ("$1,577 million", "en", ["1577", "million"]),
        ("Q3'22", "en", ["q3'22", "22"]),
        ("Running dogs", "en", ["run", "dog"]),
        ("Häuser", "de", ["haus"]),
        ("3M's plan", "en", ["3m", "plan"]),
        ("snake_case", "en", ["snake", "case"]),
        ("東京都", "ja", ["東京", "京都"]),
        ("ﬁnance Ünïte", "", ["financ", "unit"]),
        ("", "en", []),
        ("…", "en", []),
    ],
)
def test_terms(text: str, language: str, wanted: list[str]) -> None:
    got = indexed_terms(text, language)
    assert [term for term in wanted if term not in got] == []
    assert wanted or got == []


def test_a_question_drops_stop_words_but_never_all_of_them() -> None:
    assert query_terms("What is the capital of France?") == ["capit", "franc"]
    assert query_terms("who are you") == ["who", "are", "you"]


@given(st.text(max_size=200))
def test_terms_are_folded_hold_no_space_and_questions_meet_passages(text: str) -> None:
    terms = indexed_terms(text, "")
    assert all(term and not any(char.isspace() for char in term) for term in terms)
    assert set(query_terms(text)) <= set(terms)


@given(st.text(max_size=50))
def test_fold_settles(text: str) -> None:
    assert fold(fold(text)) == fold(text)


def test_stop_words_are_folded_as_text_is() -> None:
    assert {fold(word) for word in STOP_WORDS} == STOP_WORDS
