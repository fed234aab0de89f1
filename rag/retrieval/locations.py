"""Where in a document a question looks: "on page 12", "the last slide", "section 4.2". Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from rag.options import LAST_PAGE, PageRange

_PAGE: Final = (
    r"(?:pages?|slides?|sheets?|Seiten?|Folien?|diapositives?|diapositivas?|p[áa]ginas?|pagin[ae]"
    r"|hojas?|fogli?o?)"
)
_NUMBERED = re.compile(
    rf"\b(?:{_PAGE}|pp?\.|S\.|p[áa]g\.)\s*(?:no\.?|number|Nr\.|n[º°])?\s*(\d{{1,6}})"
    r"(?:\s*(?:-|–|—|to|through|until|bis|à|au|hasta|al?)\s*(\d{1,6}))?(?![\d.]*\w)",
    re.IGNORECASE,
)
_ENDS: Final = (
    (rf"\b(?:first|opening|erste[nr]?|premi[èe]re|primera|prima)\s+{_PAGE}\b", True),
    (r"\b(?:cover|title)\s+(?:page|slide|sheet)\b|\bTitel(?:seite|blatt)\b", True),
    (r"\bpage\s+de\s+(?:garde|titre)\b|\bportada\b|\bcopertina\b", True),
    (rf"\b(?:last|final|closing|letzte[nr]?|derni[èe]re|[úu]ltima|ultima)\s+{_PAGE}\b", False),
)
_END_PATTERNS = tuple((re.compile(text, re.IGNORECASE), first) for text, first in _ENDS)
# What numbered parts are called, and what else the same part is called on its page.
_SHORT: Final[Mapping[str, str]] = MappingProxyType(
    {"figure": "fig", "table": "tab", "section": "sec", "equation": "eq", "article": "art",
     "abbildung": "abb", "tabelle": "tab", "artikel": "art", "tableau": "tab", "figura": "fig",
     "tabla": "tab", "tabella": "tab", "appendix": "annex", "annex": "appendix"}
)  # fmt: skip
_LABEL = re.compile(
    r"(?<!\w)(section|chapter|table|figure|fig|appendix|annex|exhibit|item|note|article|clause|schedule"
    r"|paragraph|equation|theorem|lemma|definition|box|step|Abschnitt|Kapitel|Tabelle|Abbildung|Abb"
    r"|Anhang|Anlage|Artikel|Ziffer|Absatz|Punkt|chapitre|tableau|annexe|alin[ée]a|secci[óo]n"
    r"|cap[íi]tulo|tabla|figura|anexo|art[íi]culo|cl[áa]usula|sezione|capitolo|tabella|allegato"
    r"|articolo|clausola|comma|§{1,2})\.?\s*"
    r"(\d{1,4}(?:\.\d{1,3}){0,4}[A-Za-z]?|[A-Z](?:\.\d{1,3}){0,4}|[IVX]{1,5})\b",
    re.IGNORECASE,
)
_LETTER = re.compile(r"[A-Z]")


@dataclass(frozen=True, slots=True)
class Locations:
    """`pages` from 1; `last_page`: the last one of each document is meant too. `labels` are the
    wordings by which parts are known, as a passage would print them."""

    pages: tuple[PageRange, ...] = ()
    last_page: bool = False
    labels: tuple[str, ...] = ()


def locations_in(question: str) -> Locations:
    """The places that a question names, in English, German, French, Spanish and Italian."""
    pages = list(_numbered(question))
    ends = [first for pattern, first in _END_PATTERNS if pattern.search(question)]
    if True in ends:
        pages.append(PageRange(1, 1))
    labels = dict.fromkeys(label for each in _LABEL.finditer(question) for label in _labels(each))
    return Locations(tuple(dict.fromkeys(pages)), False in ends, tuple(labels))


def _numbered(question: str) -> Iterator[PageRange]:
    for match in _NUMBERED.finditer(question):
        first = int(match[1])
        last = int(match[2]) if match[2] else first
        if 1 <= first <= last <= LAST_PAGE:
            yield PageRange(first, last)


def _labels(match: re.Match[str]) -> Iterator[str]:
    word, number = match[1].casefold(), match[2]
    if len(number) == 1 and number.isalpha() and not _LETTER.fullmatch(number):
        return  # "a note a friend wrote", "step i"
    if word.isalpha():
        yield f"{word} {number}"
        if word in _SHORT:
            yield f"{_SHORT[word]} {number}"
    if "." in number:  # headings are numbered, and say no "section"
        yield number
