"""From a quote to boxes on its page."""

from __future__ import annotations

import re
from bisect import bisect_right

from rag.terms import fold
from rag.types import Box, Page, Word


def span_boxes(page: Page, start: int, end: int) -> tuple[Box, ...]:
    """Boxes around the words of `page.text[start:end]`: one a line, within the page."""
    lines: list[Box] = []
    for index in range(bisect_right(page.words, start, key=_word_end), len(page.words)):
        word = page.words[index]
        if word.start >= end:
            break
        box = _clipped(word.box, page)
        if lines and _same_line(lines[-1], box):
            lines[-1] = _around(lines[-1], box)
        else:
            lines.append(box)
    return tuple(lines)


def _word_end(word: Word) -> int:
    return word.end


def quote_boxes(page: Page, quote: str) -> tuple[Box, ...]:
    """Boxes of a quote; () if it is not on the page. Case, blanks, quotation marks, dashes and
    hyphens at line ends do not matter."""
    span = find_quote(page.text, quote)
    return span_boxes(page, *span) if span else ()


def find_quote(text: str, quote: str) -> tuple[int, int] | None:
    """Where the words of a quote follow each other in a text, as a span of it."""
    at = text.find(quote)
    if at >= 0 and quote.strip():
        return at, at + len(quote)
    words, wanted = _words(text), [word for word, _, _ in _words(quote)]
    if not wanted:
        return None
    # Letters only: "co-\noperate" and "cooperate" meet, and so do all kinds of dashes and blanks.
    joined = "".join(word for word, _, _ in words)
    starts: dict[int, int] = {}
    ends: dict[int, int] = {}
    length = 0
    for word, start, end in words:
        starts[length] = start
        length += len(word)
        ends[length] = end
    target = "".join(wanted)
    at = joined.find(target)
    while at >= 0:
        if at in starts and at + len(target) in ends:
            return starts[at], ends[at + len(target)]
        at = joined.find(target, at + 1)
    return None


def _words(text: str) -> list[tuple[str, int, int]]:
    return [(fold(m.group()), m.start(), m.end()) for m in re.finditer(r"[^\W_]+", text)]


def _clipped(box: Box, page: Page) -> Box:
    x0, y0, x1, y1 = box
    return (
        min(max(x0, 0.0), page.width), min(max(y0, 0.0), page.height),
        min(max(x1, 0.0), page.width), min(max(y1, 0.0), page.height),
    )  # fmt: skip


def _same_line(a: Box, b: Box) -> bool:
    """Whether b goes on the line of a: to its right, however far (the next cell of a row), or
    close by in another direction (text of a turned page)."""
    width, height = min(a[2] - a[0], b[2] - b[0]), min(a[3] - a[1], b[3] - b[1])
    across = min(a[2], b[2]) - max(a[0], b[0])
    down = min(a[3], b[3]) - max(a[1], b[1])
    if down > 0.5 * height:
        return b[0] >= a[0] or -across < 1.5 * height
    upright = max((box[3] - box[1]) / max(box[2] - box[0], 0.1) for box in (a, b)) > 1.5
    return upright and across > 0.5 * width and -down < 1.5 * width


def _around(*boxes: Box) -> Box:
    return (
        min(b[0] for b in boxes), min(b[1] for b in boxes),
        max(b[2] for b in boxes), max(b[3] for b in boxes),
    )  # fmt: skip
