"""The numbers and dates of a text, whichever way they are written."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

_MONTHS: Final = {
    name: month
    for month, names in enumerate(
        (
            "january jan januar", "february feb februar", "march mar märz", "april apr", "may mai",
            "june jun juni", "july jul juli", "august aug", "september sept sep",
            "october oct oktober okt", "november nov", "december dec dezember dez",
        ),
        1,
    )
    for name in names.split()
}  # fmt: skip
_MONTH_NAME = re.compile(rf"\b(?:{'|'.join(_MONTHS)})\b", re.IGNORECASE)
# A date in figures, year first or German; a day and a month of it become one number each.
_DATE = re.compile(r"\b(?:(\d{4})-(\d{2})-(\d{2})|(\d{1,2})\.\s?(\d{1,2})\.\s?(\d{4}))\b")

_SCALES: Final = {
    "thousand": 3, "thousands": 3, "tausend": 3, "tsd": 3, "k": 3,
    "million": 6, "millions": 6, "millionen": 6, "mio": 6, "mn": 6, "mm": 6, "m": 6,
    "billion": 9, "billions": 9, "milliarde": 9, "milliarden": 9, "mrd": 9, "bn": 9, "b": 9,
    "trillion": 12, "trillions": 12, "billionen": 12, "tn": 12,
}  # fmt: skip
_SHORT_SCALES: Final = frozenset({"k", "m", "b", "mm"})  # only where they touch the number
_UNITS: Final = {
    alias: unit
    for unit, aliases in {
        "%": "% percent prozent pct",
        "$": "$ us$ usd dollar dollars",
        "€": "€ eur euro euros",
        "£": "£ gbp pounds",
        "¥": "¥ jpy yen",
        "km": "km kilometre kilometres kilometer kilometers",
        "mi": "mi mile miles meilen",
        "m": "m metre metres meter meters",
        "cm": "cm", "mm": "mm", "ft": "ft foot feet", "in": "inch inches zoll",
        "kg": "kg kilogram kilograms kilogramm", "g": "g gram grams gramm", "t": "tonnes tonne",
        "lb": "lb lbs",
        "°c": "°c celsius", "°f": "°f fahrenheit",
        "h": "h hour hours stunde stunden", "min": "min minute minutes minuten",
        "s": "s sec second seconds sekunden", "ms": "ms milliseconds",
        "d": "day days tag tage tagen", "w": "week weeks woche wochen",
        "mo": "month months monat monate monaten", "y": "year years jahr jahre jahren",
        "gb": "gb", "mb": "mb", "kb": "kb", "mw": "mw", "kw": "kw", "kwh": "kwh",
    }.items()
    for alias in aliases.split()
}  # fmt: skip
_BIG = r"(?P<word>thousands?|tausend|tsd|millions?|millionen|mio|billions?|milliarden?|mrd)\b"
_MONEY = r"(?:us|u\.s\.)?\s*(?:dollars|[$€£¥]|eur|usd)?"
_SCALE_WORD = re.compile(rf"\b{_BIG}", re.IGNORECASE)
_SCALE_NOTE = re.compile(
    rf"(?:\bin\s+{_MONEY}\s*|[(|]\s*(?:(?:amounts|dollars|figures)\s+)?(?:in\s+)?{_MONEY}\s*){_BIG}"
    r"|\bteur\b",
    re.IGNORECASE,
)
_WORDS_AS_NUMBERS: Final = {
    word: value
    for value, words in {
        2: "two zwei", 3: "three drei", 4: "four vier", 5: "five fünf", 6: "six sechs",
        7: "seven sieben", 8: "eight acht", 9: "nine neun", 10: "ten zehn", 11: "eleven elf",
        12: "twelve zwölf", 13: "thirteen dreizehn", 14: "fourteen vierzehn",
        15: "fifteen fünfzehn", 16: "sixteen sechzehn", 17: "seventeen siebzehn",
        18: "eighteen achtzehn", 19: "nineteen neunzehn", 20: "twenty zwanzig",
        30: "thirty dreißig", 40: "forty vierzig", 50: "fifty fünfzig", 60: "sixty sechzig",
        70: "seventy siebzig", 80: "eighty achtzig", 90: "ninety neunzig",
    }.items()
    for word in words.split()
}  # fmt: skip
_FIGURES = re.compile(
    r"\d+(?:[.,'’\u00a0\u2009\u202f]\d+)*|"
    rf"\b(?:{'|'.join(sorted(_WORDS_AS_NUMBERS, key=len, reverse=True))})\b|"
    r"\b(?:an?|one|eine?)(?=\s(?:thousand|million|billion|trillion|tausend|milliarde))",
    re.IGNORECASE,
)
_BEFORE = re.compile(
    r"(?P<open>\(\s*)?(?P<sign>(?<![\w)])[-−–]\s?)?(?P<money>US\$|[$€£¥])?\s?$", re.IGNORECASE
)
_CLOSE = re.compile(r"\s*%?\s*\)")
_AFTER = re.compile(r"['’]s\b|(?:[ \u00a0-]?(?:[%€$£¥]|°?[^\W\d_]+)){0,2}")
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
        if not any(date.start() <= match.start() < date.end() for date in dates):
            yield _number(text, *match.span())


def _number(text: str, start: int, end: int) -> Number:
    before = _BEFORE.search(text[max(0, start - 6) : start])
    closed = _CLOSE.match(text, end)
    behind = _AFTER.match(text, end)
    after = [unit.casefold() for unit in _UNIT.findall(behind.group() if behind else "")]
    touching = text[end : end + 1].isalpha() or after == ["s"]
    values = _values(text[start:end])
    scale, after = _scale(after, touching)
    scaled = {value * Decimal(10) ** scale for value in values}
    if scale and touching:
        scaled |= values  # "3M" is a name as well
    unit = _UNITS.get(((before and before["money"]) or "").casefold(), "")
    if not unit and after:
        unit = "decade" if touching and after[0] == "s" else _UNITS.get(after[0], "")
    if closed and "%" in closed.group():
        unit = "%"
    negative = bool(before and (before["sign"] or (before["open"] and closed)))
    return Number(frozenset(scaled), unit, negative, bool(scale), start, end)


def _scale(after: list[str], touching: bool) -> tuple[int, list[str]]:
    if after and after[0] in _SCALES and (touching or after[0] not in _SHORT_SCALES):
        return _SCALES[after[0]], after[1:]
    return 0, after


def _values(figures: str) -> set[Decimal]:
    """1,577 → 1577; 1.577,5 → 1577.5; 1.577 may be either, as Germans write it."""
    if figures[0].isalpha():
        return {Decimal(_WORDS_AS_NUMBERS.get(figures.casefold(), 1))}
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
    return frozenset(_SCALES[(match.group("word") or "tsd").casefold()] for match in found)


def month_of(word: str) -> int:
    """1 to 12 for the name of a month, else 0."""
    return _MONTHS.get(word.casefold(), 0)


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
    return word in _WORDS_AS_NUMBERS or word in _SCALES
