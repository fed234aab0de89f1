"""Image-only pages to lines of words, by the Tesseract command where it is installed."""

from __future__ import annotations

import csv
import io
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from functools import cache
from typing import Any

from rag.config import Extraction
from rag.readers.base import ExtraTime
from rag.readers.lines import Line, RawPage, RawWord

SECONDS_PER_PAGE = 60.0  # at most; a page takes about one
_DPI = 300
_MAX_PIXELS = 25_000_000  # a page at 300 dpi has 9 million; what is larger is rendered coarser
_MIN_CONFIDENCE = 30.0
_SURE_CONFIDENCE = 80.0
_SIZE_OF_HEIGHT = 0.8  # font size of a line of text by the height of its box
_UPRIGHT = (1.0, 0.0)
# Which way text runs on a page that must be turned clockwise by so many degrees to be upright.
_DIRECTIONS = {0: _UPRIGHT, 90: (0.0, -1.0), 180: (-1.0, 0.0), 270: (0.0, 1.0)}


@cache
def tesseract() -> str | None:
    """The command, if it is installed."""
    return shutil.which("tesseract")


# (pymupdf page, the page as read without OCR) → the page as OCR reads it, or None.
Ocr = Callable[[Any, RawPage], RawPage | None]


def ocr_within(limits: Extraction, extra: ExtraTime) -> Ocr | None:
    """OCR that asks for its time page by page; None where it is off or not installed."""
    if not limits.ocr or tesseract() is None:
        return None
    from pymupdf import mupdf

    def read(page: Any, raw: RawPage) -> RawPage | None:
        with extra(SECONDS_PER_PAGE, "ocr"):
            try:
                return recognize(page, raw, limits.ocr_language)
            except (RuntimeError, ValueError, MemoryError, mupdf.FzErrorBase):
                return None  # the picture cannot be drawn, or not within the limit on memory

    return read


def recognize(page: Any, raw: RawPage, language: str) -> RawPage | None:
    """The page with the lines that OCR saw, or None if Tesseract failed or took too long."""
    command = tesseract()
    if command is None:
        return None
    image, scale = _render(page, 0)
    words, turn = _read(command, image, language), 0
    if words is not None and _doubtful(words) and (turn := _turn(command, image)):
        image, scale = _render(page, turn)
        words = _read(command, image, language)
    if words is None:
        return None
    lines = _lines(words, scale)
    read = RawPage(raw.number, raw.label, raw.width, raw.height, lines, _DIRECTIONS[turn])
    return _shifted(read)


def _read(command: str, image: bytes, language: str) -> list[dict[str, str]] | None:
    """The words that Tesseract sees, as rows of its TSV."""
    table = _run([command, "stdin", "stdout", "-l", language, "--psm", "3", "tsv"], image)
    if table is None:
        return None
    rows = csv.DictReader(io.StringIO(table), delimiter="\t", quoting=csv.QUOTE_NONE)
    return [row for row in rows if (row["text"] or "").strip()]


def _doubtful(words: list[dict[str, str]]) -> bool:
    """So few or unsure words, or so many that stand upright, that the page may be turned."""
    sure = sum(float(word["conf"]) >= _SURE_CONFIDENCE for word in words)
    long = [word for word in words if len(word["text"]) > 3]
    tall = sum(int(word["height"]) > int(word["width"]) for word in long)
    return sure < max(3, len(words) // 2) or tall > len(long) // 2


def _turn(command: str, image: bytes) -> int:
    """By how many degrees clockwise the picture must be turned; 0 where Tesseract cannot say."""
    report = _run([command, "stdin", "stdout", "--psm", "0"], image) or ""
    degrees = re.search(r"Rotate: (\d+)", report)
    sure = re.search(r"Orientation confidence: ([\d.]+)", report)
    if degrees is None or sure is None or float(sure[1]) < 1:
        return 0
    return int(degrees[1]) % 360


def _render(page: Any, turn: int) -> tuple[bytes, float]:
    """The page as PNG, turned, and its pixels per point."""
    import pymupdf

    area = max(page.rect.width * page.rect.height, 1.0)
    scale = min(_DPI / 72, (_MAX_PIXELS / area) ** 0.5)
    matrix = pymupdf.Matrix(scale, scale).prerotate(turn)
    pixmap = page.get_pixmap(matrix=matrix, colorspace=pymupdf.csGRAY, alpha=False)
    return pixmap.tobytes("png"), scale


def _run(command: list[str], image: bytes) -> str | None:
    """What Tesseract prints for the picture; one thread, since workers run side by side."""
    try:
        done = subprocess.run(
            command,
            input=image,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=SECONDS_PER_PAGE / 3,
            env={**os.environ, "OMP_THREAD_LIMIT": "1"},
            check=False,
        )
    except (subprocess.TimeoutExpired, OSError):
        return None
    return done.stdout.decode("utf-8", errors="replace") if done.returncode == 0 else None


def _lines(rows: list[dict[str, str]], scale: float) -> list[Line]:
    """Tesseract's words by line, in points of the picture."""
    words: dict[tuple[str, ...], list[RawWord]] = {}
    for row in rows:
        if float(row["conf"]) < _MIN_CONFIDENCE:
            continue
        text = row["text"].strip()
        x, y, width, height = (
            int(row[name]) / scale for name in ("left", "top", "width", "height")
        )
        key = (row["block_num"], row["par_num"], row["line_num"])
        words.setdefault(key, []).append((x, y, x + width, y + height, text))
    return [_line(found) for found in words.values()]


def _line(words: list[RawWord]) -> Line:
    heights = sorted(word[3] - word[1] for word in words)
    return Line(words, round(heights[len(heights) // 2] / _SIZE_OF_HEIGHT * 0.75, 1), bold=False)


def _shifted(page: RawPage) -> RawPage:
    """From the picture's corner to that of the reading frame (see RawPage.to_page)."""
    dx, dy = page.direction
    across = -page.width if dx < 0 else (-page.height if dy < 0 else 0.0)
    down = -page.height if dx < 0 else (-page.width if dy > 0 else 0.0)
    if across or down:
        page.lines = [
            Line(
                [
                    (x0 + across, y0 + down, x1 + across, y1 + down, text)
                    for x0, y0, x1, y1, text in line.words
                ],
                line.size,
                line.bold,
            )
            for line in page.lines
        ]
    return page
