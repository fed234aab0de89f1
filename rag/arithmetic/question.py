"""What a question wants computed: the operation, and in words what its operands are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from rag.arithmetic.number_format import written
from rag.arithmetic.operations import Operation, OperationWords, operation_words
from rag.arithmetic.periods import Period, periods
from rag.arithmetic.scale import scale_of
from rag.arithmetic.terms import DATE_TERMS, named_terms
from rag.verification.closed_classes import language_of
from rag.verification.number_words import MONTHS

_MARK: Final = re.compile(r"⟦(\d+)⟧")
_BOUND: Final = re.compile(
    r"[$€£¥]?\s?\d[\d.,]*\s?%?(?:\s?(?:thousand|million|billion|mio|mrd)\w*)?"
)
_MOST_ITEMS: Final = 8
_MOST_CHARS: Final = 400  # longer ones are read at length and want more than one number
_DAY: Final = re.compile(
    rf"(?:\b\d{{1,2}}\.?\s+)?\b(?:{'|'.join(MONTHS)})\b\.?\s*(?:\d{{1,2}}\b)?,?\s*⟦", re.IGNORECASE
)
_BETWEEN: Final = re.compile(r"\b(?:between|zwischen|entre|tra|fra)\b", re.IGNORECASE)
_AND: Final = re.compile(r"\b(?:and|und|et|y|e)\b", re.IGNORECASE)
_LISTED: Final = re.compile(
    r"\s*,\s*(?:(?:and|und|et|y|e)\b)?|\b(?:and|und|et|y|e)\b", re.IGNORECASE
)
_PERCENT: Final = re.compile(
    r"percent|per cent|%|prozent|pour ?cent|por ?cent|percentual|anteil|quota|\b(?:parts?|share)\b",
    re.IGNORECASE,
)
_RANGE: Final = re.compile(
    r"(?<!\w)(?:from|between|von|zwischen|de|entre|del|desde|da|dal|tra|fra)\W[^⟦]*⟦\d+⟧"
    r"\s*(?:to|and|through|until|bis|und|à|et|a|al|y|hasta|e|[-–])\W[^⟦]{0,20}⟦\d+⟧",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Item:
    """An operand in the question's words: the terms that name it and the periods it is of."""

    text: str
    terms: frozenset[str]
    periods: tuple[str, ...]
    alone: bool = False  # the only operand: all words of the question are about it
    context: frozenset[str] = frozenset()  # terms that stand before all operands


@dataclass(frozen=True, slots=True)
class Wanted:
    """`readings` are the ways to take the question apart, each as its operands; an operand of
    several periods stands for one in each."""

    operation: Operation
    language: str
    readings: tuple[tuple[Item, ...], ...]
    terms: frozenset[str]  # all of the question
    periods: tuple[str, ...]
    every: bool = False  # of all periods there are
    percent: bool = False  # a ratio to be told in percent
    bound: Decimal | None = None  # of a count
    bound_scale: int = 0  # power of ten of the bound's word
    above: bool = True
    cue: frozenset[str] = frozenset()  # terms of the words that ask for the operation


def wanted(question: str) -> Wanted | None:
    """None where the question wants no arithmetic."""
    text = " ".join(question.split()).rstrip(" ?.!").replace("¿", "")
    if len(text) > _MOST_CHARS:
        return None
    language = language_of(text, "en")
    words = operation_words(language)
    if words.none.search(text):
        return None
    return _Question(text, language, words).wanted()


class _Question:
    """`marked` is the text with ⟦n⟧ for its periods, which are no words of an operand."""

    def __init__(self, text: str, language: str, words: OperationWords) -> None:
        self.text, self.language, self.words = text, language, words
        self.periods: list[Period] = periods(text)
        parts, done = [], 0
        for number, period in enumerate(self.periods):
            parts += [text[done : period.start], f"⟦{number}⟧"]
            done = period.end
        self.marked = _DAY.sub("⟦", "".join([*parts, text[done:]]))
        self.terms = named_terms(text, language)

    def wanted(self) -> Wanted | None:
        words = self.words
        if words.count.search(self.marked):
            return self._count()
        moves = words.change.search(self.marked) or words.growth.search(self.marked)
        found = self._parts(words.shares)
        if moves and len(self.periods) > 1 and moves.start() < self._percent_at():
            found = []  # "change in the percentage of …"
        if found:
            return self._made(
                "share" if self._percent() else "ratio", found, percent=self._percent()
            )
        if found := self._parts(words.ratios):
            return self._made("ratio", found, percent=self._percent())
        for operation, pattern in (
            ("growth", words.growth),
            ("average", words.average),
            ("change", words.change),
            ("sum", words.sum),
        ):
            if match := pattern.search(self.marked):
                rest = f"{self.marked[: match.start()]} {self.marked[match.end() :]}"
                return self._over(operation, match.group(), rest)  # type: ignore[arg-type]
        return None

    def _percent(self) -> bool:
        return _PERCENT.search(self.text) is not None

    def _percent_at(self) -> int:
        match = _PERCENT.search(self.marked)
        return match.start() if match else -1

    def _parts(self, patterns: tuple[re.Pattern[str], ...]) -> list[tuple[Item, ...]]:
        """The two operands of a share or ratio, as the shortest and as the longest first one."""
        for pattern in patterns:
            greedy = re.compile(pattern.pattern.replace("(?P<x>.+?)", "(?P<x>.+)"), pattern.flags)
            found = [
                items
                for each in dict.fromkeys((pattern, greedy))
                if (match := each.search(self.marked)) and (items := self._pair(match))
            ]
            if found:
                return found
        return []

    def _pair(self, match: re.Match[str]) -> tuple[Item, ...] | None:
        rest = f"{self.marked[: match.start()]} {match.groupdict().get('rest') or ''}"
        x, y = (self._item(match[name]) for name in ("x", "y"))
        if not x.terms or not y.terms:
            return None
        own = x.periods or y.periods or self._named(rest)
        return (
            Item(x.text, x.terms, own[:1]),
            Item(y.text, y.terms, (y.periods or own)[:1]),
        )

    def _over(self, operation: Operation, cue: str, rest: str) -> Wanted | None:
        named = self._named(rest)
        if operation in ("average", "sum"):
            named = self._all_years(rest, named)
        every = self.words.every.search(rest) is not None
        whole = self._item(rest)
        if not whole.terms:
            return None
        plain = operation == "sum" and cue.casefold().startswith("total")
        readings: list[tuple[Item, ...]] = []
        if len(named) < 2:
            readings = [
                tuple(replace(item, periods=item.periods or named[:1]) for item in items)
                for items in self._split(rest, commas=not plain)
            ]
        if operation != "sum" or len(named) > 1 or every:
            readings.append((Item(whole.text, whole.terms, named, True),))
        if not readings:
            return None
        return self._made(operation, readings, every=every, cue=cue)

    def _all_years(self, rest: str, named: tuple[str, ...]) -> tuple[str, ...]:
        """Of "from 2015 to 2019" all five."""
        years = [y for one in named for y in _years(one, self.periods)]
        if len(named) == 2 and all(name.isdigit() for name in named) and _RANGE.search(rest):
            first, last = sorted(map(int, named))
            years = [str(year) for year in range(first, min(last, first + 20) + 1)]
        return tuple(dict.fromkeys(years))

    def _split(self, rest: str, *, commas: bool = True) -> Iterator[tuple[Item, ...]]:
        """At each word that may stand between two operands; at all "and" and commas at once."""
        context = frozenset[str]()
        if match := _BETWEEN.search(rest):
            context, rest = self._item(rest[: match.start()]).terms, rest[match.end() :]
        joins = [*self.words.joins.finditer(rest)]
        if commas:
            joins += re.finditer(r"\s*,\s*", rest)
        pieces = [[rest[: m.start()], rest[m.end() :]] for m in sorted(joins, key=_start)]
        pieces.append((_LISTED if commas else _AND).split(rest))
        for texts in pieces:
            items = [item for item in map(self._item, texts) if item.terms]
            if len(items) == len(texts) and 2 <= len(items) <= _MOST_ITEMS:
                yield tuple(replace(item, context=context) for item in items)

    def _item(self, text: str) -> Item:
        bare = _MARK.sub(" ", self.words.lead.sub(" ", text.strip()))
        terms = named_terms(bare, self.language) - DATE_TERMS
        return Item(" ".join(bare.split()), terms, self._named(text))

    def _named(self, text: str) -> tuple[str, ...]:
        found = [self.periods[int(number)].name for number in _MARK.findall(text)]
        return tuple(dict.fromkeys(found))

    def _count(self) -> Wanted | None:
        match = self.words.count.search(self.marked)
        more = self.words.more.search(self.marked)
        figures = list(_BOUND.finditer(_MARK.sub(" ", self.marked)))
        if match is None or not figures:
            return None
        said = figures[-1].group()
        found = written(
            re.sub(r"\s?[a-z]+$", "", said, flags=re.IGNORECASE), comma=self.language != "en"
        )
        if found is None:
            return None
        rest = f"{self.marked[: match.start()]} {self.marked[match.end() :]}".replace(said, " ")
        item = self._item(self.words.more.sub(" ", rest))
        if not item.terms:
            return None
        made = self._made("count", [(Item(item.text, item.terms, (), True),)], every=True)
        scale = scale_of(f"in {said.split()[-1]}")
        return replace(made, bound=found.value, bound_scale=scale, above=more is not None)

    def _made(
        self,
        operation: Operation,
        readings: list[tuple[Item, ...]],
        *,
        every: bool = False,
        percent: bool = False,
        cue: str = "",
    ) -> Wanted:
        named = tuple(dict.fromkeys(period.name for period in self.periods))
        return Wanted(
            operation,
            self.language,
            tuple(readings),
            self.terms,
            named,
            every,
            percent,
            cue=named_terms(cue, self.language),
        )


def _years(name: str, found: list[Period]) -> tuple[str, ...]:
    return next(period.years for period in found if period.name == name)


def _start(match: re.Match[str]) -> int:
    return match.start()
