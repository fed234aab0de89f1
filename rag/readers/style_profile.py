"""What a document's pages have in common: its body text, heading styles, margins and words."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from rag.readers.lines import Line, RawPage

Style = tuple[float, bool]  # size rounded to half a point, bold

_MARGIN = 0.12  # of the page's height, at the top and at the bottom
_MUCH = 0.3  # of all the text
_REPEATED = 0.25  # of the pages, and at least three: then a line is a running head
_DIGITS = re.compile(r"\d+")
_PAGE_NUMBER = re.compile(
    r"(?:page|p\.|seite)?\s*[-–—|]?\s*[A-Z]?-?(\d{1,5})\s*[-–—|]?(?:\s*(?:of|/|von)\s*\d{1,5})?",
    re.IGNORECASE,
)
_ROMAN = re.compile(r"[-–—|]?\s*[ivxlc]{1,6}\s*[-–—|]?")
_MAX_LEVELS = 6


@dataclass(frozen=True, slots=True)
class Profile:
    """`levels` gives the heading level of a style; a style not in it is body text."""

    body_size: float
    levels: dict[Style, int]
    running: frozenset[tuple[str, bool]]  # (text with digits as #, at the top)
    words: frozenset[str]
    shifts: frozenset[int]  # printed page number minus page, where margins have such numbers

    @classmethod
    def of(cls, pages: Sequence[RawPage]) -> Profile:
        running, shifts = _running(pages)
        sizes: Counter[Style] = Counter()
        for page in pages:
            for line in page.lines:
                sizes[style_of(line.size, line.bold)] += len(line.text)
        body = _body(sizes)
        words = {
            word[4].lower().strip(".,;:()“”\"'")
            for page in pages
            for line in page.lines
            for word in line.words
        }
        return cls(body[0], _levels(sizes, body), running, frozenset(words), shifts)

    def level(self, size: float, bold: bool) -> int:
        return self.levels.get(style_of(size, bold), 0)

    def is_margin(self, line: Line, page: RawPage) -> bool:
        """A running head, a running foot or a page number."""
        at_top, at_bottom = _zones(line, page)
        if not (at_top or at_bottom):
            return False
        if (_normal(line.text), at_top) in self.running:
            return True
        if self.shifts and _ROMAN.fullmatch(line.text):
            return True
        return _shift(line, page) in self.shifts


def style_of(size: float, bold: bool) -> Style:
    return round(size * 2) / 2, bold


def _body(sizes: Counter[Style]) -> Style:
    by_size: Counter[float] = Counter()
    for (size, _), letters in sizes.items():
        by_size[size] += letters
    if not by_size:
        return 10.0, False
    size = by_size.most_common(1)[0][0]
    return size, sizes[size, True] > sizes[size, False]


def _levels(sizes: Counter[Style], body: Style) -> dict[Style, int]:
    """Larger than the body is a heading; of its size and bold too, where the body is not bold."""
    total = sum(sizes.values()) or 1
    styles = [
        style
        for style, letters in sizes.items()
        if letters < 0.3 * total and _stands_out(style, body)
    ]
    levels: dict[Style, int] = {}
    level, last = 0, (float("inf"), True)
    for style in sorted(styles, reverse=True):
        if last[0] - style[0] >= 1 or style[1] != last[1]:
            level = min(level + 1, _MAX_LEVELS)
            last = style
        levels[style] = level
    return levels


def _stands_out(style: Style, body: Style) -> bool:
    if style[0] >= max(body[0] + 1, body[0] * 1.1):
        return True
    return style[1] and not body[1] and style[0] >= 0.9 * body[0]


def _running(pages: Sequence[RawPage]) -> tuple[frozenset[tuple[str, bool]], frozenset[int]]:
    """Lines that many pages have in their margins, and how the page numbers there run."""
    seen: Counter[tuple[str, bool]] = Counter()
    shifts: Counter[int] = Counter()
    for page in pages:
        lines = [(line, _zones(line, page)) for line in page.lines]
        margins = [(line, at_top) for line, (at_top, at_bottom) in lines if at_top or at_bottom]
        seen.update({(_normal(line.text), at_top) for line, at_top in margins})
        found = {_shift(line, page) for line, _ in margins}
        shifts.update(shift for shift in found if shift is not None)
    least = max(3, _REPEATED * len(pages))
    running = {key for key, count in seen.items() if count >= least and _has_letters(key[0])}
    # Labels, tickets, forms: where the same lines are much of every page, they are the text.
    if sum(len(text) * seen[text, at_top] for text, at_top in running) > _MUCH * _length(pages):
        running = set()
    return frozenset(running), frozenset(
        shift for shift, count in shifts.items() if count >= max(2, 0.1 * len(pages))
    )


def _length(pages: Sequence[RawPage]) -> int:
    return sum(len(line.text) for page in pages for line in page.lines)


def _shift(line: Line, page: RawPage) -> int | None:
    """Printed page number minus page, if the line may be one. A year on a page is no page number:
    its shift is not that of other pages.
    """
    match = _PAGE_NUMBER.fullmatch(line.text)
    return int(match[1]) - page.number if match else None


def _has_letters(text: str) -> bool:
    return sum(char.isalpha() for char in text) > 2


def _normal(text: str) -> str:
    return _DIGITS.sub("#", text).strip().lower()


def _zones(line: Line, page: RawPage) -> tuple[bool, bool]:
    """Whether the line stands at the top, at the bottom: of the paper, or first or last on it."""
    turned = page.direction[0] == 0
    extent = page.width if turned else page.height
    offset = _top(page)
    middle = (line.y0 + line.y1) / 2 - offset
    first, last = page.lines_span
    at_top = middle < _MARGIN * extent or line.y0 <= first
    return at_top, middle > (1 - _MARGIN) * extent or line.y1 >= last


def _top(page: RawPage) -> float:
    """Where the reading frame begins: turned frames have negative coordinates."""
    return {(-1.0, 0.0): -page.height, (0.0, 1.0): -page.width}.get(page.direction, 0.0)
