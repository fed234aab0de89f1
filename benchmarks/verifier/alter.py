"""A sentence of a text turned false in one point, or said otherwise and still true, by rule."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from benchmarks.verifier.values import MONTHS, WORDS

_FILE = Path(__file__).with_name("rules.txt")
_NUMBER = re.compile(r"(?<![\w.,])\d{1,3}(?:[.,]\d{3})*(?:[.,]\d+)?(?![\w]|[.,]\d)")
_YEAR = re.compile(r"\b(?:1[5-9]|20)\d\d\b")
_CAPITAL = r"[A-ZÄÖÜÉ][\w’'-]+"
_NAME = re.compile(rf"{_CAPITAL}(?: (?:of |de |van |von )?{_CAPITAL})*")
_NO_NAME = re.compile(
    r"(?:The|In|On|At|A|An|This|That|These|It|He|She|They|We|I|For|By|As|When|While|If|After|Before"
    r"|During|Its|His|Her|Their|Le|La|Les|L|Un|Une|En|El|Los|Las|Il|Lo|I|Gli|Nel|Der|Die|Das|Ein"
    r"|Im|Am|However|And|But|Although|According|Since|From|There|Some|All|Many|Most|What|How)\b ?"
)
_DATE = re.compile(
    r"\b(?:(?P<m1>[A-Z][a-z]+) (?P<d1>\d{1,2}), (?P<y1>\d{4})|(?P<d2>\d{1,2}) (?P<m2>[A-Z][a-z]+)"
    r" (?P<y2>\d{4}))\b"
)
_FRONT = re.compile(
    r"^(?P<front>(?:In|On|During|After|Since|At|By) [^,]{3,45}), (?P<rest>[^,]+)\.$"
)
_ASIDE = re.compile(r" \([^()]*\)|, (?:which|who|where)[^,.]*,")
_TAIL = re.compile(r"(?:, (?:which|who|where|while|although|but)|;) [^.]*\.$")
_LIST = re.compile(r"(?<=, )(?:[\w’'-]+ ?){1,4}, (?=[^,]{2,40},? (?:and|or|und|et|y|e) )")
_LEADS: Final[Mapping[str, Sequence[str]]] = {
    "en": ("According to the text, ", "The passage says that ", "It is stated that ", "Yes, "),
    "de": ("Laut dem Text gilt: ", "Ja, ", "Im Dokument steht: "),
    "fr": ("Selon le texte, ", "Oui, ", "Le document dit que "),
    "es": ("Según el texto, ", "Sí, ", "El documento dice que "),
    "it": ("Secondo il testo, ", "Sì, ", "Il documento dice che "),
}


@dataclass(frozen=True, slots=True)
class Rule:
    pattern: re.Pattern[str]
    into: str

    def apply(self, text: str, rng: random.Random) -> str | None:
        """The text with one place that the pattern finds changed."""
        found = list(self.pattern.finditer(text))
        if not found:
            return None
        place = rng.choice(found)
        into = self.into
        if place.group()[:1].isupper() and into:
            into = into[0].upper() + into[1:]
        changed = f"{text[: place.start()]}{into}{text[place.end() :]}"
        return re.sub(r" {2,}", " ", changed)


@cache
def rules(language: str) -> Mapping[str, Sequence[Rule]]:
    """The rules of a language by kind."""
    found: dict[str, list[Rule]] = {}
    reading = ""
    for line in _FILE.read_text(encoding="utf-8").splitlines():
        if line.startswith("# "):
            reading = line[2:].strip()
        elif ": " in line and reading == language:
            kind, _, pairs = line.partition(": ")
            for pair in pairs.split(" | "):
                a, sign, b = pair.partition(" <> ")
                if not sign:
                    a, _, b = f"{pair} ".partition(" > ")
                found.setdefault(kind, []).append(_rule(a, b.strip()))
                if sign:
                    found[kind].append(_rule(b, a.strip()))
    return found


def _rule(a: str, b: str) -> Rule:
    edge = r"(?<!\w)", r"(?!\w)"
    return Rule(re.compile(f"{edge[0]}{re.escape(a.strip())}{edge[1]}", re.IGNORECASE), b)


def falsehoods(
    text: str, language: str, names: Sequence[str], rng: random.Random
) -> Iterator[tuple[str, str]]:
    """(kind, sentence) for each kind that can be made of this sentence. `names`: of the text
    around it, to be put in place of its own."""
    for kind, some in rules(language).items():
        if kind != "same" and (changed := _one_of(some, text, rng)):
            yield kind, changed
    makers: Sequence[tuple[str, Callable[[], str | None]]] = (
        ("number", lambda: _other_number(text, rng)),
        ("date", lambda: _other_date(text, language, rng)),
        ("name", lambda: _other_name(text, language, names, rng)),
        ("roles", lambda: _exchanged(text, language, rng)),
    )
    for kind, make in makers:
        if (changed := make()) and changed != text:
            yield kind, changed


def paraphrase(text: str, language: str, rng: random.Random) -> str:
    """The sentence otherwise said: one to four changes that leave it true."""
    for _ in range(rng.randint(1, 4)):
        step = rng.choice((_synonym, _synonym, _synonym, _figures, _moved, _shorter, _dated))
        text = step(text, language, rng) or text
    if rng.random() < 0.12:
        lead = rng.choice(_LEADS[language])
        keep = language == "de" or text[:2].isupper() or not text.split(" ", 1)[0].islower()
        text = lead + (text if keep and rng.random() < 0.7 else text[0].lower() + text[1:])
    return text


def _one_of(some: Sequence[Rule], text: str, rng: random.Random) -> str | None:
    fitting = [rule for rule in some if rule.pattern.search(text)]
    return rng.choice(fitting).apply(text, rng) if fitting else None


def _synonym(text: str, language: str, rng: random.Random) -> str | None:
    return _one_of(rules(language).get("same", ()), text, rng)


def _figures(text: str, language: str, rng: random.Random) -> str | None:
    """Number words as figures, or figures as words."""
    words = WORDS[language]
    for i in rng.sample(range(len(words)), len(words)):
        number = str(i + 2)
        for a, b in ((words[i], number), (number, words[i])):
            pattern = rf"(?<![\w.,$€£]){a}(?![\w%]|[.,]\d|-)"
            if re.search(pattern, text) and not re.search(rf"\b[A-Z]\w+ {a}\b", text):
                return re.sub(pattern, b, text, count=1)
    return None


def _moved(text: str, language: str, _: random.Random) -> str | None:
    """ "In 1990, X did Y." → "X did Y in 1990." """
    if language != "en" or not (match := _FRONT.match(text)):
        return None
    front, rest = match["front"], match["rest"]
    return f"{rest[0].upper()}{rest[1:]} {front[0].lower()}{front[1:]}."


def _shorter(text: str, _: str, __: random.Random) -> str | None:
    """Without an aside or the clause at its end."""
    changed = _ASIDE.sub("", text, count=1)
    if changed == text:
        changed = _TAIL.sub(".", text)
    return changed if len(changed) > 30 else None


def _dated(text: str, language: str, rng: random.Random) -> str | None:
    match = _DATE.search(text)
    month = (match["m1"] or match["m2"]) if match else ""
    if not match or language != "en" or month not in MONTHS["en"]:
        return None
    day, year = int(match["d1"] or match["d2"]), match["y1"] or match["y2"]
    number = MONTHS["en"].index(month) + 1
    ways = (f"{day} {month} {year}", f"{month} {day}, {year}", f"{year}-{number:02}-{day:02}")
    return text[: match.start()] + rng.choice(ways) + text[match.end() :]


def _other_number(text: str, rng: random.Random) -> str | None:
    found = list(_NUMBER.finditer(text))
    if not found:
        return None
    match = rng.choice(found)
    digits = list(match.group())
    places = [i for i, c in enumerate(digits) if c.isdigit()]
    if _YEAR.fullmatch(match.group()):
        places = places[-2:]
    i = rng.choice(places)
    digits[i] = rng.choice([c for c in "123456789" if c != digits[i]])
    return text[: match.start()] + "".join(digits) + text[match.end() :]


def _other_date(text: str, language: str, rng: random.Random) -> str | None:
    months = MONTHS[language]
    found = [(m, i) for i, month in enumerate(months) for m in re.finditer(rf"\b{month}\b", text)]
    found = [
        (m, i) for m, i in found if m.group() not in ("May", "March") or re.search(r"\d", text)
    ]
    if found:
        match, i = rng.choice(found)
        other = months[(i + rng.randint(1, 11)) % 12]
        return text[: match.start()] + other + text[match.end() :]
    years = list(_YEAR.finditer(text))
    if not years:
        return None
    match = rng.choice(years)
    year = int(match.group()) + rng.choice((-10, -2, -1, 1, 2, 10))
    return f"{text[: match.start()]}{year}{text[match.end() :]}"


def _other_name(text: str, language: str, names: Sequence[str], rng: random.Random) -> str | None:
    own, others = _names(text, language), [name for name in names if name not in text]
    if not own or not others:
        return None
    start, end = rng.choice(own)
    return text[:start] + rng.choice(others) + text[end:]


def _exchanged(text: str, language: str, rng: random.Random) -> str | None:
    """Two names that a verb stands between, exchanged; lists ("A and B") stay."""
    spans = _names(text, language)
    pairs = [
        (a, b)
        for i, a in enumerate(spans)
        for b in spans[i + 1 :]
        if len(text[a[1] : b[0]].split()) >= 2
        and not re.fullmatch(r"[\s,]*(?:and|or|und|et|y|e)?[\s,]*", text[a[1] : b[0]])
        and text[slice(*a)] != text[slice(*b)]
    ]
    if not pairs:
        return None
    a, b = rng.choice(pairs)
    return text[: a[0]] + text[slice(*b)] + text[a[1] : b[0]] + text[slice(*a)] + text[b[1] :]


def shortened(text: str) -> str | None:
    """Without one item of a list of four or more: still true."""
    changed = _LIST.sub("", text, count=1)
    return changed if changed != text else None


def names_of(text: str, language: str) -> list[str]:
    """Names in the sentences of a text."""
    return sorted({text[a:b] for a, b in _names(text, language)})


def _names(text: str, language: str) -> list[tuple[int, int]]:
    """Runs of capitalised words. In German, where nouns have capitals, only runs of two."""
    found = []
    for match in _NAME.finditer(text):
        start, end = match.span()
        begins = start == 0 or text[start - 2 : start] in (". ", ": ", "! ", "? ")
        small = _NO_NAME.match(text, start, end)
        if begins and small:
            start = small.end()
        alone = " " not in text[start:end]
        month = text[start:end] in MONTHS[language]
        if start < end and not month and not (alone and (begins or language == "de")):
            found.append((start, end))
    return found
