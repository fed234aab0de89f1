"""What must not differ between a claim and its source: numbers, names and their order, months,
negations."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from rag.verification.closed_classes import language_of
from rag.verification.differences import compared
from rag.verification.evidence_units import PageSpan, Unit
from rag.verification.name_order import Pattern, exchanged
from rag.verification.number_words import CURRENCIES
from rag.verification.numbers import Number, months, numbers
from rag.verification.roles import Apart
from rag.verification.words import (
    content_terms,
    has_negation,
    last_clause,
    names,
    negated,
    plain_words,
)

_LABELS = 1  # the column of a row's label, where a row of Markdown is cut at its bars
# An answer of fewer words ("Paris") states nothing that a "not" before it could turn round.
_FRAGMENT = 4


@dataclass(frozen=True, slots=True)
class Said:
    """What a claim says, ready to be compared."""

    text: str
    words: tuple[str, ...]
    terms: frozenset[str]
    names: frozenset[str]
    numbers: tuple[Number, ...]
    months: frozenset[int]
    language: str

    @classmethod
    def of(cls, text: str, language: str = "en") -> Said:
        """`language`: that of the passages, taken where the claim could be of any."""
        language = language_of(text, language)
        return cls(
            text=text,
            words=tuple(word for word, _, _ in plain_words(text)),
            terms=content_terms(text, language),
            names=names(text, language),
            numbers=numbers(text),
            months=months(text),
            language=language,
        )


def agrees(said: Said, unit: Unit, asked: frozenset[int], apart: Apart) -> bool:
    """Whether nothing strict differs. `asked`: scales that the question names ("how many
    millions"). A name or a month may stand in the surroundings of the source too. `apart` tells of
    two words whether the passages know them as two things."""
    return (
        said.names <= unit.terms | unit.context
        and said.months <= unit.months | unit.context_months
        and numbers_agree(said, unit, asked)
        and _columns_agree(said, unit)
        and not other_currency(said, unit)
        and has_negation(said.text) == negated(unit.text, said.terms, said.language)
        and not _exchanged(said, unit)
        and not compared(said.text, unit.text, unit.language, apart)
    )


def _exchanged(said: Said, unit: Unit) -> bool:
    named = said.names | names(unit.text, said.language)
    claim = Pattern.of(said.text, named, said.language)
    return exchanged(claim, Pattern.of(unit.text, named, said.language))


def numbers_agree(said: Said, unit: Unit, asked: frozenset[int]) -> bool:
    """Every number is in the source; but for one, they may be in its surroundings (a year)."""
    if not said.numbers:
        return True
    inside = [has_number(number, unit.numbers, unit, asked) for number in said.numbers]
    if not any(inside):
        return False
    rest = [number for number, own in zip(said.numbers, inside, strict=True) if not own]
    return all(has_number(number, unit.context_numbers, unit, asked) for number in rest)


def other_column(said: Said, unit: Unit) -> bool:
    """Whether a row of a table has the claim's numbers, under other heads than the claim names."""
    among = (*unit.numbers, *unit.context_numbers)
    held = said.numbers and all(has_number(n, among, unit, frozenset()) for n in said.numbers)
    return bool(unit.head and held) and not _columns_agree(said, unit)


def other_currency(said: Said, unit: Unit) -> bool:
    """Whether a number of the claim has a currency, and its page names others alone: the figures
    of a table have the one that stands above it."""
    named = {number.unit for number in said.numbers} & CURRENCIES
    return bool(named and unit.currencies) and not named & unit.currencies


def other_number(said: Said, unit: Unit, asked: frozenset[int]) -> bool:
    """Whether the source has another number where the claim has one: of the same unit."""
    if unit.head or numbers_agree(said, unit, asked) or not said.names <= unit.terms | unit.context:
        return False
    among = (*unit.numbers, *unit.context_numbers)
    missing = [n for n in said.numbers if not has_number(n, among, unit, asked)]
    own = [n for n in unit.numbers if not any(n.agrees(m) for m in said.numbers)]
    return any(n.unit == m.unit for n in missing for m in own)


def has_number(number: Number, among: Iterable[Number], unit: Unit, asked: frozenset[int]) -> bool:
    scales = unit.scales | asked
    return any(number.agrees(other, scales=scales) for other in among)


def cut_from_negation(said: Said, match: PageSpan, unit: Unit) -> bool:
    """Whether the words before the quoted ones deny them: "pay dividends" of "did not pay…"."""
    before = unit.text[: max(0, match.start - unit.span.start)]
    return len(said.words) >= _FRAGMENT and has_negation(last_clause(before))


def _columns_agree(said: Said, unit: Unit) -> bool:
    """In a table, a number stands in a column whose head the claim names, if it names any."""
    if not unit.head:
        return True
    head = [numbers(cell) for cell in unit.head.split("|")]
    row = [numbers(cell) for cell in unit.text.split("|")]
    label = content_terms("".join(unit.text.split("|")[_LABELS : _LABELS + 1]), unit.language)
    words = enumerate(_heads(unit.head, unit.language))
    worded = (i for i, terms in words if i != _LABELS and terms <= said.terms - label)
    named = frozenset(worded).union(*(_columns(number, head) for number in said.numbers))
    values = [number for number in said.numbers if not _columns(number, head)]
    places = [_columns(value, row, unit.scales) - {_LABELS} for value in values]
    return not named or all(not columns or columns & named for columns in places)


@lru_cache(maxsize=256)
def _heads(head: str, language: str) -> tuple[frozenset[str], ...]:
    """The terms of each column's head; of one without words, a term that no claim has."""
    return tuple(content_terms(cell, language) or frozenset({cell}) for cell in head.split("|"))


def _columns(
    number: Number, cells: Sequence[Iterable[Number]], scales: frozenset[int] = frozenset()
) -> frozenset[int]:
    return frozenset(
        i for i, cell in enumerate(cells) if any(number.agrees(m, scales=scales) for m in cell)
    )
