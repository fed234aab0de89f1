"""Terms of full-text search."""

from __future__ import annotations

import unicodedata

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
        ("東京都", "ja", ["東京", "京都", "都"]),
        ("царями", "ru", ["цар"]),
        ("гостиный двор", "ru", ["гостин", "двор"]),
        ("हिन्दी भाषाओं।", "hi", ["भाष"]),
        ("ที่ดี", "th", ["ที่", "ที่ดี"]),
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


@pytest.mark.parametrize(
    ("question", "language", "wanted"),
    [
        ("Wer war der König von Preußen?", "de", ["konig", "preuss"]),
        ("¿Quién fue el rey de España?", "es", ["rey", "espan"]),
        ("Кто был царём?", "ru", ["цар"]),
        ("谁是国王？", "zh", ["谁是", "是国", "国", "国王", "王"]),
        ("Ai là vua thế?", "vi", ["vua"]),
        ("What is the Haus der Kunst?", "de", ["haus", "kunst"]),
    ],
)
def test_a_question_drops_the_words_that_its_language_asks_with(
    question: str, language: str, wanted: list[str]
) -> None:
    assert query_terms(question, language) == wanted


@pytest.mark.parametrize("language", ["ru", "el", "hi", "ar", "es", "vi", "th"])
@pytest.mark.parametrize("form", ["NFC", "NFD", "NFKC", "NFKD"])
def test_a_word_has_the_same_terms_however_its_marks_are_written(language: str, form: str) -> None:
    texts = {
        "ru": "чайный сервиз",
        "el": "Ελληνική δημοκρατία",
        "hi": "हिन्दी भाषाओं",
        "ar": "اللُّغَة العربية",
        "es": "canción española",
        "vi": "người được biết",
        "th": "กรุงเทพมหานคร",
    }
    written = unicodedata.normalize(form, texts[language])
    assert indexed_terms(written, language) == indexed_terms(texts[language], language)


def test_a_question_without_accents_finds_the_word_with_them() -> None:
    assert set(query_terms("informacion espanola", "es")) == set(
        indexed_terms("información española", "es")
    )


@pytest.mark.parametrize("language", ["ja", "zh"])
def test_a_part_of_a_run_has_its_terms_in_the_same_order(language: str) -> None:
    """What phrase search compares."""
    text = {"ja": "東京都は首都です", "zh": "夏季剧院位于萨克森"}[language]
    whole, part = indexed_terms(text, language), indexed_terms(text[2:5], language)
    assert any(whole[i : i + len(part)] == part for i in range(len(whole)))


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
