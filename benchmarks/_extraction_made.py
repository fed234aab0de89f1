"""Pages made for benchmarks/extraction.py, whose text and cells are known."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks._extraction_words import pairs_of, words_of
from benchmarks._ingest_parts import words
from rag.config import Extraction
from rag.readers.document import parse_document

_SIZE = 9.0  # points
_PAGE = (595.0, 842.0)
Rows = Sequence[Sequence[str]]


def order_kept(columns: int, pages: int, file: Path) -> float:
    """Of neighbouring words in columns of running text, the share that are neighbours when read."""
    import pymupdf

    chance, kept, total = random.Random(columns), 0, 0
    width = (_PAGE[0] - 100) / columns
    for _ in range(pages):
        with pymupdf.open() as document:
            page, said = document.new_page(width=_PAGE[0], height=_PAGE[1]), []
            for column in range(columns):
                said += _column(page, 50 + column * width, width - 20, chance)
            document.save(file)
        found = set(pairs_of(words_of(_parsed(file))))
        pairs = list(pairs_of(words_of(" ".join(said))))
        kept, total = kept + sum(pair in found for pair in pairs), total + len(pairs)
    return kept / total


def _column(page: Any, x: float, width: float, chance: random.Random) -> list[str]:
    import pymupdf

    said: list[str] = []
    row: list[str] = []
    y = 60.0
    while y < 780:
        word = next(iter(words_of(words(chance, 1))), "and")
        if pymupdf.get_text_length(" ".join([*row, word]), fontsize=_SIZE) > width:
            page.insert_text((x, y), " ".join(row), fontsize=_SIZE)
            said, row, y = [*said, *row], [], y + _SIZE * 1.3
        row.append(word)
    return said


def cells_kept(tables: Path, count: int, file: Path, *, ruled: bool) -> float:
    """Of the cells beside a label, the share that stand in one row with it when read."""
    kept = total = 0
    with tables.open(encoding="utf-8") as source:
        found = (item["table"]["table"] for item in json.load(source))
        for rows in islice((rows for rows in found if _fits(rows)), count):
            _draw_table(rows, file, ruled=ruled)
            read = [
                [cell.strip() for cell in line.strip("|").split("|")]
                for line in _parsed(file).splitlines()
                if line.startswith("|")
            ]
            for row in rows:
                for cell in filter(str.strip, row[1:]):
                    if row[0].strip():
                        total += 1
                        kept += any(_same(r[0], row[0]) and _holds(r[1:], cell) for r in read)
    return kept / total


def _same(one: str, other: str) -> bool:
    return words_of(one) == words_of(other)


def _holds(cells: Sequence[str], cell: str) -> bool:
    return any(cell.replace(" ", "") == other.replace(" ", "") for other in cells)


def _fits(rows: Rows) -> bool:
    widths = [len(row) for row in rows]
    return len(rows) <= 40 and max(widths) <= 6 and max(len(row[0]) for row in rows) <= 44


def _draw_table(rows: Rows, file: Path, *, ruled: bool) -> None:
    import pymupdf

    with pymupdf.open() as document:
        page = document.new_page(width=_PAGE[0], height=_PAGE[1])
        for i, row in enumerate(rows):
            y = 80 + i * _SIZE * 1.7
            for j, text in enumerate(row):
                length = pymupdf.get_text_length(text, fontsize=_SIZE)
                x = 50.0 if j == 0 else 240 + j * 62 - length
                page.insert_text((x, y), text, fontsize=_SIZE)
            if ruled:
                page.draw_line((46, y + 4), (250 + (len(row) - 1) * 62, y + 4), width=0.5)
        document.save(file)


def _parsed(file: Path) -> str:
    parsed = parse_document(file, Extraction(ocr=False), password=None)
    return "\n".join(page.text for page in parsed.pages)
