"""The measures of answers: what counts as the answer, and samples that may be cut off."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from benchmarks._answer_claims import another_number, exchanged_names, negated
from benchmarks._answer_quality import LINE, Cited, Noted, Stated, drawn, figures, token_f1
from rag.evaluation.questions import Question

RIGHT = Noted(
    set="squad",
    id="1",
    cluster="a.pdf",
    question="Where does Warsaw lie?",
    answerable=True,
    answers=("the Vistula",),
    gold=(("a.pdf", 2),),
    shown=(("a.pdf", 2),),
    text="Warsaw lies on Vistula. [1] It is old.",
    refused=False,
    claims=(Stated("Warsaw lies on Vistula.", (1,)), Stated("It is old.", ())),
    citations=(Cited(1, ("a.pdf", 2), "Warsaw lies on the Vistula.", True),),
    seconds=1.0,
    first_s=0.5,
)
WRONG = replace(
    RIGHT,
    id="2",
    cluster="b.pdf",
    text="Warsaw lies on the Oder. [1]",
    claims=(Stated("Warsaw lies on the Oder.", (1,)),),
    citations=(Cited(1, ("a.pdf", 3), "Warsaw … the Oder", True),),
)
NO_ANSWER = replace(RIGHT, id="3", answerable=False, answers=(), gold=(), refused=True, claims=())


def test_measures_count_what_applies_to_them() -> None:
    found = figures([RIGHT, WRONG, NO_ANSWER])
    values = {name: s.interval and (s.interval.value, s.whole) for name, s in found.items()}
    assert values["citations that hold"] == (1.0, 3)
    assert values["answered: cites a gold page"] == (0.5, 2)
    assert values["answered: holds the answer"] == (0.5, 2)
    assert values["supported claims that hold the answer"] == (0.5, 2)
    assert values["supported claims that answer otherwise"] == (0.5, 2)
    assert values["unverified claims that hold the answer"] == (0.0, 1)
    assert values["unanswerable: refused"] == (1.0, 1)


def test_an_answer_survives_its_line() -> None:
    assert LINE.validate_json(LINE.dump_json(RIGHT)) == RIGHT


def test_f1_leaves_out_articles_and_markers() -> None:
    assert token_f1("A Vistula [1]", ["the Vistula"]) == 1.0
    assert token_f1("on Vistula", ["the Vistula", "nothing"]) == pytest.approx(2 / 3)
    assert token_f1("Oder", ["Vistula"]) == 0.0


def test_any_beginning_of_a_sample_has_its_share_of_each_kind() -> None:
    def some(count: int, answerable: bool) -> list[Question]:
        return [
            Question(f"{answerable}{i}", "q", (), (), frozenset(), answerable, "d", None, None)
            for i in range(count)
        ]

    sets = {"a": some(60, True) + some(30, False), "b": some(10, True)}
    order = drawn(sets, 100, seed=1)
    assert len({(name, q.id) for name, q in order}) == 100
    for size in (20, 50):
        first = order[:size]
        assert abs(sum(name == "a" and q.answerable for name, q in first) - 0.6 * size) <= 1
        assert abs(sum(name == "b" for name, q in first) - 0.1 * size) <= 1
    assert drawn(sets, 20, seed=1) == order[:20] != drawn(sets, 20, seed=2)


def test_claims_are_made_wrong_in_one_place() -> None:
    rng = random.Random(1)
    claim = "In 1905 the firm of Smith sold the works to Jones."
    assert another_number(claim, "1905, 7 and 1911", rng) == claim.replace("1905", "1911")
    assert another_number(claim, "1905 and 7", rng) is None
    swapped = "In 1905 the firm of Jones sold the works to Smith."
    assert exchanged_names(claim, "", rng) == swapped
    assert exchanged_names("It was founded by Smith and Jones.", "", rng) is None
    assert negated("It was sold.", "", rng) == "It was not sold."
