"""The words of a language that turn a statement: negations, directions, modality, quantity, …

They are finite, so they are listed (classes/*.toml): each class has poles that exclude each other.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from rag.terms import fold

LANGUAGES: Final = ("en", "de", "fr", "es", "it")
_FOLDER: Final = Path(__file__).parent / "classes"
_LETTERS = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True, slots=True)
class Mark:
    """A word or phrase of a closed class: words `at` to `end` (exclusive) of a text."""

    axis: str
    pole: str
    at: int
    end: int


@dataclass(frozen=True, slots=True)
class ClosedClasses:
    """One language's words, compiled. `poles` finds the words of each axis by pole."""

    language: str
    small: frozenset[str]
    articles: frozenset[str]
    negation: re.Pattern[str]
    forbidding: re.Pattern[str]
    negation_off: re.Pattern[str]
    passive: frozenset[str]
    agent: frozenset[str]
    origin: frozenset[str]
    goal: frozenset[str]
    other: frozenset[str]
    irregular: Mapping[str, str]
    poles: Mapping[str, tuple[tuple[str, re.Pattern[str]], ...]]


@lru_cache
def classes(language: str) -> ClosedClasses:
    """Those of a language of LANGUAGES; English for any other."""
    code = language if language in LANGUAGES else "en"
    data = tomllib.loads((_FOLDER / f"{code}.toml").read_text(encoding="utf-8"))
    axes = {name: value for name, value in data.items() if isinstance(value, dict)}
    return ClosedClasses(
        code,
        frozenset(
            word
            for name in ("small", "agent", "origin", "goal", "other", "passive")
            for word in data[name].split()
        ),
        frozenset(data["articles"].split()),
        _pattern(data["negation"]),
        _pattern(data["forbidding"]),
        _pattern(data["negation_off"]),
        frozenset(data["passive"].split()),
        frozenset(data["agent"].split()),
        frozenset(data["origin"].split()),
        frozenset(data["goal"].split()),
        frozenset(data["other"].split()),
        dict(pair.split(":") for pair in data["irregular"].split()),
        {
            axis: tuple((pole, _pattern(words)) for pole, words in poles.items())
            for axis, poles in axes.items()
        },
    )


def _pattern(entries: str) -> re.Pattern[str]:
    """Of words joined by single blanks; the longest phrase first."""
    found = sorted(entries.split(), key=len, reverse=True)
    return re.compile(rf"(?<!\S)(?:{'|'.join(map(_expression, found))})(?!\S)")


def _expression(entry: str) -> str:
    return re.escape(entry).replace("_", " ").replace(r"\*", r"\S*")


def language_of(text: str, default: str = "en") -> str:
    """The one of LANGUAGES whose small words a text has most of; of equals the default."""
    found = likely_languages(text)
    return default if default in found else found[0]


@lru_cache(maxsize=1 << 14)
def likely_languages(text: str) -> tuple[str, ...]:
    """Those of LANGUAGES whose small words a text has most of, all if it has none."""
    words = _LETTERS.findall(fold(text))
    counts = {code: sum(word in classes(code).small for word in words) for code in LANGUAGES}
    best = max(counts.values())
    return tuple(code for code in LANGUAGES if counts[code] == best)


def marks(joined: str, starts: Mapping[int, int], language: str) -> list[Mark]:
    """The marks of a text's words joined by blanks; `starts` maps offsets to word indexes. What
    is a part of a longer one ("most" of "at most") is none."""
    found = [
        Mark(axis, pole, starts[m.start()], starts[m.start()] + m.group().count(" ") + 1)
        for axis, poles in classes(language).poles.items()
        for pole, pattern in poles
        for m in pattern.finditer(joined)
    ]
    return [one for one in found if not any(_covers(other, one) for other in found)]


def _covers(a: Mark, b: Mark) -> bool:
    return a.at <= b.at and b.end <= a.end and (a.end - a.at) > (b.end - b.at)
