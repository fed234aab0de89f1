"""Answers in the passages' own sentences: which are chosen, and that each is cited."""

from __future__ import annotations

from dataclasses import replace

import pytest
from asking import events_of, pipeline_over
from test_grounding import make_hit

from rag.answering.best_quotes import chosen, quotes_text
from rag.answering.question_match import QuestionMatch
from rag.config import Settings
from rag.options import AskOptions
from rag.testing import FakeEngine


def match(question: str, *texts: str) -> QuestionMatch:
    """Every sentence is as near as any other."""
    hits = [make_hit(text, first=number) for number, text in enumerate(texts, 1)]
    found = QuestionMatch.of(question, question, hits)
    return replace(found, nearest=tuple(replace(s, likeness=0.5) for s in found.sentences))


@pytest.mark.parametrize(
    ("question", "passage", "first"),
    [
        (
            "How high is the deposit?",
            "The deposit is 900 crowns. Dogs bark.",
            "The deposit is 900 crowns.",
        ),
        (
            "What does a berth cost?",
            "What does a berth cost? It costs 340 crowns.",
            "It costs 340 crowns.",
        ),
        (
            "What is the total to pay?",
            "Total to pay: 3,754.25 crowns by the 13th\n\nHeat is measured in the cellar.",
            "Total to pay: 3,754.25 crowns by the 13th",
        ),
        (
            "What is the policy number of Orla Pendergast?",
            "Customer: Orla Pendergast Policy no. HX-55120\n\nThe insurer bears the damage.",
            "Customer: Orla Pendergast Policy no. HX-55120",
        ),
        (
            "What are the berth fees?",
            "Berth fees\n\nA berth costs 340 crowns.",
            "A berth costs 340 crowns.",
        ),
    ],
)
def test_what_answers_stands_first(question: str, passage: str, first: str) -> None:
    assert chosen(match(question, passage))[0].text == first


def test_a_sentence_that_only_repeats_the_question_is_none() -> None:
    texts = [s.text for s in chosen(match("Who pays the rent?", "Pays the rent. The tenant pays."))]
    assert texts == ["The tenant pays."]


def test_what_is_far_behind_the_best_is_not_shown() -> None:
    near = "The deposit of the berth is 900 crowns. Berths have a deposit of two kinds."
    far = "Dogs bark at night. Herons stand in shallow water."
    found = match("How high is the deposit of a berth?", near, far)
    apart = replace(
        found,
        nearest=tuple(
            replace(s, likeness=0.8 if "eposit" in s.text else 0.1) for s in found.nearest
        ),
    )
    assert {s.text for s in chosen(apart)} == {
        "The deposit of the berth is 900 crowns.",
        "Berths have a deposit of two kinds.",
    }


def test_a_heading_of_many_words_is_no_quote() -> None:
    passage = "Results for the supply zones Upper Town, Riverside and Moss End\n\nAll were clean."
    texts = [s.text for s in chosen(match("What are the results of the supply zones?", passage))]
    assert texts == ["All were clean."]


@pytest.mark.parametrize(
    "line",
    [
        "Chapter 6: Fares and tickets",
        "Annex B – Tickets",
        "Kapitel 3: Fahrkarten",
        "Article IV. Tickets and fares",
        "Prices of tickets from 1 February 2032, in florins",
        "Tickets sold in 2031 (in thousands)",
    ],
)
def test_a_heading_with_a_number_is_no_quote(line: str) -> None:
    passage = f"{line}\n\nA day costs 5.00."
    texts = [s.text for s in chosen(match("What are the prices of tickets and fares?", passage))]
    assert texts == ["A day costs 5.00."]


@pytest.mark.parametrize("line", ["Total to pay: 3,754.25 crowns", "Payment due 5 May 2031"])
def test_a_line_that_tells_a_value_is_a_quote(line: str) -> None:
    texts = [s.text for s in chosen(match("What is the total, and when is payment due?", line))]
    assert texts == [line]


def test_a_row_has_its_head() -> None:
    table = "| Ticket | Adult |\n| --- | --- |\n| Day | 5.00 |\n| Month | 78.00 |"
    (row, *_) = chosen(match("What does a month cost?", table))
    assert quotes_text([row]) == "| Ticket | Adult |\n| --- | --- |\n| Month | 78.00 |"


async def test_no_model_is_asked_and_every_sentence_is_cited(settings: Settings) -> None:
    engine = FakeEngine("Never said.")
    pages = {"lease.pdf": ["The yearly rent is 12,000 crowns. Dogs must be on a lead."]}
    async with pipeline_over(settings, engine, pages) as pipeline:
        _, done = await events_of(
            pipeline, "How high is the rent?", options=AskOptions(quotes=True)
        )
    answer = done.answer
    assert engine.calls == []
    assert answer.citations
    assert all(claim.sources for claim in answer.claims)
    assert len(answer.claims) <= 3
