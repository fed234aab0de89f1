"""What an answer computed, as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Operand:
    """A number that a computation takes from a page: `written` as it stands there, in units of 10
    to the power `scale` ("in millions": 6), cited by Citation.number."""

    name: str
    period: str  # "2019"; "" where the page tells none
    written: str
    value: str  # decimal, without the scale
    scale: int
    citation: int


@dataclass(frozen=True, slots=True)
class Computation:
    """What an answer computed. `result` is decimal, rounded, in units of 10 to the power `scale`;
    None where operands are `missing`."""

    operation: Literal["change", "growth", "average", "sum", "share", "ratio", "count"]
    formula: str
    result: str | None
    unit: str  # "%", "$", "€", "£", "¥" or ""
    scale: int
    operands: tuple[Operand, ...]
    missing: tuple[str, ...] = ()
