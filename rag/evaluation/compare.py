"""Two runs over the same questions: the difference of each metric, paired by question."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rag.errors import InvalidQuestionSet
from rag.evaluation.bootstrap import Interval, paired_difference
from rag.evaluation.summary import Base, RunSummary

Scores = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class Difference:
    """new − base of one metric, over the questions that both runs scored.

    A regression lies beyond the interval: all of the interval is below zero. `p` is McNemar's, None
    where the metric is not 0 or 1 for each question.
    """

    metric: str
    base: float
    new: float
    change: Interval
    p: float | None = None

    @property
    def regression(self) -> bool:
        return self.change.high < 0

    @property
    def improvement(self) -> bool:
        return self.change.low > 0


@dataclass(frozen=True, slots=True)
class Comparison:
    """The differences by metric. `only_base` and `only_new` count questions that are not shared."""

    differences: tuple[Difference, ...]
    shared: int
    only_base: int
    only_new: int

    @property
    def regressions(self) -> tuple[Difference, ...]:
        return tuple(difference for difference in self.differences if difference.regression)

    def to_json(self) -> dict[str, Any]:
        regressions = [difference.metric for difference in self.regressions]
        return {**asdict(self), "regressions": regressions}


def compare(base: Base, new: RunSummary) -> Comparison:
    """Raises InvalidQuestionSet if the runs share no question."""
    before, after = base.scores, new.scores
    shared = [id_ for id_ in after if id_ in before]
    if not shared:
        raise InvalidQuestionSet(
            "the two runs share no question", hint="Compare runs of the same question file."
        )
    metrics = dict.fromkeys(name for id_ in shared for name in after[id_] if name in before[id_])
    found = [_difference(name, shared, before, after, new.clusters) for name in metrics]
    return Comparison(
        differences=tuple(difference for difference in found if difference is not None),
        shared=len(shared),
        only_base=len(before) - len(shared),
        only_new=len(after) - len(shared),
    )


def _difference(
    metric: str, ids: list[str], before: Scores, after: Scores, clusters: Mapping[str, str]
) -> Difference | None:
    scored = [id_ for id_ in ids if metric in before[id_] and metric in after[id_]]
    old = [before[id_][metric] for id_ in scored]
    new = [after[id_][metric] for id_ in scored]
    change = paired_difference([clusters[id_] for id_ in scored], old, new)
    if change is None:
        return None
    return Difference(metric, sum(old) / len(old), sum(new) / len(new), change, mcnemar(old, new))


def mcnemar(base: Sequence[float], new: Sequence[float]) -> float | None:
    """How likely it is that so many questions go one way rather than the other by chance: the exact
    test of McNemar (1947), two-sided. None where a score is neither 0 nor 1."""
    if any(score not in (0, 1) for score in (*base, *new)):
        return None
    lost = sum(a > b for a, b in zip(base, new, strict=True))
    won = sum(a < b for a, b in zip(base, new, strict=True))
    fewer, turned = min(lost, won), lost + won
    tail = sum(math.comb(turned, k) for k in range(fewer + 1))
    return min(1.0, tail / 2 ** (turned - 1)) if turned else 1.0
