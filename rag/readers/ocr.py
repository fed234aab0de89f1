"""Pages that are not text to lines of words, by the OCR engine that is there.

The engines are chosen in this order: Apple's Vision (macOS, through ocrmac), the Tesseract command,
RapidOCR (the extra "ocr": its models are in its package). A page is drawn, read, and read again
turned or straightened where what was seen is doubtful.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from rag.config import Extraction
from rag.readers.base import ExtraTime
from rag.readers.ink import Ink
from rag.readers.lines import Line, RawPage, turned
from rag.readers.ocr_engine import Engine, Picture, SeenLine
from rag.readers.skew import skew_of
from rag.types import Box

SECONDS_PER_PAGE = 120.0  # at most; a page takes one to fifteen
_DPI = 300
_MAX_PIXELS = 25_000_000  # a page at 300 dpi has 9 million; what is larger is rendered coarser
_SURE = 0.8  # confidence
_SKEWED = 0.7  # degrees that no engine minds
_LOOSE = 0.3  # of a word's height: layers of text lie on their scans only roughly
_SIZE_OF_HEIGHT = 0.8  # font size of a line of text by the height of its box
# Which way text runs on a page that must be turned clockwise by so many degrees to be upright.
_DIRECTIONS = {0: (1.0, 0.0), 90: (0.0, -1.0), 180: (-1.0, 0.0), 270: (0.0, 1.0)}

Boxes = npt.NDArray[np.float64]  # one a row

# (pymupdf page, the page as read without OCR) → the page with what OCR sees, or None.
Ocr = Callable[[Any, RawPage], RawPage | None]


def ocr_within(limits: Extraction, extra: ExtraTime) -> Ocr | None:
    """OCR that asks for its time page by page; None where it is off or no engine is there."""
    engine = choose_engine(limits.ocr_engine) if limits.ocr else None
    if engine is None:
        return None
    from pymupdf import mupdf

    def read(page: Any, raw: RawPage) -> RawPage | None:
        with extra(SECONDS_PER_PAGE, "ocr"):
            try:
                return recognize(page, raw, engine, limits.ocr_language)
            except (RuntimeError, ValueError, MemoryError, mupdf.FzErrorBase):
                return None  # the picture cannot be drawn, or not within the limit on memory

    return read


@cache
def choose_engine(wanted: str) -> Engine | None:
    """The engine of this name, or with "auto" the first that is there; None where it is not."""
    from rag.readers.ocr_rapid import RapidOcr
    from rag.readers.ocr_tesseract import Tesseract
    from rag.readers.ocr_vision import Vision

    for kind in (Vision, Tesseract, RapidOcr):
        if wanted in ("auto", kind.name) and (engine := kind.find()) is not None:
            return engine
    return None


def recognize(page: Any, raw: RawPage, engine: Engine, language: str) -> RawPage | None:
    """The page with the lines that OCR saw where no readable text stands; None if it failed."""
    ink = Ink.of(page)
    skew = skew_of(ink.edges()) if ink is not None else 0.0
    skew = skew if abs(skew) >= _SKEWED else 0.0
    turn, (picture, seen) = 0, _read(page, engine, language, 0, skew)
    if seen is not None and _doubtful(seen) and (turn := engine.turn(picture)):
        picture, seen = _read(page, engine, language, turn, skew)
    if seen is None:
        return None
    direction = _DIRECTIONS[turn]
    read = RawPage(raw.number, raw.label, raw.width, raw.height, [], direction, skew=skew)
    _merge(read, raw, [_line(line, picture, direction) for line in seen])
    return read


def _read(
    page: Any, engine: Engine, language: str, turn: int, skew: float
) -> tuple[Picture, list[SeenLine] | None]:
    picture = _draw(page, turn, skew)
    return picture, engine.read(picture, language)


def _draw(page: Any, turn: int, skew: float) -> Picture:
    """The page straightened, then turned clockwise."""
    import pymupdf

    area = max(page.rect.width * page.rect.height, 1.0)
    scale = min(_DPI / 72, (_MAX_PIXELS / area) ** 0.5)
    x, y = page.rect.width / 2, page.rect.height / 2
    straight = pymupdf.Matrix(1, 0, 0, 1, -x, -y) * pymupdf.Matrix(-skew)
    straight *= pymupdf.Matrix(1, 0, 0, 1, x, y)
    upright = pymupdf.Matrix(scale, scale).prerotate(turn)
    pixmap = page.get_pixmap(matrix=straight * upright, colorspace=pymupdf.csGRAY, alpha=False)
    return Picture(pixmap, tuple(~upright))


def _doubtful(seen: Sequence[SeenLine]) -> bool:
    """So few or unsure lines, or so many that stand upright, that the page may be turned."""
    words = [(word, line.confidence) for line in seen for word in line.words]
    sure = sum(confidence >= _SURE for _, confidence in words)
    long = [word for word, _ in words if len(word[4]) > 3]
    tall = sum(word[3] - word[1] > word[2] - word[0] for word in long)
    return sure < max(3, len(words) // 2) or tall > len(long) // 2


def _line(seen: SeenLine, picture: Picture, direction: tuple[float, float]) -> Line:
    """In the reading frame, in points."""
    words = [(*picture.to_page(word[:4]), word[4]) for word in seen.words]
    line = turned(Line(words, 0.0, bold=False, guessed=True), *direction)
    heights = sorted(word[3] - word[1] for word in line.words)
    line.size = round(heights[len(heights) // 2] / _SIZE_OF_HEIGHT * 0.75, 1)
    return line


def _merge(read: RawPage, raw: RawPage, seen: Sequence[Line]) -> None:
    """The lines of the page that could be read, and the words seen where none of theirs stands."""
    kept = [line for line in raw.lines if not line.spoiled]
    asides = [line for line in raw.asides if not line.spoiled]
    words = [raw.to_page(word[:4]) for line in (*kept, *asides) for word in line.words]
    new = _beside(seen, np.array(words).reshape(-1, 4), read)
    if read.direction == raw.direction:
        read.lines, read.asides = [*kept, *new], asides
        return
    dx, dy = raw.direction
    upright = [turned(line, dx, -dy) for line in (*kept, *asides)]
    read.lines, read.asides = new, [turned(line, *read.direction) for line in upright]


def _beside(seen: Sequence[Line], known: Boxes, page: RawPage) -> list[Line]:
    """The lines without the words that lie under known ones: OCR runs words of a text, of its
    neighbour and of a drawing into one line."""
    pad = _LOOSE * (known[:, 3:] - known[:, 1:2])
    known = known + pad * np.array([-1.0, -1.0, 1.0, 1.0])
    found = []
    for line in seen:
        words = [word for word in line.words if not _covered(page.to_page(word[:4]), known)]
        if words:
            found.append(Line(words, line.size, line.bold, guessed=True))
    return found


def _covered(box: Box, known: Boxes) -> bool:
    """Whether more than half of the box lies under the known ones."""
    widths = np.minimum(known[:, 2], box[2]) - np.maximum(known[:, 0], box[0])
    heights = np.minimum(known[:, 3], box[3]) - np.maximum(known[:, 1], box[1])
    shared = float((widths.clip(0) * heights.clip(0)).sum())
    return shared > 0.5 * max((box[2] - box[0]) * (box[3] - box[1]), 0.01)
