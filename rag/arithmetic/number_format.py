"""A number as a table's cell writes it: (1,234), $ 5.6, 7,8 %, 1 234, 12 Mio. €."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from rag.verification.number_words import SCALES, UNITS

_CELL: Final = re.compile(
    r"(?P<open>\(\s*)?(?P<sign>[-−–+]\s*)?(?P<money>US\$|A\$|[$€£¥])?\s*(?P<open2>\(\s*)?"
    r"(?P<sign2>[-−–]\s*)?"
    r"(?P<figures>\d+(?:[.,'’\u00a0\u2009\u202f ]\d+)*|[.,]\d+)\s*(?P<close>\)?)\s*"
    r"(?P<behind>%|(?:[^\W\d_]{1,10}\.?\s*){0,2}[%$€£¥]?)\s*\)?\s*"
    r"(?:[*†‡]|\(?[a-z\d]\))*",
    re.IGNORECASE,
)
_EMPTY: Final = re.compile(r"[$€£¥]?\s*(?:[-−–—·]\s*){1,3}%?|nil|n/?a", re.IGNORECASE)
_DASH: Final = re.compile(r"[$€£¥]?\s*[-−–—·]\s*%?|nil", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Written:
    """`value` with its sign; `scale` is the power of ten of a word behind it."""

    value: Decimal
    unit: str
    scale: int


def is_empty(cell: str) -> bool:
    """A dash or the like."""
    return _EMPTY.fullmatch(cell) is not None


def written(cell: str, *, comma: bool) -> Written | None:
    """What a cell says if it is a number; a dash is 0. `comma`: decimals stand behind one."""
    if _DASH.fullmatch(cell):
        return Written(Decimal(0), "", 0)
    match = _CELL.fullmatch(cell)
    if match is None:
        return None
    value = _value(match["figures"], comma=comma)
    if value is None:
        return None
    inside = match["open"] or match["open2"]
    negative = bool(inside or "".join(filter(None, (match["sign"], match["sign2"]))).strip("+ "))
    words = [
        word.casefold().strip(".") for word in re.findall(r"[^\W\d_]+|[%$€£¥]", match["behind"])
    ]
    scale = next((SCALES[word] for word in words if word in SCALES), 0)
    units = [UNITS[word] for word in [(match["money"] or "").casefold(), *words] if word in UNITS]
    unit = next((one for one in units if one in "%$€£¥"), "")
    return Written(-value if negative else value, unit, scale)


def _value(figures: str, *, comma: bool) -> Decimal | None:
    bare = re.sub(r"['’\u00a0\u2009\u202f ]", "", figures)
    thousands, point = (".", ",") if comma else (",", ".")
    whole, _, rest = bare.partition(point)
    groups = whole.split(thousands)
    if thousands in rest or point in rest or any(len(group) not in (2, 3) for group in groups[1:]):
        return None
    return Decimal("".join(groups) + (f".{rest}" if rest else "") or "0")


def decimal_comma(cells: Sequence[str], language: str) -> bool:
    """Whether a table's decimals stand behind a comma, by what its cells leave no doubt of; else by
    its language."""
    point = sum(bool(re.search(r"\d\.\d{1,2}(?!\d)|\d,\d{3}[.,]\d", cell)) for cell in cells)
    comma = sum(bool(re.search(r"\d,\d{1,2}(?!\d)|\d\.\d{3}[.,]\d", cell)) for cell in cells)
    if point != comma:
        return comma > point
    return language in ("de", "fr", "es", "it")
