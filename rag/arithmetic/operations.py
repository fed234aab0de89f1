"""The words that ask for arithmetic, in English, German, French, Spanish and Italian."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final, Literal

# growth: change in percent of the earlier; share: part of a whole, in percent; count: of periods.
Operation = Literal["change", "growth", "average", "sum", "share", "ratio", "count"]

_FOLDER: Final = Path(__file__).parent / "words"


@dataclass(frozen=True, slots=True)
class OperationWords:
    """One language's (words/*.toml). Patterns of shares and ratios name their parts x and y."""

    none: re.Pattern[str]  # such a question wants no arithmetic, whatever else it says
    growth: re.Pattern[str]
    change: re.Pattern[str]
    told: re.Pattern[str]  # a sentence whose number is itself a change
    average: re.Pattern[str]
    sum: re.Pattern[str]
    shares: tuple[re.Pattern[str], ...]
    ratios: tuple[re.Pattern[str], ...]
    count: re.Pattern[str]
    joins: re.Pattern[str]  # between two operands
    every: re.Pattern[str]  # "all years"
    more: re.Pattern[str]  # what "exceeds" is said with; anything else in `count` is less
    lead: re.Pattern[str]  # what a question begins with


@lru_cache
def operation_words(language: str) -> OperationWords:
    """Those of a language of closed_classes.LANGUAGES."""
    data = tomllib.loads((_FOLDER / f"{language}.toml").read_text(encoding="utf-8"))
    names = {key: value for key, value in data.items() if isinstance(value, str)}
    lists = {key: [_put(line, names) for line in value] for key, value in data.items()
             if isinstance(value, list)}  # fmt: skip
    return OperationWords(
        shares=_each(lists.pop("shares")),
        ratios=_each(lists.pop("ratios")),
        **{key: _words(value) for key, value in lists.items()},
    )


def _put(line: str, names: dict[str, str]) -> str:
    """With what its <names> stand for."""
    for name, value in names.items():
        line = line.replace(f"<{name}>", value)
    return line


def _words(alternatives: list[str]) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w)(?:{'|'.join(alternatives)})(?!\w)", re.IGNORECASE)


def _each(patterns: list[str]) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(pattern, re.IGNORECASE) for pattern in patterns)
