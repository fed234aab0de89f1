"""What a verifier reads of the passages for one claim: the places that share its rare words.

A fused claim speaks of several places. So the next place is always the one that adds most of what
the places before it lack, and each brings the sentence before and after it, as room allows.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from rag.verification.closed_classes import language_of
from rag.verification.evidence_units import Evidence, Unit
from rag.verification.numbers import Number, numbers
from rag.verification.words import content_terms

LIMIT: Final = 900  # characters: some 220 pieces of an English text, 300 of a German one
PLACES: Final = 6
# What a place must add, as a share of all that the claim holds, to be read too.
_WORTH: Final = 0.05
# A term that was found already counts this much: the second place may say it better.
_AGAIN: Final = 0.25
_GAP: Final = " … "
_FIELD: Final = re.compile(r"[^.:;!?]{1,60}:\s\S")


@dataclass(frozen=True, slots=True)
class Window:
    """`text` is what is read; `best` indexes `Evidence.units`: the place that holds most of the
    claim, -1 where nothing shares a word with it (then the passages' beginning is read)."""

    text: str
    best: int


def window(claim: str, evidence: Evidence, limit: int = LIMIT) -> Window:
    """The places for a claim in their order, with their neighbours, at most `limit` characters
    (a single longer sentence is cut)."""
    units = evidence.units
    spoken_in = evidence.units[0].language if units else "en"
    found = _places(_matter(claim, language_of(claim, spoken_in)), evidence)
    room, taken = limit, set[int]()
    for index in [*found, *_beside(found, units), *range(len(units) if not found else 0)]:
        size = len(spoken(units[index]))
        if index not in taken and (size <= room or not taken):
            taken.add(index)
            room -= size
        if room <= 0:
            break
    return Window(_text(sorted(taken), units)[:limit], found[0] if found else -1)


def field_share(evidence: Evidence) -> float:
    """How much of the passages are fields ("name: value") and rows of tables, from 0 to 1."""
    fields = sum(bool(unit.head or _FIELD.match(unit.text)) for unit in evidence.units)
    return fields / max(1, len(evidence.units))


def spoken(unit: Unit) -> str:
    """A statement as it is read; the cells of a table's row with the heads of their columns."""
    if not unit.head:
        return unit.text.strip()
    heads, cells = (
        [cell.strip() for cell in row.strip().strip("|").split("|")]
        for row in (unit.head, unit.text)
    )
    if len(heads) != len(cells):
        return " ; ".join(cells)
    return "; ".join(
        f"{head}: {cell}" if head else cell for head, cell in zip(heads, cells, strict=True) if cell
    )


@dataclass(frozen=True, slots=True)
class _Matter:
    terms: frozenset[str]
    numbers: tuple[Number, ...]


def _matter(text: str, language: str) -> _Matter:
    return _Matter(content_terms(text, language), numbers(text))


def _places(said: _Matter, evidence: Evidence) -> list[int]:
    """Indexes of the places, the one that holds most first."""
    shared = [
        {**{t: evidence.idf[t] for t in said.terms & unit.terms}, **_figures(said, unit, evidence)}
        for unit in evidence.units
    ]
    total = sum(evidence.idf.get(t, evidence.unseen) for t in said.terms)
    total += evidence.unseen * len(said.numbers)
    covered: set[str] = set()
    found: list[int] = []
    while len(found) < min(PLACES, len(shared)):
        gains = [_gain(own, covered) for own in shared]
        best = max(range(len(gains)), key=lambda i: (gains[i] if i not in found else -1.0, -i))
        if gains[best] <= _WORTH * total or best in found:
            break
        found.append(best)
        covered |= shared[best].keys()
    return found


def _figures(said: _Matter, unit: Unit, evidence: Evidence) -> dict[str, float]:
    own = frozenset[Decimal]().union(*(number.values for number in unit.numbers))
    return {f"#{n.start}": evidence.unseen for n in said.numbers if n.values & own}


def _gain(own: dict[str, float], covered: Collection[str]) -> float:
    return sum(weight * (_AGAIN if term in covered else 1.0) for term, weight in own.items())


def _beside(found: Sequence[int], units: Sequence[Unit]) -> list[int]:
    """The neighbours in the same passage: first those before (they name what a pronoun means)."""
    return [
        index + step
        for step in (-1, 1)
        for index in found
        if 0 <= index + step < len(units)
        and units[index].span.passage == units[index + step].span.passage
    ]


def _text(chosen: Sequence[int], units: Sequence[Unit]) -> str:
    parts: list[str] = []
    for before, index in zip((-1, *chosen), chosen, strict=False):
        if parts:
            stopped = parts[-1][-1:] in ".!?…。"
            parts.append(_GAP if index != before + 1 else " " if stopped else "; ")
        parts.append(spoken(units[index]))
    return "".join(parts)
