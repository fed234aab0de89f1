"""Values that sentences of frames.txt are filled with, each in several ways to write it,
and others that are near but not the same."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

_LANGUAGES: Final = ("en", "de", "fr", "es", "it")
MONTHS: Final[Mapping[str, list[str]]] = {
    "en": "January February March April May June July August September October November"
    " December".split(),
    "de": "Januar Februar März April Mai Juni Juli August September Oktober November"
    " Dezember".split(),
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre"
    " décembre".split(),
    "es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre"
    " diciembre".split(),
    "it": "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre"
    " dicembre".split(),
}
WORDS: Final[Mapping[str, list[str]]] = {
    "en": "two three four five six seven eight nine ten eleven twelve".split(),
    "de": "zwei drei vier fünf sechs sieben acht neun zehn elf zwölf".split(),
    "fr": "deux trois quatre cinq six sept huit neuf dix onze douze".split(),
    "es": "dos tres cuatro cinco seis siete ocho nueve diez once doce".split(),
    "it": "due tre quattro cinque sei sette otto nove dieci undici dodici".split(),
}
_MILLION: Final = dict(
    zip(
        _LANGUAGES,
        ("million", "Millionen", "millions d'", "millones de ", "milioni di "),
        strict=True,
    )
)
_FIRST: Final = (
    "Anna Marco Lucie Peter Elena David Sofia Johan Maria Karim Ines Paul Greta Luca Claire Diego"
    " Nora Ivan Sarah Miguel Yuki Omar Helen Viktor Amira Tom Carla Felix Rosa Ben"
).split()
_LAST: Final = (
    "Weber Rossi Martin García Keller Lindqvist Moreau Bianchi Novak Okafor Schmidt Dupont Torres"
    " Conti Hansen Becker Laurent Romero Ferrari Jansen Müller Petit Vega Greco Olsen Braun Girard"
    " Molina Costa Larsen Clarke Hughes Patel Nguyen Sato"
).split()
_STEMS: Final = (
    "Nor Vel Alta Kestrel Lumen Orion Delta Solis Brema Tarn Mira Quanta Helio Arden Corvo Fenix"
    " Galen Ister Juna Kolm Lyra Monta Nexa Opal Pallas Rhea Sigma Terra Ulmo Varo"
).split()
_ENDS: Final = ("tek", "soft", "care", "lab", "chem", "mar", "ron", "via", "data", "bank")
_FORMS: Final = ("", "", " Ltd", " AG", " SA", " Group", " GmbH", " Inc", " SpA", " Holding")
_PLACES: Final = (
    "Lyon Bremen Parma Sevilla Bristol Graz Nantes Bilbao Torino Leeds Kassel Lille Murcia Verona"
    " Cardiff Linz Rouen Cádiz Padova Hull Ulm Dijon Toledo Siena Derby Bonn Brest León Pisa Bath"
    " Oslo Ghent Porto Malmö Basel"
).split()


@dataclass(frozen=True, slots=True)
class Value:
    """`ways` to write one value, and `other`, a maker of one that differs in one point."""

    ways: tuple[str, ...]
    other: Callable[[], Value]


def make(slot: str, language: str, rng: random.Random) -> Value:
    """A value for a slot: A, B organisations; P, Q persons; L, M places; Y a year; D a date; N a
    small, K a large number; R a rate; U an amount of money."""
    return _MAKERS[slot](language, rng)


def _organisation(language: str, rng: random.Random) -> Value:
    name = rng.choice(_STEMS) + rng.choice(_ENDS) + rng.choice(_FORMS)
    return Value((name,), lambda: _organisation(language, rng))


def _person(language: str, rng: random.Random) -> Value:
    first, last = rng.choice(_FIRST), rng.choice(_LAST)
    return Value((f"{first} {last}", f"{first} {last}", last), lambda: _person(language, rng))


def _place(language: str, rng: random.Random) -> Value:
    return Value((rng.choice(_PLACES),), lambda: _place(language, rng))


def _year(language: str, rng: random.Random, year: int = 0) -> Value:
    year = year or rng.randint(1890, 2025)
    steps = (-10, -3, -2, -1, 1, 2, 3, 10, 20)
    return Value((str(year),), lambda: _year(language, rng, year + rng.choice(steps)))


def _date(language: str, rng: random.Random, at: tuple[int, int, int] | None = None) -> Value:
    d, m, y = at or (rng.randint(1, 28), rng.randint(1, 12), rng.randint(1950, 2025))
    month = MONTHS[language][m - 1]
    ways = {
        "en": (f"{d} {month} {y}", f"{month} {d}, {y}", f"{y}-{m:02}-{d:02}"),
        "de": (f"{d}. {month} {y}", f"{d:02}.{m:02}.{y}", f"{d}.{m}.{y}"),
        "es": (f"{d} de {month} de {y}", f"{d:02}/{m:02}/{y}"),
    }.get(language, (f"{d} {month} {y}", f"{d:02}/{m:02}/{y}"))

    def other() -> Value:
        changed = rng.choice(
            [
                (d % 28 + rng.choice((1, 1, 2)), m, y),
                (d, (m + rng.randint(0, 10)) % 12 + 1, y),
                (d, m, y + rng.choice((-2, -1, 1, 2))),
            ]
        )
        return (
            _date(language, rng, (min(changed[0], 28), *changed[1:]))
            if changed != (d, m, y)
            else other()
        )

    return Value(ways, other)


def _small(language: str, rng: random.Random, number: int = 0) -> Value:
    number = number or rng.choice((*range(2, 13), *range(2, 13), 14, 15, 18, 20, 21, 30, 45, 60))
    ways = [str(number)]
    if 2 <= number <= 12:
        ways.append(WORDS[language][number - 2])
    steps = [n for n in (number - 2, number - 1, number + 1, number + 2, number * 2) if n > 1]
    return Value(tuple(ways), lambda: _small(language, rng, rng.choice(steps)))


def _large(language: str, rng: random.Random, number: int = 0) -> Value:
    number = number or rng.randint(1_000, 990_000)
    comma = f"{number:,}"
    ways = (comma if language == "en" else comma.replace(",", "."), str(number))
    if language == "fr":
        ways = (comma.replace(",", " "), str(number))

    def other() -> Value:
        digits = list(str(number))
        i = rng.randrange(len(digits))
        digits[i] = rng.choice([c for c in "123456789" if c != digits[i]])
        return _large(language, rng, int("".join(digits)))

    return Value(ways, other)


def _decimal(language: str, number: float) -> str:
    text = f"{number:g}"
    return text if language == "en" else text.replace(".", ",")


def _rate(language: str, rng: random.Random, number: float = 0) -> Value:
    number = number or rng.choice((rng.randint(1, 60), round(rng.uniform(0.5, 30), 1)))
    steps = (number + 1, number * 2, round(number / 2 + 0.3, 1), number + 10)
    return Value((_decimal(language, number),), lambda: _rate(language, rng, rng.choice(steps)))


def _money(language: str, rng: random.Random, number: float = 0) -> Value:
    number = number or round(rng.uniform(1, 900), rng.choice((0, 1)))
    n, million = _decimal(language, number), _MILLION[language]
    ways = {
        "en": (f"${n} million", f"{n} million dollars", f"US$ {n} million"),
        "de": (f"{n} {million} Euro", f"{n} Mio. €", f"{n} {million} €"),
        "fr": (f"{n} {million}euros", f"{n} M€"),
        "es": (f"{n} {million}euros", f"{n} {million}€"),
        "it": (f"{n} {million}euro", f"{n} mln di euro"),
    }[language]
    steps = (number + 1, number * 10, round(number * 1.1 + 0.1, 1), number + 20)
    return Value(ways, lambda: _money(language, rng, rng.choice(steps)))


_MAKERS: Final[Mapping[str, Callable[[str, random.Random], Value]]] = {
    "A": _organisation, "B": _organisation, "P": _person, "Q": _person, "L": _place, "M": _place,
    "Y": _year, "D": _date, "N": _small, "K": _large, "R": _rate, "U": _money,
}  # fmt: skip
