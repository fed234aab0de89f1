"""Paragraphs and tables whose structure is known, laid out by MuPDF into pages that can be drawn.

Office files have no pages, or pages that only their program knows. Their text is written as a web
page, which MuPDF lays out; the words are then found again in it, in their order. So the text and
its structure are exactly the file's, and each word has its place on an image of a page.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from rag.readers.placed_text import Drawn, Placed, written_pages
from rag.types import BlockKind, Page

A4 = (595.0, 842.0)  # points
_MAX_GROWTH = 7  # doublings of a page's height, to hold a sheet whole
_MARGIN = 40.0
_STYLE = """@page{margin:36pt 44pt} body{font-family:sans-serif;font-size:11pt} p{margin:5pt 0}
h1{font-size:18pt} h2{font-size:15pt} h3,h4,h5,h6{font-size:12pt} h1,h2,h3,h4,h5,h6{margin:9pt 0}
table{border-collapse:collapse} td,th{border:1px solid #888;padding:2pt 4pt}"""
_UNWRITABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f\xad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]"
)


@dataclass(frozen=True, slots=True)
class TableCell:
    """`column` from 0; `rows` and `columns` that it spans. `again` repeats in the text of a row
    what a cell above says that reaches down to it; it is not drawn."""

    text: str
    column: int
    columns: int = 1
    rows: int = 1
    again: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """A heading, paragraph or list item (`text`), or a table (`rows`, its head the first)."""

    kind: BlockKind
    text: str = ""
    level: int = 0
    rows: tuple[tuple[TableCell, ...], ...] = ()


class Sheets:
    """What pymupdf's documents have: pages that can be counted and drawn.

    Each sheet begins a page. `whole`: a sheet is one page, which is as high as it takes.
    """

    def __init__(self, sheets: Sequence[Sequence[Part]], *, whole: bool, size: Any = A4) -> None:
        self.warnings: tuple[str, ...] = ()
        self._sheets = [tuple(map(_clean, sheet)) for sheet in sheets]
        self._whole = whole
        self._size: tuple[float, float] = size
        self._heights: list[float] = []
        self._counts: list[int] = []
        self._held: Any = None  # the document of the page last asked for: pages do not keep theirs
        for sheet in self._sheets:
            with self._open(sheet, None) as document:
                self._counts.append(int(document.page_count))

    @property
    def page_count(self) -> int:
        return sum(self._counts)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        """Sheets hold nothing open."""

    def __getitem__(self, index: int) -> Any:
        """A pymupdf page. Raises IndexError."""
        for number, count in enumerate(self._counts):
            if index < count:
                self._held = self._open(self._sheets[number], self._heights[number])
                return self._held[index]
            index -= count
        raise IndexError(index)

    def pages(self) -> tuple[Page, ...]:
        """Of all sheets, numbered through from 1."""
        found: list[Page] = []
        for sheet, height in zip(self._sheets, self._heights, strict=True):
            with self._open(sheet, height) as document:
                rects = [page.rect for page in document]
                sizes = [(rect.width, rect.height) for rect in rects]
                words = list(_words(document))
            found += written_pages(map(_rows, sheet), words, sizes, first=len(found) + 1)
        return tuple(found)

    def _open(self, sheet: Sequence[Part], height: float | None) -> Any:
        import pymupdf

        document = pymupdf.open(stream=_web_page(sheet).encode(), filetype="html")
        width, least = self._size
        document.layout(width=width, height=height or least, fontsize=11)
        if height is None:
            self._heights.append(self._fitted(document) if self._whole else least)
        return document

    def _fitted(self, document: Any) -> float:
        """The height at which the sheet is one page, as far as that goes."""
        width, least = self._size
        height = least
        for _ in range(_MAX_GROWTH):
            if document.page_count == 1:
                break
            height *= 2
            document.layout(width=width, height=height, fontsize=11)
        if height == least or document.page_count > 1:
            return height
        bottom = max((word[3] for word in document[0].get_text("words")), default=height)
        trimmed = min(height, bottom + _MARGIN)
        document.layout(width=width, height=trimmed, fontsize=11)
        if document.page_count == 1:
            return float(trimmed)
        document.layout(width=width, height=height, fontsize=11)
        return height


def _clean(part: Part) -> Part:
    """Without what no one sees, and what HTML cannot hold."""
    rows = tuple(
        tuple(
            TableCell(_seen(cell.text), cell.column, cell.columns, cell.rows, cell.again)
            for cell in row
        )
        for row in part.rows
    )
    return Part(part.kind, _seen(part.text), part.level, rows)


def _seen(text: str) -> str:
    text = text.encode("utf-8", "replace").decode()
    return " ".join(_UNWRITABLE.sub("", text).split())


def _words(document: Any) -> Iterator[Placed]:
    import pymupdf

    flags = pymupdf.TEXTFLAGS_WORDS & ~pymupdf.TEXT_PRESERVE_LIGATURES
    for number, page in enumerate(document):
        for x0, y0, x1, y1, text, *_ in page.get_text("words", flags=flags):
            yield Placed(number, (x0, y0, x1, y1), text)


def _rows(part: Part) -> Drawn:
    """What is written of a part: a paragraph's words, or those of each cell of a table."""
    if not part.rows:
        return Drawn(part.kind, part.level, [[part.text.split()]])
    # Word has a column wherever any cell ends; those that no cell begins at say nothing.
    columns = sorted({cell.column for row in part.rows for cell in row})
    place = {column: i for i, column in enumerate(columns)}
    drawn = Drawn(part.kind, 0, [])
    for row in part.rows:
        cells: list[list[str]] = [[] for _ in columns]
        for cell in row:
            cells[place[cell.column]] = cell.text.split()
        drawn.again.update((len(drawn.rows), place[cell.column]) for cell in row if cell.again)
        drawn.rows.append(cells)
    return drawn


def _web_page(sheet: Iterable[Part]) -> str:
    body = "".join(map(_html, sheet))
    return f"<html><head><style>{_STYLE}</style></head><body>{body}</body></html>"


def _html(part: Part) -> str:
    if part.rows:
        rows = ("".join(map(_cell_html, row)) for row in part.rows)
        return f"<table>{''.join(f'<tr>{row}</tr>' for row in rows)}</table>"
    tag = f"h{part.level}" if part.kind == "heading" else "p"
    return f"<{tag}{_direction(part.text)}>{html.escape(part.text)}</{tag}>"


def _cell_html(cell: TableCell) -> str:
    if cell.again:
        return ""
    spans = f' colspan="{cell.columns}"' * (cell.columns > 1)
    spans += f' rowspan="{cell.rows}"' * (cell.rows > 1)
    return f"<td{spans}{_direction(cell.text)}>{html.escape(cell.text)}</td>"


def _direction(text: str) -> str:
    """By its first letter."""
    first = next((kind for kind in map(unicodedata.bidirectional, text) if kind in "LRAL"), "L")
    return ' dir="rtl"' if first in ("R", "AL") else ""
