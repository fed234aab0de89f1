"""Words of numbers, months, scales and units in English, German, French, Spanish and Italian."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

MONTHS: Final[Mapping[str, int]] = {
    name: month
    for month, names in enumerate(
        (
            "january jan januar janvier enero gennaio",
            "february feb februar février febrero febbraio",
            "march mar märz mars marzo",
            "april apr avril abril aprile",
            "may mai mayo maggio",
            "june jun juni juin junio giugno",
            "july jul juli juillet julio luglio",
            "august aug août agosto",
            "september sept sep septembre septiembre settembre",
            "october oct oktober okt octobre octubre ottobre",
            "november nov novembre noviembre",
            "december dec dezember dez décembre diciembre dicembre",
        ),
        1,
    )
    for name in names.split()
}

# Powers of ten.
SCALES: Final[Mapping[str, int]] = {
    word: power
    for power, words in {
        2: "hundred hundert",
        3: "thousand thousands tausend tsd k mille mil mila",
        6: "million millions millionen mio mn mm m millón millones milione milioni",
        9: "billion billions milliarde milliarden mrd bn b milliard milliards miliardo miliardi",
        12: "trillion trillions billionen tn",
    }.items()
    for word in words.split()
}
SHORT_SCALES: Final = frozenset({"k", "m", "b", "mm"})  # only where they touch the number
PERCENT: Final = frozenset((("pour", "cent"), ("por", "ciento"), ("per", "cento"), ("per", "cent")))

CURRENCIES: Final = frozenset("$ € £ ¥ chf crown florin rupee yuan rouble peso zloty real".split())

UNITS: Final[Mapping[str, str]] = {
    alias: unit
    for unit, aliases in {
        "%": "% percent prozent pct",
        "$": "$ us$ usd dollar dollars dólar dólares dollaro dollari",
        "€": "€ eur euro euros",
        "£": "£ gbp pounds",
        "¥": "¥ jpy yen",
        "chf": "chf francs franken franchi francos",
        "crown": "crowns kronen kronor kroner couronnes coronas corone sek nok dkk czk",
        "florin": "florins gulden florines fiorini huf forint forints",
        "rupee": "rupees rupien roupies rupias rupie inr",
        "yuan": "yuan renminbi rmb cny",
        "rouble": "rubles roubles rubel rublos rubli rub",
        "peso": "pesos mxn",
        "zloty": "zloty złoty pln",
        "real": "reais brl",
        "km": "km kilometre kilometres kilometer kilometers kilometern kilomètre kilomètres"
        " kilómetro kilómetros chilometro chilometri",
        "mi": "mi mile miles meilen millas miglia",
        "m": "m metre metres meter meters metern mètre mètres metro metros metri",
        "cm": "cm",
        "mm": "mm",
        "ft": "ft foot feet",
        "in": "inch inches zoll",
        "kg": "kg kilogram kilograms kilogramm kilogramme kilogrammes kilo kilos",
        "g": "g gram grams gramm",
        "t": "tonnes tonne tonnen toneladas tonnellate",
        "lb": "lb lbs",
        "l": "litre litres liter liters litern litro litros litri",
        "°c": "°c celsius",
        "°f": "°f fahrenheit",
        "h": "h hour hours stunde stunden heure heures hora horas ora ore",
        "min": "min minute minutes minuten minuto minutos minuti",
        "s": "s sec second seconds sekunden secondes segundos secondi",
        "ms": "ms milliseconds",
        "d": "day days tag tage tagen jour jours día días giorno giorni",
        "w": "week weeks woche wochen semaine semaines semana semanas settimana settimane",
        "mo": "month months monat monate monaten mois meses mese mesi",
        "y": "year years jahr jahre jahren ans années año años anno anni",
        "gb": "gb",
        "mb": "mb",
        "kb": "kb",
        "mw": "mw",
        "kw": "kw",
        "kwh": "kwh",
    }.items()
    for alias in aliases.split()
}

_UNDER_20: Final = (
    "two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
    " seventeen eighteen nineteen",
    "zwei drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn fünfzehn sechzehn"
    " siebzehn achtzehn neunzehn",
    "deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze seize dix-sept"
    " dix-huit dix-neuf",
    "dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince dieciséis"
    " diecisiete dieciocho diecinueve",
    "due tre quattro cinque sei sette otto nove dieci undici dodici tredici quattordici quindici"
    " sedici diciassette diciotto diciannove",
)
_TENS: Final = (
    "twenty thirty forty fifty sixty seventy eighty ninety",
    "zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig",
    "vingt trente quarante cinquante soixante",
    "veinte treinta cuarenta cincuenta sesenta setenta ochenta noventa",
    "venti trenta quaranta cinquanta sessanta settanta ottanta novanta",
)
_ONES: Final = (
    "one two three four five six seven eight nine",
    "ein zwei drei vier fünf sechs sieben acht neun",
    "et-un deux trois quatre cinq six sept huit neuf",
    "uno dos tres cuatro cinco seis siete ocho nueve",
    "uno due tre quattro cinque sei sette otto nove",
)
_LANGUAGES: Final = ("en", "de", "fr", "es", "it")


def _joined(language: str, ten: str, one: str) -> str:
    """Of a ten and a one: twenty-five, fünfundzwanzig, vingt-cinq, treinta y cinco, venticinque."""
    if language == "de":
        return f"{one}und{ten}"
    if language == "es":
        return f"veinti{one}" if ten == "veinte" else f"{ten} y {one}"
    if language == "it":
        return (ten[:-1] if one[0] in "uo" else ten) + one
    return f"{ten}-{one}"


def _words(language: str, under: str, tens: str, ones: str) -> dict[str, int]:
    found = {word: value for value, word in enumerate(under.split(), 2)}
    for ten, word in enumerate(tens.split(), 2):
        found[word] = 10 * ten
        for one, small in enumerate(ones.split(), 1):
            found[_joined(language, word, small)] = 10 * ten + one
    return found


_BY_LANGUAGE: Final = {
    language: _words(language, *lists)
    for language, *lists in zip(_LANGUAGES, _UNDER_20, _TENS, _ONES, strict=True)
}
# Of equal words of two languages ("six") the value is the same.
NUMBER_WORDS: Final[Mapping[str, int]] = {
    word: value for words in _BY_LANGUAGE.values() for word, value in words.items()
}
# Words that are numbers in these languages alone: "due", "once".
FOREIGN: Final[Mapping[str, frozenset[str]]] = {
    word: frozenset(code for code, words in _BY_LANGUAGE.items() if word in words)
    for word in NUMBER_WORDS
    if word not in _BY_LANGUAGE["en"] and word not in _BY_LANGUAGE["de"]
}
