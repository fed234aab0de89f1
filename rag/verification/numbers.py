"""The numbers and dates of a text, whichever way they are written."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from rag.verification.closed_classes import likely_languages
from rag.verification.number_words import (
    CURRENCIES,
    FOREIGN,
    MONTHS,
    NUMBER_WORDS,
    PERCENT,
    SCALES,
    SHORT_SCALES,
    UNITS,
)

_MONTH_NAME = re.compile(rf"\b(?:{'|'.join(MONTHS)})\b", re.IGNORECASE)
# A date in figures, year first or German; a day and a month of it become one number each.
_DATE = re.compile(r"\b(?:(\d{4})-(\d{2})-(\d{2})|(\d{1,2})\.\s?(\d{1,2})\.\s?(\d{4}))\b")

_BIG = r"(?P<word>thousands?|tausend|tsd|millions?|millionen|mio|billions?|milliarden?|mrd)\b"
_MONEY = r"(?:us|u\.s\.)?\s*(?:dollars|[$€£¥]|eur|usd)?"
_SCALE_WORD = re.compile(rf"\b{_BIG}", re.IGNORECASE)
_SCALE_NOTE = re.compile(
    rf"(?:\bin\s+{_MONEY}\s*|[(|]\s*(?:(?:amounts|dollars|figures)\s+)?(?:in\s+)?{_MONEY}\s*){_BIG}"
    r"|\bteur\b",
    re.IGNORECASE,
)
_FIGURES = re.compile(
    r"\d+(?:[.,'’\u00a0\u2009\u202f]\d+)*|"
    rf"\b(?:{'|'.join(sorted(NUMBER_WORDS, key=len, reverse=True))})\b|"
    r"\b(?:an?|one|eine?)(?=\s(?:thousand|million|billion|trillion|tausend|milliarde))",
    re.IGNORECASE,
)
_BEFORE = re.compile(
    r"(?P<open>\(\s*)?(?P<sign>(?<![\w)])[-−–]\s?)?(?P<money>US\$|[$€£¥])?\s?$", re.IGNORECASE
)
_CLOSE = re.compile(r"\s*%?\s*\)")
_AFTER = re.compile(r"['’]s\b|(?:[ \u00a0-]?(?:[%€$£¥]|d['’]|°?[^\W\d_]+)){0,3}")
_OF = frozenset(("de", "di", "d"))  # "12 millions d'euros"
_UNIT = re.compile(r"[%€$£¥]|°?[^\W\d_]+")


@dataclass(frozen=True, slots=True)
class Number:
    """A number: the values that its figures may mean, and its unit ("" if none is written)."""

    values: frozenset[Decimal]
    unit: str
    negative: bool
    scaled: bool  # written with "million" and the like
    start: int
    end: int

    def agrees(self, other: Number, *, scales: frozenset[int] = frozenset()) -> bool:
        """Whether `other` (of the source) says the same. `scales`: powers of ten that the page
        names ("in millions"), which bare figures may be meant in."""
        if "decade" in (self.unit, other.unit) and self.unit != other.unit:
            return False
        if self.unit and other.unit and self.unit != other.unit:
            return False
        if self.negative and not other.negative:
            return False
        if self.values & other.values:
            return True
        if self.scaled == other.scaled:
            return False
        bare, full = (self, other) if other.scaled else (other, self)
        return any(v * Decimal(10) ** s in full.values for s in scales for v in bare.values)


def numbers(text: str) -> tuple[Number, ...]:
    """Every number of a text with its unit. 1,577 is 1577; 1.5 million 1500000; (5) is -5."""
    return tuple(_numbers(text))


def _numbers(text: str) -> Iterator[Number]:
    dates = list(_DATE.finditer(text))
    for match in dates:
        year, day = match.group(1) or match.group(6), match.group(3) or match.group(4)
        for figure in (year, day):
            yield Number(frozenset({Decimal(figure)}), "", False, False, *match.span())
    for match in _FIGURES.finditer(text):
        foreign = FOREIGN.get(match.group().casefold())
        if foreign and not foreign.intersection(
            likely_languages(text)
        ):  # "due" is two in Italian alone
            continue
        if not any(date.start() <= match.start() < date.end() for date in dates):
            yield _number(text, *match.span())


def _number(text: str, start: int, end: int) -> Number:
    before = _BEFORE.search(text[max(0, start - 6) : start])
    closed = _CLOSE.match(text, end)
    behind = _AFTER.match(text, end)
    found = [unit.casefold() for unit in _UNIT.findall(behind.group() if behind else "")]
    after = [unit for unit in found if unit not in _OF]
    touching = text[end : end + 1].isalpha() or after == ["s"]
    values = _values(text[start:end])
    scale, after = _scale(after, touching)
    scaled = {value * Decimal(10) ** scale for value in values}
    if scale and touching:
        scaled |= values  # "3M" is a name as well
    unit = UNITS.get(((before and before["money"]) or "").casefold(), "")
    if not unit and after:
        unit = "decade" if touching and after[0] == "s" else UNITS.get(after[0], "")
    if (closed and "%" in closed.group()) or tuple(found[:2]) in PERCENT:
        unit = "%"
    negative = bool(before and (before["sign"] or (before["open"] and closed)))
    return Number(frozenset(scaled), unit, negative, bool(scale), start, end)


def _scale(after: list[str], touching: bool) -> tuple[int, list[str]]:
    if after and after[0] in SCALES and (touching or after[0] not in SHORT_SCALES):
        return SCALES[after[0]], after[1:]
    return 0, after


def _values(figures: str) -> set[Decimal]:
    """1,577 → 1577; 1.577,5 → 1577.5; 1.577 may be either, as Germans write it."""
    if figures[0].isalpha():
        return {Decimal(NUMBER_WORDS.get(figures.casefold(), 1))}
    bare = re.sub(r"['’\u00a0\u2009\u202f]", "", figures)
    readings = set()
    for thousands, point in ((",", "."), (".", ",")):
        groups, *rest = bare.split(point)
        whole = groups.split(thousands)
        proper = all(len(g) == 3 for g in whole[1:]) and len(whole[0]) <= (3 if whole[1:] else 99)
        english = point == "," and re.fullmatch(r"\d{1,3}(?:,\d{3})+", bare)
        if proper and not english and (not rest or (len(rest) == 1 and rest[0].isdecimal())):
            readings.add(Decimal("".join(whole) + ("." + rest[0] if rest else "")).normalize())
    return readings or {Decimal(re.sub(r"\D", "", bare)).normalize()}


def scales(text: str, *, anywhere: bool = False) -> frozenset[int]:
    """Powers of ten that a page gives its figures in: "(in millions)", "Mio. €", TEUR."""
    found = (_SCALE_WORD if anywhere else _SCALE_NOTE).finditer(text)
    return frozenset(SCALES[(match.group("word") or "tsd").casefold()] for match in found)


def currencies(text: str) -> frozenset[str]:
    """Those that a page names anywhere: "in florins", "€"."""
    found = (UNITS.get(match.group().casefold(), "") for match in _UNIT.finditer(text))
    return CURRENCIES.intersection(found)


def month_of(word: str) -> int:
    """1 to 12 for the name of a month, else 0."""
    return MONTHS.get(word.casefold(), 0)


def months(text: str) -> frozenset[int]:
    """The months that a text names beside a number ("3 May", "May 2018", 2018-05-03)."""
    found = {int(m.group(2) or m.group(5)) for m in _DATE.finditer(text)}
    for match in _MONTH_NAME.finditer(text):
        near = text[max(0, match.start() - 5) : match.start()] + text[match.end() : match.end() + 6]
        if (month := month_of(match.group())) and any(char.isdigit() for char in near):
            found.add(month)
    return frozenset(found)


def is_number_word(word: str) -> bool:
    """Whether a folded word is a part of a written number ("two", "million")."""
    return word in NUMBER_WORDS or word in SCALES
