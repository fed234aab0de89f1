"""A PDF page to lines of words with boxes, size and weight: one pass over its content."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from rag.types import Box

# x0, y0, x1, y1, text; in the reading frame, where lines run from left to right.
RawWord = tuple[float, float, float, float, str]
# A span of pymupdf's text → whether no reader sees it.
IsHidden = Callable[[Mapping[str, Any]], bool]

_JUNK = re.compile("[\x00-\x08\x0b-\x1f\u200b-\u200d\u2060\ufeff\ufffd]")
_LEADERS = re.compile(r"(?:\.\s*){4,}|…+|_{3,}|·{3,}")


@dataclass(slots=True)
class Line:
    """Words on one baseline, in the reading frame of the page."""

    words: list[RawWord]
    size: float  # points
    bold: bool
    x0: float = field(init=False)
    y0: float = field(init=False)
    x1: float = field(init=False)
    y1: float = field(init=False)

    def __post_init__(self) -> None:
        self.x0 = min(word[0] for word in self.words)
        self.y0 = min(word[1] for word in self.words)
        self.x1 = max(word[2] for word in self.words)
        self.y1 = max(word[3] for word in self.words)

    @property
    def text(self) -> str:
        return " ".join(word[4] for word in self.words)

    @property
    def height(self) -> float:
        return self.y1 - self.y0


@dataclass(slots=True)
class RawPage:
    """A page as it was read. `direction` is that of most of its text: (1, 0) unless turned."""

    number: int
    label: str
    width: float
    height: float
    lines: list[Line]
    direction: tuple[float, float] = (1.0, 0.0)
    asides: list[Line] = field(default_factory=list)  # that run another way: stamps, axis labels
    image_share: float = (
        0.0  # of the page under images; looked up only where there is hardly any text
    )

    def to_page(self, box: Box) -> Box:
        """A box of the reading frame in the coordinates of the page."""
        if self.direction == (1.0, 0.0):
            return box
        dx, dy = self.direction
        return _turned(box, dx, -dy)


def read_page(page: Any, number: int, label: str, is_hidden: IsHidden) -> RawPage:
    """Reads a pymupdf page, without its hidden text."""
    import pymupdf

    flags = (
        pymupdf.TEXTFLAGS_DICT & ~pymupdf.TEXT_PRESERVE_IMAGES & ~pymupdf.TEXT_PRESERVE_LIGATURES
    )
    textpage = page.get_textpage(flags=flags)
    words = _words_by_line(textpage.extractWORDS())
    lines: list[tuple[tuple[float, float], Line]] = []
    blocks = [block for block in textpage.extractDICT()["blocks"] if block["type"] == 0]
    for block_no, block in enumerate(blocks):
        for line_no, raw in enumerate(block["lines"]):
            line = _line(raw, words.get((block_no, line_no), []), is_hidden)
            if line is not None:
                lines.append((_unit(raw["dir"]), line))
    rect = page.rect
    return _framed(RawPage(number, label, rect.width, rect.height, []), lines)


def _words_by_line(words: list[tuple[Any, ...]]) -> dict[tuple[int, int], list[RawWord]]:
    found: dict[tuple[int, int], list[RawWord]] = {}
    for x0, y0, x1, y1, text, block, line, _ in words:
        clean = _LEADERS.sub("", _JUNK.sub("", text)).strip()
        if clean and not clean.isspace():
            found.setdefault((block, line), []).append((x0, y0, x1, y1, clean))
    return found


def _line(raw: dict[str, Any], words: list[RawWord], is_hidden: IsHidden) -> Line | None:
    if not words:
        return None
    spans = [span for span in raw["spans"] if span["text"].strip()]
    hidden = [span["bbox"] for span in spans if is_hidden(span)]
    if hidden:
        words = [word for word in words if not any(_covers(box, word) for box in hidden)]
    if not words:
        return None
    main = max(spans, key=lambda span: len(span["text"].strip()))
    bold = all(_is_bold(span) for span in spans)
    return Line(words, round(float(main["size"]), 1), bold)


def _is_bold(span: dict[str, Any]) -> bool:
    return bool(span["flags"] & 16 or span.get("char_flags", 0) & 8)


def _covers(box: Box, word: RawWord) -> bool:
    x, y = (word[0] + word[2]) / 2, (word[1] + word[3]) / 2
    return box[0] <= x <= box[2] and box[1] <= y <= box[3]


def _unit(direction: tuple[float, float]) -> tuple[float, float]:
    """The nearest of the four directions in which pages are turned."""
    dx, dy = direction
    if abs(dx) >= abs(dy):
        return (1.0, 0.0) if dx >= 0 else (-1.0, 0.0)
    return (0.0, 1.0) if dy >= 0 else (0.0, -1.0)


def _framed(page: RawPage, lines: list[tuple[tuple[float, float], Line]]) -> RawPage:
    """Turns the page so that most of its lines run from left to right."""
    letters: Counter[tuple[float, float]] = Counter()
    for direction, line in lines:
        letters[direction] += len(line.text)
    if letters:
        page.direction = letters.most_common(1)[0][0]
    page.lines = [line for direction, line in lines if direction == page.direction]
    page.asides = [line for direction, line in lines if direction != page.direction]
    if page.direction != (1.0, 0.0):
        page.lines = [_turned_line(line, *page.direction) for line in page.lines]
        page.asides = [_turned_line(line, *page.direction) for line in page.asides]
    return page


def _turned_line(line: Line, dx: float, dy: float) -> Line:
    words = [(*_turned(word[:4], dx, dy), word[4]) for word in line.words]
    return Line(words, line.size, line.bold)


def _turned(box: Box, dx: float, dy: float) -> Box:
    """(x, y) becomes (x·dx + y·dy, y·dx - x·dy); its inverse is the same with -dy."""
    xs = [x * dx + y * dy for x in (box[0], box[2]) for y in (box[1], box[3])]
    ys = [y * dx - x * dy for x in (box[0], box[2]) for y in (box[1], box[3])]
    return min(xs), min(ys), max(xs), max(ys)
