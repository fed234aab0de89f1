"""The periods that a text names: years, financial years, ranges of years."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

# 2018/2019 and 2018/19 are one period of two years; 2021-2022 may be one (a column's head) or two
# ends; FY19 is 2019. Not a part of a number (2,018 or $2018) and no unit's amount.
_PERIOD: Final = re.compile(
    r"(?<![\d.,$€£¥/-])(?:"
    r"(?P<first>(?:19|20)\d\d)\s?(?P<sign>[/–—-])\s?(?P<last>(?:19|20)\d\d|\d\d)"
    r"|(?:(?:FY|GJ|EF)\s?)?(?P<year>(?:19|20)\d\d)[AE]?"
    r"|(?:FY|GJ|EF)\s?['’]?(?P<short>\d\d)"
    r")(?!\d|[.,]\d|[%/])",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Period:
    """`text[start:end]`. `name` is the same for the same period however it is written."""

    name: str
    start: int
    end: int

    @property
    def years(self) -> tuple[str, ...]:
        """Of a range all of its years, else the one name."""
        first, dash, last = self.name.partition("-")
        if not dash or not 0 < int(last) - int(first) < 50:
            return (self.name,)
        return tuple(str(year) for year in range(int(first), int(last) + 1))


def periods(text: str) -> list[Period]:
    """In the order of the text."""
    return [Period(_name(match), *match.span()) for match in _PERIOD.finditer(text)]


def _name(match: re.Match[str]) -> str:
    if short := match["short"]:
        return f"20{short}"
    if year := match["year"]:
        return year
    last = match["last"] if len(match["last"]) == 4 else match["first"][:2] + match["last"]
    return f"{match['first']}{'/' if match['sign'] == '/' else '-'}{last}"
