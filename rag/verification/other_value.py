"""A number of the claim that a statement says of something else: another row or column of its
table, another currency, a share of another whole. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from rag.verification.consistency import Said, has_number, other_column, other_currency
from rag.verification.evidence_units import Unit
from rag.verification.shares import other_base
from rag.verification.table_rows import other_row


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


def _together(a: Unit, b: Unit) -> bool:
    """Whether two rows are of one table."""
    return (a.span.passage, a.span.page, a.head) == (b.span.passage, b.span.page, b.head)
