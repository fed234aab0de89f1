"""A number of the claim that a statement says of something else: another row or column of its
table, another currency, a share of another whole. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Final

from rag.verification.consistency import Said, has_number, other_column, other_currency
from rag.verification.evidence_units import Unit
from rag.verification.shares import other_base
from rag.verification.table_rows import other_row
from rag.verification.words import content_terms

Weight = Callable[[Collection[str]], float]

_CORE: Final = (
    3  # terms of a claim, beside its numbers and their units, from which this can be told
)
_SPEAKS: Final = 0.9  # of their weight, in the statement that speaks of all that
_LESS: Final = 0.2


def said_of_another(
    said: Said, unit: Unit, units: Sequence[Unit], asked: frozenset[int]
) -> Unit | None:
    """The statement that contradicts the claim then: the row that it names, or `unit` itself. None
    where nothing tells so. `units` are all of the passages; `asked` as in `agrees`."""
    if unit.head and (row := other_row(said, unit, [u for u in units if _together(u, unit)])):
        return row
    own = any(has_number(number, unit.numbers, unit, asked) for number in said.numbers)
    if own and (other_column(said, unit) or other_currency(said, unit)):
        return unit
    # Of a whole that the passages do not name elsewhere, it may be another word for the same.
    base = other_base(said, unit)
    return unit if base and any(base <= one.terms for one in units) else None


def without_owner(
    said: Said, units: Sequence[Unit], weight: Weight, asked: frozenset[int]
) -> frozenset[int]:
    """The statements (indices) that have the claim's numbers, but not what they are numbers of:
    another one speaks of all that, with other numbers. "The deposit is 412 square metres" where one
    tells of the deposit, and another of 412 square metres let to the same tenant."""
    counted = content_terms(" ".join(_unit_words(said)), said.language)
    core = said.terms - counted
    total = weight(core)
    if not said.numbers or len(core) < _CORE or not total:
        return frozenset()
    held = [weight(core & (unit.terms | unit.context)) / total for unit in units]
    own = [any(has_number(n, u.numbers, u, asked) for n in said.numbers) for u in units]
    owners = [h for h, has, unit in zip(held, own, units, strict=True) if unit.numbers and not has]
    best = max(owners, default=0.0)
    if best < _SPEAKS:
        return frozenset()
    return frozenset(
        i for i, unit in enumerate(units) if own[i] and not unit.head and held[i] <= best - _LESS
    )


def _unit_words(said: Said) -> Iterator[str]:
    """The two words behind each number: "412 square metres"."""
    for number in said.numbers:
        yield from said.text[number.end :].split()[:2]


def _together(a: Unit, b: Unit) -> bool:
    """Whether two rows are of one table."""
    return (a.span.passage, a.span.page, a.head) == (b.span.passage, b.span.page, b.head)
