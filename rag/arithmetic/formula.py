"""Computing with decimals, and how a number and a formula are written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

from rag.arithmetic.figures import Figure
from rag.arithmetic.operations import Operation
from rag.arithmetic.question import Wanted

# Behind the point, of what a division gives.
_PLACES: Final = 2
_SMALL: Final = Decimal("0.1")  # below it, so many digits that count
_MOST_PLACES: Final = 28


@dataclass(frozen=True, slots=True)
class Result:
    """`value` in units of 10 to the power `scale`, exact as far as decimals of 28 digits are."""

    value: Decimal
    unit: str
    scale: int

    @property
    def rounded(self) -> Decimal:
        """To two places; a small one to three digits."""
        places = _PLACES
        if self.value and abs(self.value) < _SMALL:
            places = min(_MOST_PLACES, 2 - self.value.adjusted())
        step = Decimal(1).scaleb(-places)
        rounded = self.value.quantize(step, ROUND_HALF_UP) if self.value % step else self.value
        return (
            rounded.quantize(Decimal(1))
            if rounded == rounded.to_integral_value()
            else rounded.normalize()
        )


def compute(asked: Wanted, figures: Sequence[Figure]) -> Result | None:
    """None where the figures do not make one: other units, a division by zero."""
    units = {figure.unit for figure in figures if figure.unit}
    if len(units) > 1 and asked.operation != "ratio":
        return None
    unit = units.pop() if units else ""
    scale = max(figure.scale for figure in figures)
    values = [figure.value.scaleb(figure.scale - scale) for figure in figures]
    if asked.operation == "count":
        return Result(Decimal(sum(_beyond(asked, value, scale) for value in values)), "", 0)
    if asked.operation in ("average", "sum"):
        total = sum(values, Decimal(0))
        return Result(total / len(values) if asked.operation == "average" else total, unit, scale)
    if len(values) != 2:
        return None
    first, second = values
    if asked.operation == "change":
        return Result(first - second, unit, scale)
    if not second:
        return None
    if asked.operation == "growth":
        return Result((first - second) / second * 100, "%", 0)
    return Result(first / second * 100, "%", 0) if asked.percent else Result(first / second, "", 0)


def _beyond(asked: Wanted, value: Decimal, scale: int) -> bool:
    """Whether a count's figure is above (or below) the question's bound. A bound without a word of
    scale is in the table's own; a table without a note is in the bound's."""
    assert asked.bound is not None
    bound = asked.bound.scaleb(asked.bound_scale - scale if scale and asked.bound_scale else 0)
    return value > bound if asked.above else value < bound


def formula(operation: Operation, written: Sequence[str], *, percent: bool = False) -> str:
    """Of operands as they are to stand in it."""
    if operation == "average":
        return f"({' + '.join(written)}) / {len(written)}"
    if operation == "sum":
        return " + ".join(written)
    if operation == "count":
        return "; ".join(written)
    first, second = written
    if operation == "change":
        return f"{first} - {second}"
    if operation == "growth":
        return f"({first} - {second}) / {second} × 100"
    return f"{first} / {second}{' × 100' if percent else ''}"


def number_text(value: Decimal, unit: str, *, comma: bool) -> str:
    """With separators of thousands and its unit, without zeros that say nothing."""
    text = f"{value:,f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    if comma:
        text = text.translate(str.maketrans(",.", ".,"))
    if unit == "%":
        return f"{text}%"
    return f"-{unit}{text[1:]}" if text.startswith("-") else f"{unit}{text}"
