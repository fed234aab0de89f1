"""Running heads, running feet and page numbers: what the margins of many pages repeat.

Only a line that is the same on other pages is one, a page number that counts with the pages aside.
A line that differs in a digit is content: an invoice's number, a total, a date.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from rag.readers.lines import Line, RawPage

_MARGIN = 0.12  # of the page's height, at the top and at the bottom
_MUCH = 0.3  # of all the text
_LARGE = 1.3  # times the size of most lines: a title, however many pages have it
_REPEATED = 0.25  # of the pages, and at least three: then a line is a running head
_COUNTED = 0.1  # of the pages, and at least two: then numbers that count with them number them
_NEAR = 100  # a printed number further from the page's own is told from a serial number by nothing
_WIDE = 2.0  # of the font size: a gap that sets a number apart from the words beside it
_WORD = (
    r"pages?|pp?\.|pg\.?|seite|s\.|blatt|bl\.|sheet|folio|fol\.|página|pág\.|pagina|pag\.|side|sida"
    r"|sivu|strona|strana|stránka|str\.|oldal|sayfa|стр\.?|страница|сторінка|第"
)
_TOTAL = r"(?:\s*(?:of|/|von|de|di|van|av|af|z|ze|из|з|\|)\s*\d{1,5})"
_NUMBER = re.compile(
    rf"(?:{_WORD})?\s*[-–—|:#]?\s*([1-9]\d{{0,3}})\s*[-–—|]?{_TOTAL}?\s*[頁页]?"
    r"|(?:page\s*)?[-–—|]?\s*([ivxlc]{1,7}|[IVXLC]{1,7})\s*[-–—|]?",
    re.IGNORECASE,
)
# Beside words: "Lease · page 3 of 9", "Lease Page: 3 of 9 signed", "Lease | 3", "3 | Lease".
_NAMED = re.compile(
    rf"(.*)\b(?:{_WORD})\s*[:#]?\s*([1-9]\d{{0,3}}){_TOTAL}?(?![\w-]|[.,/]\d)(.*)", re.IGNORECASE
)
_AT_END = re.compile(rf"(.*\S)\s*[|·•]\s*([1-9]\d{{0,3}}){_TOTAL}?", re.IGNORECASE)
_PREFIXED = re.compile(r"([A-Z]-?)([1-9]\d{0,3})")
_AT_START = re.compile(r"([1-9]\d{0,3})\s*[|·•]\s*(\S.*)")
_ROMAN = {"i": 1, "v": 5, "x": 10, "l": 50, "c": 100}

# (the line's words, printed number minus page or None, at the top). Words are "" where the number
# stands alone.
Key = tuple[str, int | None, bool]


@dataclass(frozen=True, slots=True)
class RunningLines:
    keys: frozenset[Key]

    @classmethod
    def of(cls, pages: Sequence[RawPage]) -> RunningLines:
        """What these pages of one document repeat."""
        seen: Counter[Key] = Counter()
        for page in pages:
            seen.update({key for line in page.lines for key in _keys(line, page)})
        repeated = {key for key, count in seen.items() if count >= _least(key, len(pages))}
        # Labels, tickets, forms: where the same lines are much of every page, they are the text.
        length = sum(len(line.text) for page in pages for line in page.lines)
        if sum(len(key[0]) * seen[key] for key in repeated) > _MUCH * length:
            repeated = {key for key in repeated if not key[0]}
        return cls(frozenset(repeated))

    def key(self, line: Line, page: RawPage) -> Key | None:
        """What the line repeats, or None if it is content."""
        return next((key for key in _keys(line, page) if key in self.keys), None)


class Repeats:
    """The running lines of one document of which a copy stands already. Give it pages in order."""

    def __init__(self, running: RunningLines) -> None:
        self._running = running
        self._told: set[Key] = set()

    def dropped(self, page: RawPage) -> list[Line]:
        """The page's lines without running heads and feet, but for the first copy of each, and
        without page numbers."""
        kept = []
        for line in page.lines:
            key = self._running.key(line, page)
            if key is None or (key[0] and key not in self._told):
                kept.append(line)
            if key is not None:
                self._told.add(key)
        return kept


def _least(key: Key, pages: int) -> float:
    return max(3, _REPEATED * pages) if key[0] else max(2, _COUNTED * pages)


def _keys(line: Line, page: RawPage) -> list[Key]:
    """The line as it is, and with its page number taken out; none outside the margins."""
    at_top, at_bottom = _zones(line, page)
    if not (at_top or at_bottom) or _is_title(line, page):
        return []
    number, words = _numbered(line)
    if number is None:
        return [(line.text, None, at_top)]
    shift = number - page.number
    counts = abs(shift) < _NEAR or page.label == str(number)
    found: list[Key] = [(words, shift, at_top)] if counts else []
    return [*found, (line.text, None, at_top)] if words else found


def _numbered(line: Line) -> tuple[int | None, str]:
    """The number by which the line may count pages, and the words beside it."""
    text = line.text
    if match := _NUMBER.fullmatch(text):
        return int(match[1]) if match[1] else _roman(match[2]), ""
    if match := _NAMED.fullmatch(text):
        return int(match[2]), " ".join(f"{match[1]} {match[3]}".split())
    if match := _PREFIXED.fullmatch(text) or _AT_END.fullmatch(text):
        return int(match[2]), match[1]
    if match := _AT_START.fullmatch(text):
        return int(match[1]), match[2]
    return _set_apart(line)


def _set_apart(line: Line) -> tuple[int | None, str]:
    """A number at an end of the line, with a wide gap between it and the words."""
    words = line.words
    for edge, beside, rest in (
        (words[-1], words[-2:-1], words[:-1]),
        (words[0], words[1:2], words[1:]),
    ):
        if not beside or not re.fullmatch(r"[1-9]\d{0,3}", edge[4]):
            continue
        gap = max(edge[0] - beside[0][2], beside[0][0] - edge[2])
        if gap > _WIDE * line.size:
            return int(edge[4]), " ".join(word[4] for word in rest)
    return None, ""


def _is_title(line: Line, page: RawPage) -> bool:
    sizes = sorted(other.size for other in page.lines)
    return line.size > _LARGE * sizes[len(sizes) // 2]


def _roman(text: str) -> int:
    values = [_ROMAN[letter] for letter in text.lower()]
    return sum(-v if v < after else v for v, after in zip(values, [*values[1:], 0], strict=True))


def _zones(line: Line, page: RawPage) -> tuple[bool, bool]:
    """Whether the line stands at the top, at the bottom of the paper."""
    extent = page.width if page.direction[0] == 0 else page.height
    middle = (line.y0 + line.y1) / 2 - _top(page)
    return middle < _MARGIN * extent, middle > (1 - _MARGIN) * extent


def _top(page: RawPage) -> float:
    """Where the reading frame begins: turned frames have negative coordinates."""
    return {(-1.0, 0.0): -page.height, (0.0, 1.0): -page.width}.get(page.direction, 0.0)
