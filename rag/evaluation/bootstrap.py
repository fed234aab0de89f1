"""Intervals by the bootstrap over documents.

Questions about one document rise and fall together, so it is documents that are drawn again, with
replacement, and all the questions of a drawn document come along (a cluster bootstrap; Efron and
Tibshirani 1993, percentile intervals).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

RESAMPLES = 2000
SEED = 20_260
# The middle 95%.
PERCENTILES = (2.5, 97.5)

Floats = npt.NDArray[np.float64]
# Weight of each question, shape (n,) → the statistic (NaN where it is undefined).
Statistic = Callable[[Floats], float]


@dataclass(frozen=True, slots=True)
class Interval:
    """A value with its 95% interval over `n` questions of `documents` documents."""

    value: float
    low: float
    high: float
    n: int
    documents: int


def draws(documents: int, resamples: int, seed: int) -> npt.NDArray[np.int64]:
    """How often each document is drawn, shape (resamples, documents); every row sums to
    `documents`."""
    generator = np.random.default_rng(seed)
    return generator.multinomial(documents, np.full(documents, 1 / documents), size=resamples)


def bootstrap_ratio(
    clusters: Sequence[str],
    numerators: Sequence[float],
    denominators: Sequence[float] | None = None,
    *,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> Interval | None:
    """The interval of Σ numerators / Σ denominators; the mean where no denominators are given.

    One entry a question, `clusters` naming its document. None where the denominators sum to 0.
    """
    given = np.ones(len(clusters)) if denominators is None else np.asarray(denominators, float)
    total = float(given.sum())
    if total == 0:
        return None
    names, index = np.unique(np.asarray(clusters, dtype=str), return_inverse=True)
    above = np.bincount(index, np.asarray(numerators, float), len(names))
    below = np.bincount(index, given, len(names))
    counts = draws(len(names), resamples, seed)
    with np.errstate(invalid="ignore", divide="ignore"):
        estimates = (counts @ above) / (counts @ below)
    return _interval(float(above.sum() / total), estimates, len(clusters), len(names))


def bootstrap_statistic(
    clusters: Sequence[str],
    statistic: Statistic,
    *,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> Interval | None:
    """The interval of a statistic that takes each question's weight. None where undefined."""
    names, index = np.unique(np.asarray(clusters, dtype=str), return_inverse=True)
    value = statistic(np.ones(len(clusters))) if clusters else np.nan
    if np.isnan(value):
        return None
    counts = draws(len(names), resamples, seed)[:, index].astype(float)
    estimates = np.array([statistic(weights) for weights in counts])
    return _interval(value, estimates, len(clusters), len(names))


def paired_difference(
    clusters: Sequence[str],
    base: Sequence[float],
    new: Sequence[float],
    *,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> Interval | None:
    """The interval of the mean of new − base over the same questions.

    It spans the bootstrap over documents and the one over questions: drawn from few documents, the
    first alone is too narrow (two documents that both fell by chance would look certain).
    """
    difference = list(np.asarray(new, float) - np.asarray(base, float))
    by_document = bootstrap_ratio(clusters, difference, resamples=resamples, seed=seed)
    if by_document is None:
        return None
    each = [str(number) for number in range(len(clusters))]
    by_question = bootstrap_ratio(each, difference, resamples=resamples, seed=seed)
    assert by_question is not None
    low = min(by_document.low, by_question.low)
    return replace(by_document, low=low, high=max(by_document.high, by_question.high))


def _interval(value: float, estimates: Floats, n: int, documents: int) -> Interval:
    low, high = np.nanpercentile(estimates, PERCENTILES)
    return Interval(value, float(low), float(high), n, documents)
