"""The heads of a table's columns: what they name besides a period, and which period."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from rag.arithmetic.periods import periods
from rag.arithmetic.terms import DATE_TERMS, bare_label, named_terms


@dataclass(frozen=True, slots=True)
class Head:
    """Of a column. `group` is the same for columns that differ in their period alone."""

    text: str
    terms: frozenset[str]
    group: str
    periods: frozenset[str]


def column_heads(rows: Sequence[Sequence[str]], language: str) -> tuple[Head, ...]:
    """From the rows of heads; the first column's is that of the labels."""
    width = max(map(len, rows), default=0)
    texts = [" ".join(row[i] for row in rows if i < len(row)).strip() for i in range(width)]
    heads = [_head(text, language) for text in texts]
    named = {period for head in heads[1:] for period in head.periods}
    if len(named) == 1:  # one date over all columns
        return tuple(replace(head, periods=frozenset(named)) for head in heads)
    return _in_runs(_under_one_period(heads))


def _head(text: str, language: str) -> Head:
    found = frozenset(period.name for period in periods(text))
    words = named_terms(bare_label(text), language) - DATE_TERMS
    terms = frozenset(word for word in words if not word.isdigit() and word not in found)
    # "2019 vs. 2018" is no period but a comparison.
    return Head(text, terms, " ".join(sorted(terms)), found if len(found) < 2 else frozenset())


def _under_one_period(heads: Sequence[Head]) -> Sequence[Head]:
    """A period over two columns or more ("2019: sales, % of total") stands in the first alone. Only
    where all periods are equally wide."""
    dated = [i for i, head in enumerate(heads) if i and head.periods]
    steps = {b - a for a, b in pairwise([*dated, len(heads)])}
    if len(dated) < 2 or len(steps) != 1 or dated[0] != 1 or steps == {1}:
        return heads
    return [
        replace(head, periods=heads[max(j for j in dated if j <= i)].periods) if i else head
        for i, head in enumerate(heads)
    ]


def _in_runs(heads: Sequence[Head]) -> tuple[Head, ...]:
    """The words over several columns of periods stand in one of them, its first or middle. Where
    the periods come again, the next group begins."""
    dated = [(i, head) for i, head in enumerate(heads) if i and head.periods]
    if any(a.periods == b.periods for (_, a), (_, b) in pairwise(dated)):
        return tuple(heads)  # 2019 actual, 2019 planned: each has words of its own
    runs: list[list[int]] = []
    seen: set[frozenset[str]] = set()
    for i, head in dated:
        if not runs or head.periods in seen:
            runs.append([])
            seen = set()
        runs[-1].append(i)
        seen.add(head.periods)
    found = list(heads)
    for number, run in enumerate(runs):
        terms = frozenset[str]().union(*(heads[i].terms for i in run))
        for i in run:
            found[i] = replace(heads[i], terms=terms, group=f"{number} {' '.join(sorted(terms))}")
    return tuple(found)
