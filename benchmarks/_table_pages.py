"""Tables and paragraphs of TAT-QA drawn on pages, and what the product's reader makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

SIZE: Final = 8.0  # points
_MARGIN, _GAP = 40.0, 16.0
_LABEL, _COLUMN = 230.0, 140.0  # the widest
_HEIGHT: Final = 1600.0


def page_texts(paragraphs: Sequence[str], table: Sequence[Sequence[str]], path: Path) -> list[str]:
    """Draws one document at `path`; returns the text of its pages as it is read from there."""
    from rag.readers.pdf import Reader, open_document

    draw(paragraphs, table, path)
    with open_document(path, password=None, max_pages=100) as document:
        return [page.text for page in Reader(document).pages()]


def draw(paragraphs: Sequence[str], table: Sequence[Sequence[str]], path: Path) -> None:
    """The paragraphs above the table: labels to the left, all else to the right, no rules."""
    import pymupdf

    font = pymupdf.Font("helv")
    widths = _widths(table, font)
    document = pymupdf.open()
    width = max(595.0, 2 * _MARGIN + sum(widths) + _GAP * len(widths))
    page = document.new_page(width=width, height=_HEIGHT)
    y = 50.0
    for text in paragraphs:
        box = pymupdf.Rect(_MARGIN, y, width - _MARGIN, y + 900)
        y += 900 - page.insert_textbox(box, text, fontsize=9, fontname="helv") + 8
    writer = pymupdf.TextWriter(page.rect)
    y += 10
    for row in table:
        y += _write_row(writer, font, row, widths, y)
    writer.write_text(page)
    document.save(path)
    document.close()


def _widths(table: Sequence[Sequence[str]], font: Any) -> list[float]:
    columns = max(map(len, table))
    wide = [
        max([font.text_length(row[i], SIZE) for row in table if i < len(row)] + [20.0])
        for i in range(columns)
    ]
    return [min(one, _COLUMN if i else _LABEL) for i, one in enumerate(wide)]


def _write_row(
    writer: Any, font: Any, row: Sequence[str], widths: Sequence[float], y: float
) -> float:
    """Returns the row's height."""
    x, most = _MARGIN, 1
    for i, (cell, width) in enumerate(zip(row, widths, strict=False)):
        lines = _wrapped(cell, width, font)
        for number, line in enumerate(lines):
            left = x + width - font.text_length(line, SIZE) if i else x
            writer.append((left, y + 10 + 10 * number), line, font=font, fontsize=SIZE)
        x += width + _GAP
        most = max(most, len(lines))
    return 10.0 * most + 3


def _wrapped(text: str, width: float, font: Any) -> list[str]:
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and font.text_length(longer, SIZE) > width + 1:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines
