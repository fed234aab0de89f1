"""What is measured, as pure functions of one ranking or of a list of scores.

A ranking is a sequence of places, best first, and gold is a set of places: pages as
(document name, page) or documents as names. docs/evaluation.md gives the definitions in words.
"""

from __future__ import annotations

import math
import re
from collections.abc import Hashable, Sequence, Set
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from rag.evaluation.bootstrap import Floats
from rag.terms import fold

DEPTH = 10  # of MRR and nDCG
# Longer answers are prose: nobody's passage holds them word for word.
ANSWER_WORDS = 12

_GROUPED_DIGITS = re.compile(r"(?<=\d),(?=\d{3}\b)")
_NO_CENTS = re.compile(r"(?<=\d)\.0+\b")
# A point stays only between digits.
_NOT_WORD = re.compile(r"[^\w.]|_|(?<!\d)\.|\.(?!\d)")


# ── one ranking ───────────────────────────────────────────────────────────────────────────────


def recall_at(ranking: Sequence[Hashable], gold: Set[Hashable], k: int) -> float:
    """1 if one of the first k places is gold, else 0."""
    return float(any(place in gold for place in ranking[:k]))


def reciprocal_rank(ranking: Sequence[Hashable], gold: Set[Hashable], depth: int = DEPTH) -> float:
    """1 / rank of the first gold place, 0 beyond `depth`."""
    return next((1 / rank for rank, p in enumerate(ranking[:depth], 1) if p in gold), 0.0)


def ndcg(ranking: Sequence[Hashable], gold: Set[Hashable], depth: int = DEPTH) -> float:
    """Normalised discounted cumulative gain: each gold place gains once, where it first stands."""
    seen: set[Hashable] = set()
    gain = 0.0
    for rank, place in enumerate(ranking[:depth], 1):
        if place in gold and place not in seen:
            gain += 1 / math.log2(rank + 1)
        seen.add(place)
    ideal = sum(1 / math.log2(rank + 1) for rank in range(1, min(depth, len(gold)) + 1))
    return gain / ideal if ideal else 0.0


# ── answers in text ───────────────────────────────────────────────────────────────────────────


def normalised(text: str) -> str:
    """Folded words between single spaces; "$1,577.00" and "1577", "5%" and "5 percent" meet."""
    plain = _NO_CENTS.sub("", _GROUPED_DIGITS.sub("", fold(text))).replace("%", " percent ")
    return " ".join(_NOT_WORD.sub(" ", plain).split())


def short_answers(answers: Sequence[str]) -> list[str]:
    """The answers that can be looked for word for word, normalised."""
    found = (normalised(answer) for answer in answers)
    return [answer for answer in found if answer and len(answer.split()) <= ANSWER_WORDS]


def holds_answer(text: str, answers: Sequence[str]) -> bool:
    """Whether one of the normalised answers stands in the text as whole words."""
    words = f" {normalised(text)} "
    return any(f" {answer} " in words for answer in answers)


def within_budget(texts: Sequence[str], tokens: Sequence[int], budget: int) -> list[str]:
    """The first texts whose tokens sum up to at most `budget`: whole passages, as in a prompt."""
    kept, spent = [], 0
    for text, size in zip(texts, tokens, strict=True):
        spent += size
        if spent > budget:
            break
        kept.append(text)
    return kept


# ── refusal ───────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class RefusalPoint:
    """What refusing below `threshold` gives. Refusing the unanswerable is the positive class."""

    threshold: float
    precision: float  # of the refused, the share that is unanswerable; 1 where none is refused
    recall: float  # of the unanswerable, the share that is refused
    kept: float  # of the answerable, the share that is still answered


def refusal_curve(
    scores: Sequence[float], answerable: Sequence[bool], points: int = 50
) -> list[RefusalPoint]:
    """The trade-off at thresholds between the scores that occur, at most `points` of them.

    Empty unless both kinds of questions are there.
    """
    values, kind = np.asarray(scores, float), np.asarray(answerable, bool)
    if not kind.any() or kind.all():
        return []
    return [_point(values, kind, threshold) for threshold in _thresholds(values, points)]


def refusal_point(
    scores: Sequence[float], answerable: Sequence[bool], threshold: float
) -> RefusalPoint:
    """The trade-off at one threshold. Both kinds of questions must be there."""
    return _point(np.asarray(scores, float), np.asarray(answerable, bool), threshold)


def _thresholds(values: Floats, points: int) -> list[float]:
    levels = np.unique(values)
    between = [float((low + high) / 2) for low, high in pairwise(levels)]
    everything = [float(levels[0]), *between, math.nextafter(float(levels[-1]), math.inf)]
    chosen = np.linspace(0, len(everything) - 1, min(points, len(everything)))
    return [everything[index] for index in sorted({round(place) for place in chosen})]


def _point(values: Floats, answerable: npt.NDArray[np.bool_], threshold: float) -> RefusalPoint:
    refused = values < threshold
    right = int((refused & ~answerable).sum())
    return RefusalPoint(
        threshold=threshold,
        precision=right / int(refused.sum()) if refused.any() else 1.0,
        recall=right / int((~answerable).sum()),
        kept=float((~refused & answerable).sum() / answerable.sum()),
    )


def auroc(
    scores: Sequence[float], answerable: Sequence[bool], weights: Floats | None = None
) -> float:
    """The chance that an answerable question scores above an unanswerable one (ties count half).

    `weights`: how often each question counts. NaN unless both kinds are there.
    """
    values = np.asarray(scores, float)
    kind = np.asarray(answerable, bool)
    weight = np.ones(len(values)) if weights is None else weights
    levels, index = np.unique(values, return_inverse=True)
    above = np.bincount(index, weight * kind, len(levels))
    below = np.bincount(index, weight * ~kind, len(levels))
    pairs = above.sum() * below.sum()
    if pairs == 0:
        return math.nan
    beaten = np.cumsum(below) - below / 2
    return float((above * beaten).sum() / pairs)
