"""Grids of merged cells, as office files have them, to the rows of a Part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rag.readers.sheets import Part, TableCell


@dataclass(slots=True)
class GridCell:
    """`goes_on`: it is the lower part of the cell above it."""

    text: str
    column: int
    columns: int = 1
    goes_on: bool = False
    rows: int = 1


def table_parts(rows: Sequence[Sequence[GridCell]]) -> list[Part]:
    """The table, its empty rows left out. What is no table but a frame around text is paragraphs:
    one column."""
    rows = [row for row in rows if any(cell.text or cell.goes_on for cell in row)]
    if max((cell.column + cell.columns for row in rows for cell in row), default=0) < 2:
        return [Part("text", cell.text) for row in rows for cell in row if cell.text]
    above: dict[int, GridCell] = {}
    for row in rows:
        for cell in row:
            if cell.goes_on and cell.column in above:
                above[cell.column].rows += 1
                cell.text = above[cell.column].text
            else:
                cell.goes_on = False
                above[cell.column] = cell
        kept = {cell.column for cell in row}
        above = {column: cell for column, cell in above.items() if column in kept}
    return [Part("table", rows=tuple(tuple(map(_table_cell, row)) for row in rows))]


def _table_cell(cell: GridCell) -> TableCell:
    return TableCell(cell.text, cell.column, cell.columns, cell.rows, again=cell.goes_on)
