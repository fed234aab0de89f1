"""Lines of words with boxes, size and weight, and a page of them as it was read."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from rag.readers.bidi import RawWord, is_from_right, is_marks, runs_from_right
from rag.types import Box, Unread

# RawWord: x0, y0, x1, y1, text; in the reading frame, where lines run from left to right.
__all__ = [
    "Line",
    "RawPage",
    "RawWord",
    "Text",
    "nearest_direction",
    "set_texts",
    "turned",
    "turned_box",
]


@dataclass(slots=True)
class Line:
    """Words on one baseline, in the reading frame of the page."""

    words: list[RawWord]
    size: float  # points
    bold: bool
    spoiled: bool = False  # some of it could not be read
    guessed: bool = False  # its size is: OCR sees boxes, not fonts
    filled: bool = False  # it stands in a field of a form
    mirrored: bool = False  # the frame is: what runs from the right runs from the left in it
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
    unread: Unread = ""  # what is written there beside the lines
    skew: float = 0.0  # degrees clockwise by which the page was straightened before it was read
    mirrored: bool = False  # its left side is right in the frame: Hebrew, Arabic

    def to_page(self, box: Box) -> Box:
        """A box of the reading frame in the coordinates of the page."""
        if self.mirrored:
            box = (self.width - box[2], box[1], self.width - box[0], box[3])
        if self.direction != (1.0, 0.0):
            dx, dy = self.direction
            box = turned_box(box, dx, -dy)
        return _rotated(box, self.skew, self.width / 2, self.height / 2) if self.skew else box


@dataclass(frozen=True, slots=True)
class Text:
    """Words of one line that look alike, as they stand on the page.

    `transparent`: not drawn; `pale`: as good as white; `garbled`: not the letters that are drawn,
    `rest` being the words of it that are.
    """

    line: Line
    direction: tuple[float, float]
    transparent: bool = False
    pale: bool = False
    garbled: bool = False
    rest: tuple[RawWord, ...] = ()

    @property
    def box(self) -> Box:
        return self.line.x0, self.line.y0, self.line.x1, self.line.y1


def nearest_direction(direction: tuple[float, float]) -> tuple[float, float]:
    """Of the four in which pages are turned."""
    dx, dy = direction
    if abs(dx) >= abs(dy):
        return (1.0, 0.0) if dx >= 0 else (-1.0, 0.0)
    return (0.0, 1.0) if dy >= 0 else (0.0, -1.0)


def set_texts(page: RawPage, texts: Sequence[Text]) -> None:
    """Fills the page, turned so that most of its lines run from left to right."""
    letters: Counter[tuple[float, float]] = Counter()
    lines: list[tuple[tuple[float, float], Line]] = []
    for text in texts:
        if text.garbled and not text.rest:
            continue
        line = text.line
        if text.garbled:
            line = Line(list(text.rest), line.size, line.bold, spoiled=True)
        letters[text.direction] += len(line.text)
        lines.append((text.direction, line))
    if letters:
        page.direction = letters.most_common(1)[0][0]
    page.lines = [line for direction, line in lines if direction == page.direction]
    page.asides = [line for direction, line in lines if direction != page.direction]
    if page.direction == (1.0, 0.0) and runs_from_right(" ".join(x.text for x in page.lines)):
        page.mirrored = True
        page.lines = [_mirrored(line, page.width) for line in page.lines]
        page.asides = [_mirrored(line, page.width) for line in page.asides]
    if page.direction != (1.0, 0.0):
        page.lines = [turned(line, *page.direction) for line in page.lines]
        page.asides = [turned(line, *page.direction) for line in page.asides]


def _mirrored(line: Line, width: float) -> Line:
    """The line in the frame whose left side is the right side of the page. Its marks were read from
    the left where it has no letter that runs from the right."""
    read = any(is_from_right(word[4]) for word in line.words)
    words = [
        (width - x1, y0, width - x0, y1, text if read or not is_marks(text) else text[::-1])
        for x0, y0, x1, y1, text in line.words
    ]
    return replace(line, words=words, mirrored=True)


def turned(line: Line, dx: float, dy: float) -> Line:
    """The line in the frame where text of this direction runs from left to right."""
    words = [(*turned_box(word[:4], dx, dy), word[4]) for word in line.words]
    return Line(
        words,
        line.size,
        line.bold,
        spoiled=line.spoiled,
        guessed=line.guessed,
        filled=line.filled,
    )


def turned_box(box: Box, dx: float, dy: float) -> Box:
    """(x, y) becomes (x·dx + y·dy, y·dx - x·dy); its inverse is the same with -dy."""
    xs = [x * dx + y * dy for x in (box[0], box[2]) for y in (box[1], box[3])]
    ys = [y * dx - x * dy for x in (box[0], box[2]) for y in (box[1], box[3])]
    return min(xs), min(ys), max(xs), max(ys)


def _rotated(box: Box, degrees: float, x: float, y: float) -> Box:
    """The box around this one turned clockwise about (x, y)."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    corners = [(cx - x, cy - y) for cx in (box[0], box[2]) for cy in (box[1], box[3])]
    xs = [x + cx * cos - cy * sin for cx, cy in corners]
    ys = [y + cx * sin + cy * cos for cx, cy in corners]
    return min(xs), min(ys), max(xs), max(ys)
