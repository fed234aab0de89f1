"""The power of ten that a note gives its figures in: "(in millions)", "$'000", "Mio. €", TEUR."""

from __future__ import annotations

import re
from typing import Final

_MONEY = r"(?:us\$|u\.s\.\s?|us\s|[$€£¥]|eur|usd|gbp|chf|dollars?|euros?)"
_WORDS: Final = {
    3: r"thousands?|tausend|tsd\.?|milliers|miles|migliaia",
    6: r"millions?|millionen|mio\.?|mill?ones|milioni|mn",
    9: r"billions?|milliarden?|mrd\.?|milliards?|miliardi|bn",
}
_ANY: Final = "|".join(f"(?P<p{power}>{words})" for power, words in _WORDS.items())
_NOTE: Final = re.compile(
    rf"\b(?:in|en)\s+(?:{_MONEY}\s*)?(?:{_ANY})(?!\w)"
    rf"|(?:\(|^|\|)\s*(?:amounts?\s|dollars\s|figures\s|{_MONEY})?\s*(?:in\s+)?(?:{_MONEY}\s*)?"
    rf"(?:{_ANY.replace('?P<p', '?P<q')})(?!\w)"
    rf"|{_MONEY}\s?['’]?(?P<zeros>000(?:,?000)?)\b|['’]000\b|\bteur\b|\bt€"
    rf"|(?:[$€£¥]|usd|eur|gbp|chf)\s?(?P<letter>m|mn|k|bn|b)\b",
    re.IGNORECASE | re.MULTILINE,
)
_LETTERS: Final = {"k": 3, "m": 6, "mn": 6, "bn": 9, "b": 9}


def scale_of(text: str, *, last: bool = False) -> int:
    """The power of ten that the first (or last) note names; 0 without one."""
    found = [_power(match) for match in _NOTE.finditer(text)]
    return found[-1 if last else 0] if found else 0


def only_scale(text: str) -> int:
    """The one power of ten that all notes of a text name; 0 where they differ."""
    found = {_power(match) for match in _NOTE.finditer(text)}
    return found.pop() if len(found) == 1 else 0


def _power(match: re.Match[str]) -> int:
    for power in (3, 6, 9):
        if match[f"p{power}"] or match[f"q{power}"]:
            return power
    if letter := match["letter"]:
        return _LETTERS[letter.casefold()]
    return 6 if (match["zeros"] or "").count("0") == 6 else 3
