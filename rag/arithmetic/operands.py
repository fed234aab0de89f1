"""The figures that the operands of a question mean: by label, column head and period."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final

from rag.arithmetic.figures import Figure
from rag.arithmetic.operations import operation_words
from rag.arithmetic.question import Item, Wanted
from rag.arithmetic.terms import PERCENT_TERMS, VAGUE_TERMS

# A figure's score: the share of the operand's terms that name it, and of its label's terms that
# the question says.
_ASKED: Final = 0.6
_LABEL: Final = 0.4
_AROUND: Final = 0.8  # what a term counts that the section or the caption has
_UNKNOWN: Final = 0.5  # what a term counts that names nothing in any table
_VAGUE: Final = 0.5
_BESIDE: Final = 0.5  # what a label's term counts that is in another operand's words
# Chosen on half of TAT-QA's development part (benchmarks/LOG.md).
_LEAST: Final = 0.72
# Nothing is called missing where what is there is not named so well.
_SURE: Final = 0.9
_SENTENCE: Final = 0.86  # of what a table's figure is named by the same terms
_CONTEXT: Final = 0.1
_CANDIDATES: Final = 6


@dataclass(frozen=True, slots=True)
class Found:
    """The figures of one reading, in order of its operands; the earlier period last where two are
    compared. `missing` names the operands, or periods of the one operand, that have none."""

    score: float
    figures: tuple[Figure, ...]
    missing: tuple[str, ...] = ()


class Operands:
    """Looks operands up among the figures of the passages."""

    def __init__(self, figures: Sequence[Figure], asked: Wanted) -> None:
        # Without a word of its label no figure gets to _LEAST. A sheet has tens of thousands.
        self.figures = [figure for figure in figures if figure.label & asked.terms]
        self.asked = asked
        self.known = frozenset[str]().union(
            *(f.label | f.section | f.head | f.caption for f in figures)
        )
        self.lines: dict[tuple[object, ...], list[Figure]] = defaultdict(list)
        for figure in self.figures:
            self.lines[figure.line].append(figure)

    def best(self) -> Found | None:
        """Of all readings the one whose figures are named best."""
        found = [one for reading in self.asked.readings for one in self._reading(reading)]
        complete = [one for one in found if not one.missing]
        sure = [one for one in found if one.missing and one.score >= _SURE]
        best = max(complete or sure, key=lambda one: one.score, default=None)
        return best if best and best.score > self._told() else None

    def _told(self) -> float:
        """How well the best row is named that tells itself what is asked for."""
        items = [items[0] for items in self.asked.readings if len(items) == 1]
        rows = [line[0] for line in self.lines.values()]
        return max(
            (self.score(row, item) for item in items for row in rows if self._is_row(row, item)),
            default=0.0,
        )

    def _reading(self, items: tuple[Item, ...]) -> Iterator[Found]:
        if len(items) > 1:
            yield from self._several(items)
        else:
            yield from self._over_periods(items[0])

    # ── one operand of several periods ────────────────────────────────────────────────────────

    def _over_periods(self, item: Item) -> Iterator[Found]:
        yield from self._over_sentences(item)
        for line in self.lines.values():
            score = max(self.score(figure, item) for figure in line)
            if score < _LEAST or self._is_row(line[0], item) or self._tells_change(line[0]):
                continue
            if len(item.periods) > 1:
                yield self._of_periods(line, item, score)
            elif chosen := self._of_line(line, item):
                yield Found(score - 0.02, chosen)

    def _over_sentences(self, item: Item) -> Iterator[Found]:
        """Each period's figure from a sentence of its own."""
        chosen: list[tuple[float, Figure]] = []
        for period in self._in_order(item.periods):
            scored = [
                (self.score(figure, item), figure)
                for figure in self.figures
                if figure.sentence and period in figure.periods and not self._tells_change(figure)
            ]
            chosen += [max(scored, key=lambda pair: pair[0])] if scored else []
        if len(item.periods) > 1 and len(chosen) == len(item.periods):
            score = min(score for score, _ in chosen)
            if score >= _LEAST:
                yield Found(score - 0.02, tuple(figure for _, figure in chosen))

    def _tells_change(self, figure: Figure) -> bool:
        """Whether a number of a sentence is itself a change ("rose by $3 million in 2019")."""
        if not figure.sentence or self.asked.operation not in ("change", "growth"):
            return False
        return operation_words(self.asked.language).told.search(figure.name) is not None

    def _is_row(self, figure: Figure, item: Item) -> bool:
        """Whether the row itself tells what is asked for: its label has the words that would want
        an operation ("Net decrease in cash" of one year; a total)."""
        if len(item.periods) > 1 and self.asked.operation != "sum":
            return False
        return bool(self.asked.cue & (figure.label | figure.head))

    def _of_periods(self, line: Sequence[Figure], item: Item, score: float) -> Found:
        chosen, missing, doubled = [], [], False
        for period in self._in_order(item.periods):
            own = [figure for figure in line if period in figure.periods]
            if own:
                chosen.append(max(own, key=lambda figure: self.score(figure, item)))
                doubled = doubled or len(own) > 1
            else:
                missing.append(period)
        if missing and (line[0].sentence or doubled):  # other heads may name what is missing
            return Found(0.0, (), tuple(missing))
        return Found(score if chosen else 0.0, tuple(chosen), tuple(missing))

    def _in_order(self, named: Sequence[str]) -> list[str]:
        """A change is told from the earlier to the later, whichever comes first in the question."""
        return sorted(named, reverse=self.asked.operation in ("change", "growth"))

    def _of_line(self, line: Sequence[Figure], item: Item) -> tuple[Figure, ...]:
        """Of a line whose periods the question does not name, or names one of: all of them, or the
        last two."""
        by_period = {min(f.periods): f for f in line if len(f.periods) == 1}
        named = sorted(by_period)
        if len(named) < 2 or len(named) < sum(1 for f in line if f.periods):
            return ()
        if self.asked.operation in ("average", "sum", "count"):
            return () if item.periods else tuple(by_period[name] for name in named)
        if item.periods:
            at = named.index(item.periods[0]) if item.periods[0] in named else 0
            return (by_period[named[at]], by_period[named[at - 1]]) if at else ()
        return (by_period[named[1]], by_period[named[0]]) if len(named) == 2 else ()

    # ── several operands ──────────────────────────────────────────────────────────────────────

    def _several(self, items: tuple[Item, ...]) -> Iterator[Found]:
        found = [self._candidates(item) for item in items]
        if all(found):
            whole = [
                pair for pair in (self._together(one, items) for one in product(*found)) if pair
            ]
            if whole:
                yield max(whole, key=lambda one: one.score)
        elif len(items) == 2 and any(found) and self.asked.operation in ("share", "ratio"):
            score, figure = next(pair[0] for pair in found if pair)
            missing = tuple(i.text for i, own in zip(items, found, strict=True) if not own)
            yield Found(score, (figure,), missing)

    def _candidates(self, item: Item) -> list[tuple[float, Figure]]:
        scored = []
        for figure in self.figures:
            if item.periods and figure.periods and item.periods[0] not in figure.periods:
                continue
            score = self.score(figure, item)
            if score < _LEAST:
                continue
            if item.context:
                held = sum(_says(figure, term) > 0 for term in item.context)
                score -= _CONTEXT * (1 - held / len(item.context))
            if item.periods and not figure.periods:
                score -= 0.05
            if not item.periods and figure.periods:  # the latest
                score += 0.001 * max(int(p[:4]) - 2000 for p in figure.periods)
            scored.append((score, figure))
        return sorted(scored, key=lambda pair: -pair[0])[:_CANDIDATES]

    def _together(
        self, chosen: tuple[tuple[float, Figure], ...], items: Sequence[Item]
    ) -> Found | None:
        """Figures of one table, and of one row or column, are likelier to be meant together."""
        figures = tuple(figure for _, figure in chosen)
        first = figures[0]
        if len({(f.start, f.source) for f in figures}) < len(figures):
            return None
        score = min(score for score, _ in chosen)
        score += 0.001 * sum(score for score, _ in chosen)
        for other in figures[1:]:
            same = other.line[:2] == first.line[:2]
            row = same and other.row_start == first.row_start
            if other.line == first.line and not any(item.periods for item in items):
                return None  # one row at two times, which the question does not tell apart
            score += 0.02 * same + 0.06 * (row or (same and other.head == first.head))
            score += 0.02 * (other.periods == first.periods)
        return Found(score, figures)

    # ── how well a figure is named ────────────────────────────────────────────────────────────

    def score(self, figure: Figure, item: Item) -> float:
        """0 to 1."""
        total = sum(map(self._weight, item.terms))
        held = sum(self._weight(term) * _says(figure, term) for term in item.terms)
        asked = held / total if total else 0.0
        if figure.sentence:  # says much else, so the operand's terms have to be there
            said = len(item.terms & figure.label) / len(figure.label)
            return _SENTENCE * asked * (0.8 + 0.2 * min(1.0, 2 * said))
        label = sum(self._weight(term) for term in figure.label)
        said = sum(self._weight(term) * self._asks(item, term) for term in figure.label)
        return _ASKED * asked + _LABEL * said / label

    def _asks(self, item: Item, term: str) -> float:
        """How much it tells that the question has a term of a label: in the operand, beside it."""
        if term in item.terms or (item.alone and term in self.asked.terms):
            return 1.0
        return _BESIDE if term in self.asked.terms else 0.0

    def _weight(self, term: str) -> float:
        weight = _VAGUE if term in VAGUE_TERMS else 1.0
        return weight if term in self.known or term in PERCENT_TERMS else weight * _UNKNOWN


def _says(figure: Figure, term: str) -> float:
    if term in figure.label or term in figure.head:
        return 1.0
    if term in PERCENT_TERMS and figure.unit == "%":
        return 1.0
    return _AROUND if term in figure.section or term in figure.caption else 0.0
