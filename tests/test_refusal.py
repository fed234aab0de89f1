"""Refusal: the signals tell what a search found, and a refusal says what was looked for."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import refusal
from rag.answering.answerability import SIGNALS, answerable
from rag.answering.question_match import EMBEDDED, QuestionMatch, match_question
from rag.answering.refusal_message import NOTHING_FOUND, refusal_text
from rag.testing import FakeEmbedder
from rag.types import Coverage, Document, Hit, StoredChunk

DOCUMENT = Document(
    "d", Path("/lease.pdf"), "Lease", "", 0, 0, 9, 9, "en", Coverage(9, 0, 0, ()), {}, ""
)
RENT = "The premises lie at Hill Road. The yearly rent is 4,200 crowns. It is paid in May."


def hit(text: str, *, cosine: float = 0.6, page: int = 3, ranks: int = 1) -> Hit:
    chunk = StoredChunk(f"d:{page}", "d", page, text, "Lease", 0, 9, page, page, "text", 1)
    return Hit(chunk, DOCUMENT, 1.0, {"dense": ranks, "full_text": ranks}, cosine)


def matched(question: str, hits: Sequence[Hit], *, searched: str | None = None) -> QuestionMatch:
    return asyncio.run(match_question(question, searched or question, hits, FakeEmbedder()))


def test_a_passage_that_answers_is_likelier_than_one_about_something_else() -> None:
    found = answerable(matched("How high is the yearly rent?", [hit(RENT)]))
    near = answerable(matched("How high is the yearly fine for swans?", [hit(RENT)]))
    other = answerable(matched("Who won the boat race?", [hit(RENT, cosine=0.1, ranks=50)]))
    assert found > near > other
    assert found > 0.5
    assert other < 0.1


def test_without_passages_nothing_can_be_answered() -> None:
    assert answerable(matched("How high is the rent?", [])) < 0.1


@given(st.text(max_size=60), st.text(max_size=40), st.lists(st.text(max_size=80), max_size=6))
def test_every_signal_and_the_rule_stay_within_bounds(
    question: str, carried: str, texts: list[str]
) -> None:
    hits = [hit(text, page=number) for number, text in enumerate(texts, 1)]
    found = matched(question, hits, searched=f"{carried} {question}")
    assert all(0 <= signal(found) <= 1 + 1e-6 for signal in SIGNALS.values())
    assert 0 <= answerable(found) <= 1


def test_a_number_that_no_passage_holds_counts_against_it() -> None:
    signal = SIGNALS["names_held"]
    assert signal(matched("Was it 4,200?", [hit(RENT)])) == 1
    assert signal(matched("Was it 9,900?", [hit(RENT)])) == 0


def test_one_sentence_with_all_terms_beats_a_passage_that_scatters_them() -> None:
    scattered = "The rent is low. Boats are yearly painted. Crowns shine. A road is high."
    signal = SIGNALS["sentence_similarity"]
    question = "How many crowns is the yearly rent?"
    assert signal(matched(question, [hit(RENT)])) > signal(matched(question, [hit(scattered)]))


def test_the_question_match_are_few_and_in_order() -> None:
    hits = [hit(f"{RENT} " * 9, page=page) for page in range(1, 9)]
    found = matched("How high is the yearly rent?", hits)
    cosines = [sentence.likeness for sentence in found.nearest]
    assert len(cosines) == EMBEDDED < len(found.sentences)
    assert cosines == sorted(cosines, reverse=True)
    assert "yearly rent" in found.nearest[0].text


@pytest.mark.parametrize(
    ("own", "signal"),
    [
        ("And in 1987?", "names_held"),
        ("And for Otto?", "names_held"),
        ("And the swans' fodder?", "sentence_similarity"),
    ],
)
def test_what_a_follow_up_says_itself_is_not_outweighed_by_what_it_carries(
    own: str, signal: str
) -> None:
    carried = "How high is the yearly rent of Hill Road in crowns"
    alone = SIGNALS[signal](matched(carried, [hit(RENT)]))
    follow_up = SIGNALS[signal](matched(own, [hit(RENT)], searched=f"{carried} {own} {own}"))
    assert follow_up < 0.6 * alone


def test_a_refusal_says_what_was_looked_for_and_what_came_nearest() -> None:
    text = refusal_text("yearly rent of the boat", [hit(RENT), hit("Nothing here.", page=7)])
    assert "Looked for: yearly rent of the boat" in text
    assert "Lease, page 3: “The yearly rent is 4,200 crowns.”" in text
    assert "Lease, page 7" in text


def test_a_refusal_quotes_the_question_match_first() -> None:
    hits = [hit("Chair's statement\n\nBoats are painted.", page=3), hit(RENT, page=8)]
    near = matched("How high is the rent?", hits).nearest
    told = refusal_text("How high is the rent?", hits, near).partition("What came nearest:\n")[2]
    first, second = told.split("\n")
    assert first == "- Lease, page 8: “The yearly rent is 4,200 crowns.”"
    assert second.startswith("- Lease, page 3")


def test_where_nothing_is_shared_a_refusal_quotes_a_sentence_and_no_heading() -> None:
    text = refusal_text("swans", [hit("Chair's statement\n\nBoats are painted in the spring.")])
    assert "Boats are painted in the spring." in text
    assert "Chair" not in text


def test_a_refusal_without_passages_claims_no_nearness() -> None:
    text = refusal_text("rent", [])
    assert text.startswith(NOTHING_FOUND)
    assert "nearest" not in text


def test_the_fit_finds_the_signal_that_matters() -> None:
    rows = [
        refusal.Row("s", kind, f"{i}", (cosine, 0.5))
        for i in range(40)
        for kind, cosine in (("answerable", 0.7 + i / 400), ("near", 0.3 + i / 400))
    ]
    weights = refusal.fitted(rows)
    assert weights[1] > 5 > abs(weights[2])
    scores = refusal.scored(weights, rows)
    assert scores[0::2].min() > 0.5 > scores[1::2].max()


def test_the_curve_is_counted_right() -> None:
    rows = [refusal.Row("s", kind, kind, ()) for kind in ("answerable", "near", "removed")]
    at = refusal._at([(rows[0], 0.9), (rows[1], 0.1), (rows[2], 0.8)], 0.5)
    shares = [cell.split()[0] for cell in at]
    assert shares == ["100.0", "50.0", "100.0", "0.0", "100.0"]
