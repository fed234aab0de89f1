"""XLSX workbooks: each sheet begins a page, its name as the heading, its rows as a table."""

from __future__ import annotations

import datetime
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from rag.config import Extraction
from rag.readers.base import Content, ExtraTime, Format
from rag.readers.office_file import NOT_READ, check_size
from rag.readers.pdf import read_pdf
from rag.readers.text import text_pages

if TYPE_CHECKING:
    from openpyxl.workbook.workbook import Workbook

_PAGE_CHARACTERS = 3000  # as a text file's


def read_xlsx(path: Path, limits: Extraction, *, password: str | None, extra: ExtraTime) -> Content:
    """As Read. What openpyxl cannot read is left to PyMuPDF, which asks for less."""
    check_size(path, limits)
    try:
        texts = list(_sheets(path))
    except NOT_READ:
        return read_pdf(path, limits, password=password, extra=extra)
    pages = [page for text in texts for page in text_pages(text, markdown=True)]
    return Content(tuple(replace(page, number=n) for n, page in enumerate(pages, 1)))


XLSX = Format(
    "workbook", frozenset({".xlsx"}), lambda head: head.startswith(b"PK"), read_xlsx, drawable=False
)


def _sheets(path: Path) -> Iterator[str]:
    """Markdown, about a page of rows at a time; each begins with the sheet's name and first row."""
    from openpyxl import load_workbook

    with warnings.catch_warnings():  # of styles and extensions that do not concern the text
        warnings.simplefilter("ignore")
        workbook = load_workbook(path, read_only=True, data_only=True)
        try:
            for name, rows in _tables(workbook):
                yield from _parts(name, rows)
        finally:
            workbook.close()


def _tables(workbook: Workbook) -> Iterator[tuple[str, list[str]]]:
    for sheet in workbook.worksheets:
        # Read-only sheets believe the size that the file states, which some programs get wrong.
        if hasattr(sheet, "reset_dimensions"):
            sheet.reset_dimensions()
        rows = [_row(row) for row in sheet.iter_rows(values_only=True)]
        yield sheet.title, [row for row in rows if row.strip("| ")]


def _parts(name: str, rows: list[str]) -> Iterator[str]:
    if not rows:
        return
    head, *body = rows
    part: list[str] = []
    start = length = len(name) + len(head)
    for row in body:
        if part and length + len(row) + 1 > _PAGE_CHARACTERS:
            yield _table(name, head, part)
            part, length = [], start
        part.append(row)
        length += len(row) + 1  # its line break
    yield _table(name, head, part)


def _table(name: str, head: str, rows: list[str]) -> str:
    return "\n".join([f"# {name}", "", head, *rows])


def _row(values: tuple[object, ...]) -> str:
    cells = [_cell(value) for value in values]
    while cells and not cells[-1]:
        cells.pop()
    return f"| {' | '.join(cells)} |"


def _cell(value: object) -> str:
    """Dates as ISO 8601 writes them, without a time of day that says nothing."""
    if isinstance(value, datetime.datetime):
        midnight = value.time() == datetime.time()
        return value.date().isoformat() if midnight else value.isoformat(" ")
    if value is None:
        return ""
    return " ".join(str(value).replace("|", "\\|").split())
