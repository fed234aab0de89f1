"""What a document's pages have in common: its body text, heading styles, margins and words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from rag.readers.lines import RawPage
from rag.readers.running_lines import RunningLines

Style = tuple[float, bool]  # size rounded to half a point, bold

_MAX_LEVELS = 6


@dataclass(frozen=True, slots=True)
class Profile:
    """`levels` gives the heading level of a style; a style not in it is body text."""

    levels: dict[Style, int]
    running: RunningLines
    words: frozenset[str]

    @classmethod
    def of(cls, pages: Sequence[RawPage]) -> Profile:
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
        return cls(_levels(sizes, body), RunningLines.of(pages), frozenset(words))

    def level(self, size: float, bold: bool) -> int:
        return self.levels.get(style_of(size, bold), 0)


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
