"""Whether a number that a claim takes from a table stands in the row that the claim names. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from rag.verification.consistency import Said
from rag.verification.evidence_units import Unit
from rag.verification.numbers import Number, numbers
from rag.verification.words import content_terms

# A label's words behind the first comma or bracket explain it: "Day ticket, 24 hours".
_LABEL_END: Final = re.compile(r"[,;(:–—]")
# "monthly" names the row "Month": so much of the shorter word, and no more behind it.
_STEM: Final = 4
_ENDING: Final = 3


def other_row(said: Said, unit: Unit, rows: Iterable[Unit]) -> Unit | None:
    """The row of `rows` that the claim names, where its numbers stand in the row `unit` alone,
    which it does not name; None where that cannot be told. `rows` are those of the same table."""
    values = [n for n in said.numbers if not any(n.agrees(m) for m in numbers(unit.head))]
    if not values or not _holds_all(unit, values) or _is_named(unit, said):
        return None
    named = [row for row in rows if row is not unit and _is_named(row, said)]
    if not named or any(_holds_all(row, values) for row in named):
        return None
    return named[0]


def _holds_all(row: Unit, values: Iterable[Number]) -> bool:
    return all(any(value.agrees(own) for own in row.numbers) for value in values)


def _is_named(row: Unit, said: Said) -> bool:
    """Whether the claim has every word of the row's label, and not as a date ("year 2032")."""
    label = _label(row.text, row.language)
    return bool(label) and all(_said(word, said) for word in label)


@lru_cache(maxsize=4096)
def _label(row: str, language: str) -> frozenset[str]:
    """The terms of its first cell."""
    first = row.strip().strip("|").split("|")[0].strip()
    return content_terms(_LABEL_END.split(first, maxsplit=1)[0], language)


def _said(word: str, said: Said) -> bool:
    if not any(_same(word, other) for other in said.terms):
        return False
    dated = re.search(rf"\b{re.escape(word[:_STEM])}\w*\s+\d", said.text, re.IGNORECASE)
    return dated is None


def _same(a: str, b: str) -> bool:
    short, long = sorted((a, b), key=len)
    near = len(short) >= _STEM and long.startswith(short) and len(long) - len(short) <= _ENDING
    return a == b or near
