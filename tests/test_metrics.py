"""Metrics against their definitions written out, and the bootstrap against what it must do."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.evaluation import metrics
from rag.evaluation.bootstrap import bootstrap_ratio, bootstrap_statistic, paired_difference

places = st.integers(min_value=1, max_value=12)
rankings = st.lists(places, max_size=14)
golds = st.frozensets(places, min_size=1, max_size=12)
scored = st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=1, max_size=30)


@given(rankings, golds, st.integers(1, 12))
def test_recall_is_whether_any_of_the_first_k_is_gold(
    ranking: list[int], gold: frozenset[int], k: int
) -> None:
    assert metrics.recall_at(ranking, gold, k) == (1.0 if set(ranking[:k]) & gold else 0.0)


@given(rankings, golds)
def test_reciprocal_rank_by_trying_every_rank(ranking: list[int], gold: frozenset[int]) -> None:
    best = 0.0
    for rank in range(1, 11):
        if rank <= len(ranking) and ranking[rank - 1] in gold:
            best = max(best, 1 / rank)
    assert metrics.reciprocal_rank(ranking, gold) == best


@given(rankings, golds)
def test_ndcg_by_gains_of_every_rank(ranking: list[int], gold: frozenset[int]) -> None:
    gains = [
        1.0 if place in gold and place not in ranking[:i] else 0.0
        for i, place in enumerate(ranking[:10])
    ]
    ideal = [1.0] * min(len(gold), 10)
    expected = _discounted(gains) / _discounted(ideal)
    assert metrics.ndcg(ranking, gold) == pytest.approx(expected)
    assert 0 <= metrics.ndcg(ranking, gold) <= 1 + 1e-9


def _discounted(gains: list[float]) -> float:
    return sum(gain / math.log2(i + 2) for i, gain in enumerate(gains))


def test_a_perfect_ranking_has_ndcg_one_and_beyond_ten_counts_nothing() -> None:
    assert metrics.ndcg([1, 2, 3], {1, 2, 3}) == pytest.approx(1)
    assert metrics.ndcg([0] * 10 + [1], {1}) == 0
    assert metrics.reciprocal_rank([0] * 10 + [1], {1}) == 0
    assert metrics.recall_at([0] * 10 + [1], {1}, 10) == 0


# ── answers in text ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("It cost $1,577.00 in all.", "1577"),
        ("Capital expenditure was 1,577 (million)", "$1577.00"),
        ("rose by 4.2% to", "4.2 percent"),
        ("The Ünïted  Nations,\nfounded", "united nations"),
        ("in 1918.", "1918"),
    ],
)
def test_an_answer_is_found_however_it_is_written(text: str, answer: str) -> None:
    assert metrics.holds_answer(text, metrics.short_answers([answer]))


@pytest.mark.parametrize(
    ("text", "answer"), [("in 19180", "1918"), ("14.2%", "4.2%"), ("51 people", "51%")]
)
def test_part_of_a_word_or_number_is_no_answer(text: str, answer: str) -> None:
    assert not metrics.holds_answer(text, metrics.short_answers([answer]))


def test_prose_is_not_looked_for_word_for_word() -> None:
    assert metrics.short_answers(["word " * 13, "", "?", "two words"]) == ["two words"]


def test_the_budget_takes_whole_passages_and_stops_at_the_first_that_does_not_fit() -> None:
    assert metrics.within_budget(["a", "b", "c"], [4, 6, 1], 10) == ["a", "b"]
    assert metrics.within_budget(["a", "b", "c"], [4, 7, 1], 10) == ["a"]


# ── refusal ───────────────────────────────────────────────────────────────────────────────────


@given(scored)
def test_auroc_is_the_share_of_pairs_in_the_right_order(pairs: list[tuple[int, bool]]) -> None:
    above = [score for score, answerable in pairs if answerable]
    below = [score for score, answerable in pairs if not answerable]
    found = metrics.auroc([score for score, _ in pairs], [kind for _, kind in pairs])
    if not above or not below:
        assert math.isnan(found)
        return
    won = sum(1.0 if a > b else 0.5 if a == b else 0.0 for a in above for b in below)
    assert found == pytest.approx(won / (len(above) * len(below)))


@given(scored)
def test_every_point_of_the_curve_counts_what_it_says(pairs: list[tuple[int, bool]]) -> None:
    curve = metrics.refusal_curve([score for score, _ in pairs], [kind for _, kind in pairs])
    kinds = {kind for _, kind in pairs}
    assert bool(curve) == (len(kinds) == 2)
    for point in curve:
        refused = [kind for score, kind in pairs if score < point.threshold]
        unanswerable = [kind for _, kind in pairs if not kind]
        right = refused.count(False)
        assert point.recall == pytest.approx(right / len(unanswerable))
        assert point.precision == pytest.approx(right / len(refused) if refused else 1)
        assert point.kept == pytest.approx(
            1 - refused.count(True) / (len(pairs) - len(unanswerable))
        )
    if curve:
        assert (curve[0].recall, curve[-1].recall) == (0, 1)


def test_the_curve_is_thinned_to_the_points_asked_for() -> None:
    scores = [float(n) for n in range(1000)]
    curve = metrics.refusal_curve(scores, [n % 2 == 0 for n in range(1000)], points=20)
    assert len(curve) == 20
    assert [p.threshold for p in curve] == sorted(p.threshold for p in curve)


# ── bootstrap ─────────────────────────────────────────────────────────────────────────────────


def test_the_same_seed_gives_the_same_interval_and_another_gives_another() -> None:
    clusters = [f"doc{n % 7}" for n in range(100)]
    values = [random.Random(n).random() for n in range(100)]
    first = bootstrap_ratio(clusters, values)
    assert first == bootstrap_ratio(clusters, values)
    assert first != bootstrap_ratio(clusters, values, seed=1)
    assert first is not None
    assert first.low < first.value < first.high
    assert (first.n, first.documents) == (100, 7)


def test_documents_are_drawn_whole() -> None:
    """Ten documents that are all right or all wrong: uncertain as ten questions are."""
    clusters = [f"doc{n % 10}" for n in range(1000)]
    values = [float(n % 10 < 5) for n in range(1000)]
    by_document = bootstrap_ratio(clusters, values)
    by_question = bootstrap_ratio([str(n) for n in range(1000)], values)
    assert by_document is not None
    assert by_question is not None
    assert by_document.high - by_document.low > 5 * (by_question.high - by_question.low)


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    covered = 0
    for trial in range(200):
        generator = random.Random(trial)
        values = [float(generator.random() < 0.7) for _ in range(60)]
        found = bootstrap_ratio([str(n) for n in range(60)], values, resamples=300, seed=trial)
        assert found is not None
        covered += found.low <= 0.7 <= found.high
    assert 175 <= covered <= 199


def test_a_ratio_without_a_denominator_is_undefined() -> None:
    assert bootstrap_ratio(["a", "b"], [1.0, 0.0], [0.0, 0.0]) is None
    assert bootstrap_ratio([], []) is None
    assert bootstrap_statistic(["a"], lambda _: math.nan) is None


def test_a_difference_needs_more_than_two_documents_that_agree() -> None:
    """One question worse in each of two documents of 50 is chance; all of them worse is not."""
    clusters = ["a"] * 50 + ["b"] * 50
    base = [1.0] * 100
    unlucky = [0.0 if n in {3, 77} else 1.0 for n in range(100)]
    worse = [0.0 if n % 5 == 0 else 1.0 for n in range(100)]
    chance, real = (paired_difference(clusters, base, new) for new in (unlucky, worse))
    assert chance is not None
    assert real is not None
    assert chance.high >= 0 > chance.value
    assert real.high < 0
