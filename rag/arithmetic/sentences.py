"""The numbers of sentences, each with the period it is told of."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from rag.arithmetic.figures import Figure
from rag.arithmetic.periods import Period, periods
from rag.arithmetic.terms import DATE_TERMS, named_terms
from rag.verification.number_words import SCALES
from rag.verification.numbers import Number, month_of, numbers
from rag.verification.segmentation import statements

_MOST: Final = 400  # characters of a sentence that names its numbers clearly
_BEHIND: Final = re.compile(
    r"\s?%|\s?[€$£¥]|(?:\s|-)?(?P<word>[^\W\d_]+)(?:\s?(?:€|euros?\b|dollars?\b))?"
)
_MONEY: Final = re.compile(r"(?:US)?[$€£¥]\s?$")


def sentence_figures(text: str, language: str, source: int = 0) -> Iterator[Figure]:
    """Of sentences with one number a period ("$3 million in 2019 and $2 million in 2018", "2019 and
    2018 were $3 and $2, respectively"), and with one number alone."""
    for span in statements(text):
        own = text[span.start : span.end]
        if span.kind == "row" or len(own) > _MOST or not any(map(str.isdigit, own)):
            continue
        named = periods(own)
        told = [one for one in numbers(own) if _counts(own, one, named)]
        distinct = len({period.name for period in named}) == len(named)
        if not told or not distinct or len(told) != max(1, len(named)):
            continue
        words = named_terms(own, language) - DATE_TERMS
        words = frozenset(word for word in words if not any(map(str.isdigit, word)))
        if not words:
            continue
        about = _Sentence(words, source, language != "en")
        for index, number in enumerate(told):
            period = frozenset({named[index].name} if named else ())
            yield _figure(text, (span.start, span.end), number, period, about)


@dataclass(frozen=True, slots=True)
class _Sentence:
    words: frozenset[str]
    source: int
    comma: bool


def _counts(text: str, number: Number, named: Sequence[Period]) -> bool:
    """Whether a number is an amount: no year, no day of a month, no number word."""
    if not text[number.start].isdigit() or number.unit == "decade":
        return False
    if any(p.start <= number.start < p.end for p in named):
        return False
    near = re.findall(r"[^\W\d_]+", text[max(0, number.start - 12) : number.start])[-1:]
    near += re.findall(r"^[.\s]*([^\W\d_]+)", text[number.end : number.end + 12])
    return not any(map(month_of, near))


def _figure(
    text: str, sentence: tuple[int, int], number: Number, period: frozenset[str], about: _Sentence
) -> Figure:
    start, end = sentence
    first, last, scale = _written(text, start + number.start, start + number.end, end)
    value = (max if about.comma else min)(number.values)
    if number.scaled:
        value = value.scaleb(-scale)
    return Figure(
        value=-value if number.negative else value,
        written=text[first:last],
        unit=number.unit if number.unit in ("%", "$", "€", "£", "¥") else "",
        scale=scale,
        start=first,
        end=last,
        row_start=start,
        row_end=end,
        name=" ".join(text[start:end].split()),
        label=about.words,
        section=frozenset(),
        head=frozenset(),
        caption=frozenset(),
        periods=period,
        line=(about.source, "sentence", start),
        source=about.source,
        comma=about.comma,
        sentence=True,
    )


def _written(text: str, first: int, last: int, end: int) -> tuple[int, int, int]:
    """Where a number begins and ends with its currency, percent sign and word of scale; and the
    power of ten of that."""
    if money := _MONEY.search(text, max(0, first - 5), first):
        first = money.start()
    behind = _BEHIND.match(text, last, min(end, last + 24))
    power = SCALES.get((behind["word"] or "").casefold(), 0) if behind else 0
    if behind and (power or not behind["word"]):
        last = behind.end()
    return first, last, power
