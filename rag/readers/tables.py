"""Tables from word positions alone: rows by baseline, columns by the gaps between their cells.

It sees what it needs to in filings (labels and numbers, no rules drawn) at a hundredth of the
price of layout analysis.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rag.readers.reading_order import Cell, Row

_YEAR = re.compile(r"(FY\s?)?(19|20)\d\d[)*]?")
_UNITS = re.compile(r"\(.*\)|.*\b(in|millions|thousands|billions)\b.*", re.IGNORECASE)
_STEP = 2.0  # points: resolution of the column profile
_MIN_GAP = 4.0  # points between two columns
_MAX_HEADER_ROWS = 5
_MAX_INSERTS = 6  # rows of one cell (labels, wrapped text) between two rows of a table


@dataclass(slots=True)
class Table:
    """`header` and `body` are grids: rows of columns, each a list of cells (often one or none)."""

    header: list[list[Cell]]  # the header rows joined column by column; empty where there is none
    body: list[list[list[Cell]]]
    rows: list[Row]


@dataclass(frozen=True, slots=True)
class _Column:
    x0: float
    x1: float


def split_tables(rows: Sequence[Row]) -> list[Table | Row]:
    """The rows of a region in order, those that make up a table replaced by it."""
    parts: list[Table | Row] = []
    i = 0
    while i < len(rows):
        end = _run_end(rows, i)
        columns = _columns(rows[i:end]) if end else []
        if end is None or len(columns) < 2:
            parts.append(rows[i])
            i += 1
            continue
        above: list[Row] = []
        while (
            parts and isinstance(parts[-1], Row) and _heads(parts[-1], columns, above or rows[i:])
        ):
            above.insert(0, parts.pop())  # type: ignore[arg-type]
        table = _table([*above, *rows[i:end]], columns)
        parts += [table] if _plausible(table) else table.rows
        i = end
    return parts


def _run_end(rows: Sequence[Row], start: int) -> int | None:
    """The end of the table that starts at this row, or None."""
    if not rows[start].tabular:
        return None
    end, count, numbers = start + 1, 1, _numbers(rows[start])
    for i in range(start + 1, len(rows)):
        row = rows[i]
        if row.y0 - rows[i - 1].y1 > 3.5 * row.size or _is_prose(row, rows[start:end]):
            break
        if row.size > rows[start].size + 1.5:
            break  # a heading
        if row.tabular:
            end, count, numbers = i + 1, count + 1, numbers + _numbers(row)
        elif i - end >= _MAX_INSERTS:
            break
    return end if count >= 3 or (count == 2 and numbers >= 2) else None


def _numbers(row: Row) -> int:
    return sum(cell.numeric for cell in row.cells[1:])


def _is_prose(row: Row, table: Sequence[Row]) -> bool:
    """A line of running text that reaches through the table's columns."""
    if row.tabular:
        return False
    right = max(other.x1 for other in table)
    left = min(other.x0 for other in table)
    return len(row.words) > 7 and row.x1 - row.x0 > 0.75 * (right - left)


def _columns(rows: Sequence[Row]) -> list[_Column]:
    """Columns as the stretches of x between gaps that (almost) no row of several cells covers."""
    rows = [row for row in rows if row.tabular]
    body = [row for row in rows if not _is_header(row)] or rows
    left = min(row.x0 for row in body)
    bins = [0] * (int((max(row.x1 for row in body) - left) / _STEP) + 1)
    for row in body:
        for cell in row.cells:
            for i in range(int((cell.x0 - left) / _STEP), int((cell.x1 - left) / _STEP) + 1):
                bins[min(i, len(bins) - 1)] += 1
    return _stretches(bins, left, allowed=len(body) // 20)


def _stretches(bins: Sequence[int], left: float, *, allowed: int) -> list[_Column]:
    columns: list[_Column] = []
    for i, count in enumerate(bins):
        if count <= allowed:
            continue
        x0, x1 = left + i * _STEP, left + (i + 1) * _STEP
        if columns and x0 - columns[-1].x1 < _MIN_GAP:
            columns[-1] = _Column(columns[-1].x0, x1)
        else:
            columns.append(_Column(x0, x1))
    return columns


def _is_header(row: Row) -> bool:
    """No number but years: the row names the columns."""
    numbers = [cell for cell in row.cells if cell.numeric]
    return all(_YEAR.fullmatch(cell.text) for cell in numbers)


def _heads(row: Row, columns: Sequence[_Column], below: Sequence[Row]) -> bool:
    """A row right above a table that stands over its number columns (years, units)."""
    if below[0].y0 - row.y1 > 1.6 * row.size or row.x0 < columns[0].x0 - 20:
        return False
    over = [
        cell for cell in row.cells if cell.x0 >= columns[1].x0 - 60 and cell.x0 > columns[0].x0 + 40
    ]
    return bool(over) and len(over) >= len(row.cells) - 1 and len(row.words) < 16


def _table(rows: list[Row], columns: Sequence[_Column]) -> Table:
    grid = [_spread(row, columns) for row in rows]
    heads = 0
    while heads < min(len(rows) - 1, _MAX_HEADER_ROWS) and _leads(rows[heads], grid[heads]):
        heads += 1
    header = [[cell for row in grid[:heads] for cell in row[i]] for i in range(len(columns))]
    return Table(header if heads else [], grid[heads:], rows)


def _plausible(table: Table) -> bool:
    """Filled, or full of numbers; the labels around a drawing are neither."""
    cells = [column for row in table.body for column in row]
    filled = [column for column in cells if column]
    numbers = sum(cell.numeric for column in filled for cell in column)
    return len(filled) >= 0.5 * len(cells) or numbers >= 0.3 * len(filled)


def _leads(row: Row, spread: list[list[Cell]]) -> bool:
    if row.filled or not _is_header(row):
        return False
    return any(spread[1:]) or _UNITS.fullmatch(row.text) is not None


def _spread(row: Row, columns: Sequence[_Column]) -> list[list[Cell]]:
    spread: list[list[Cell]] = [[] for _ in columns]
    for cell in row.cells:
        spread[_place(cell, columns)].append(cell)
    return spread


def _place(cell: Cell, columns: Sequence[_Column]) -> int:
    """The first column that the cell overlaps, else the nearest."""
    for i, column in enumerate(columns):
        if min(cell.x1, column.x1) - max(cell.x0, column.x0) > 0:
            return i
    middle = (cell.x0 + cell.x1) / 2
    return min(range(len(columns)), key=lambda i: abs((columns[i].x0 + columns[i].x1) / 2 - middle))
