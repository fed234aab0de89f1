"""The passages of a prompt as units that can be quoted: sentences, list items and table rows."""

from __future__ import annotations

import math
import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from rag.types import PAGE_BREAK, Hit, Page
from rag.verification.closed_classes import LANGUAGES, language_of
from rag.verification.numbers import Number, currencies, months, numbers, scales
from rag.verification.segmentation import statements
from rag.verification.words import content_terms, plain_words, term

PageKey = tuple[str, int]

_SMALL = re.compile(r"[^\W\d_]+")
# How many statements before one its pronouns may point to.
_LOOK_BACK: Final = 2


@dataclass(frozen=True, slots=True)
class PageSpan:
    """`page.text[start:end]`, a part of passage number `passage` (index into the hits)."""

    passage: int
    page: PageKey
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Unit:
    """A statement of a passage and what surrounds it: title, headings, the sentences before, and
    for a row the head of its table. What surrounds may name the subject; it cannot be quoted."""

    span: PageSpan
    text: str
    language: str  # one of closed_classes.LANGUAGES
    terms: frozenset[str]
    numbers: tuple[Number, ...]
    months: frozenset[int]
    context: frozenset[str]
    context_numbers: tuple[Number, ...]
    context_months: frozenset[int]
    scales: frozenset[int]
    currencies: frozenset[str]  # that its page names
    head: str  # of the table, "" outside one


@dataclass(frozen=True, slots=True)
class Evidence:
    """All units of the passages shown, the rarity of their terms, and their words for quotes."""

    units: tuple[Unit, ...]
    idf: Mapping[str, float]
    unseen: float  # the idf of a term that no unit has
    common: frozenset[str]  # terms that stand somewhere in small letters: no names
    texts: tuple[Wording, ...]


@dataclass(frozen=True, slots=True)
class Wording:
    """The folded words of one part of a passage, joined by blanks, and where each one stands."""

    span: PageSpan
    joined: str
    starts: tuple[int, ...]  # of each word in `joined`
    spans: tuple[tuple[int, int], ...]  # of each word in the page's text

    def find(self, words: Sequence[str]) -> Iterator[tuple[int, int]]:
        """Spans in the page's text where these words follow each other."""
        wanted = f" {' '.join(words)} "
        at = self.joined.find(wanted)
        while at >= 0:
            first = bisect_left(self.starts, at)
            last = first + len(words) - 1
            yield self.spans[first][0], self.spans[last][1]
            at = self.joined.find(wanted, at + 1)


def joined(a: Unit, b: Unit) -> Unit:
    """Two sentences as one; their surroundings are those of both."""
    return Unit(
        span=a.span,
        text=f"{a.text}; {b.text}",
        language=a.language,
        terms=a.terms | b.terms,
        numbers=a.numbers + b.numbers,
        months=a.months | b.months,
        context=a.context | b.context,
        context_numbers=a.context_numbers + b.context_numbers,
        context_months=a.context_months | b.context_months,
        scales=a.scales | b.scales,
        currencies=a.currencies | b.currencies,
        head="",
    )


def gather(hits: Sequence[Hit], pages: Mapping[PageKey, Page]) -> Evidence:
    """What the passages hold. A passage that is not found on its pages gives nothing."""
    units: list[Unit] = []
    texts: list[Wording] = []
    seen: set[PageSpan] = set()
    named = {key: (scales(page.text), currencies(page.text)) for key, page in pages.items()}
    for index, hit in enumerate(hits):
        for part in page_spans(index, hit, pages):
            page = pages[part.page]
            units += _units(part, hit, page, *named[part.page], seen)
            texts.append(_wording(part, page.text[part.start : part.end]))
    frequency = Counter(term for unit in units for term in unit.terms)
    size = len(units)
    idf = {term: math.log(1 + size / count) for term, count in frequency.items()}
    small = {word for hit in hits for word in _SMALL.findall(hit.chunk.text) if word[0].islower()}
    common = frozenset(term(word) for word in small)
    return Evidence(tuple(units), idf, math.log(1 + size), common, tuple(texts))


def page_spans(index: int, hit: Hit, pages: Mapping[PageKey, Page]) -> list[PageSpan]:
    """Where a passage stands: its part of each of its pages."""
    chunk = hit.chunk
    keys = [(hit.document.id, n) for n in range(chunk.first_page, chunk.last_page + 1)]
    if not keys or not chunk.text.strip() or any(key not in pages for key in keys):
        return []
    at = PAGE_BREAK.join(pages[key].text for key in keys).find(chunk.text)
    if at < 0:
        return []
    found, offset = [], 0
    for key in keys:
        length = len(pages[key].text)
        start = max(0, at - offset)
        end = min(length, at + len(chunk.text) - offset)
        if start < end:
            found.append(PageSpan(index, key, start, end))
        offset += length + len(PAGE_BREAK)
    return found


def _units(
    part: PageSpan,
    hit: Hit,
    page: Page,
    page_scales: frozenset[int],
    page_currencies: frozenset[str],
    seen: set[PageSpan],
) -> Iterator[Unit]:
    text = page.text[part.start : part.end]
    known = hit.document.language in LANGUAGES
    language = language_of(text, hit.document.language if known else "en")
    around = f"{hit.document.title}\n{hit.chunk.header}"
    around_terms = content_terms(around, language)
    around_numbers, around_months = numbers(around), months(around)
    before: list[frozenset[str]] = []
    for found in statements(text):
        start, end = part.start + found.start, part.start + found.end
        on_page = PageSpan(-1, part.page, start, end)
        own = page.text[start:end]
        terms = content_terms(own, language)
        if on_page not in seen:
            seen.add(on_page)
            head = table_head(page.text, start) if found.kind == "row" else ""
            yield Unit(
                span=PageSpan(part.passage, part.page, start, end),
                text=own,
                language=language,
                terms=terms,
                numbers=numbers(own),
                months=months(own),
                context=around_terms.union(content_terms(head, language), *before[-_LOOK_BACK:]),
                context_numbers=(*around_numbers, *numbers(head)),
                context_months=around_months | months(head),
                scales=page_scales,
                currencies=page_currencies,
                head=head,
            )
        before.append(terms)


def table_head(text: str, start: int) -> str:
    """The first row of the table that the row at `start` belongs to."""
    head = ""
    end = start
    while end > 0:
        begin = text.rfind("\n", 0, max(0, end - 1)) + 1
        line = text[begin:end].strip()
        if not line.startswith("|") and line:
            break
        if not line and begin != end and text[begin:end].count("\n"):
            break
        if re.search(r"\w", line):
            head = line
        end = begin
    return head if start > 0 else ""


def _wording(part: PageSpan, text: str) -> Wording:
    words = plain_words(text)
    starts, joined, length = [], [""], 0
    for word, _, _ in words:
        starts.append(length)
        joined.append(word)
        length += len(word) + 1
    joined.append("")
    spans = tuple((part.start + a, part.start + b) for _, a, b in words)
    return Wording(part, " ".join(joined), tuple(starts), spans)
