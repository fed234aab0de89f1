"""The numbers of tables, each with what names it: label, heading, column head, caption, period."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from rag.arithmetic.heads import Head, column_heads
from rag.arithmetic.number_format import Written, decimal_comma, is_empty, written
from rag.arithmetic.periods import periods
from rag.arithmetic.scale import only_scale, scale_of
from rag.arithmetic.terms import DATE_TERMS, bare_label, named_terms

_RULE: Final = re.compile(r"\s*\|[\s:|-]+\|?\s*$")
_CAPTION: Final = 400  # characters above a table that may name it


@dataclass(frozen=True, slots=True)
class Figure:
    """A number at `text[start:end]`, in the row or sentence `text[row_start:row_end]`.

    `label`, `section`, `head` and `caption` hold the terms that name it; `line` is the same for the
    figures that differ in their period alone.
    """

    value: Decimal
    written: str
    unit: str  # "%", "$", "€", "£", "¥" or ""
    scale: int  # power of ten that the text gives the figure in
    start: int
    end: int
    row_start: int
    row_end: int
    name: str  # the label as it stands, for the reader
    label: frozenset[str]
    section: frozenset[str]
    head: frozenset[str]
    caption: frozenset[str]
    periods: frozenset[str]
    line: tuple[object, ...]
    source: int = 0  # which text
    column: str = ""  # the head as it stands, for the reader
    comma: bool = False  # decimals stand behind one
    sentence: bool = False  # of a sentence, whose words are `label`


@dataclass(frozen=True, slots=True)
class _Cell:
    text: str
    start: int


@dataclass(frozen=True, slots=True)
class _Row:
    start: int
    end: int
    cells: tuple[_Cell, ...]

    @property
    def label(self) -> str:
        return self.cells[0].text


def table_figures(text: str, language: str, source: int = 0) -> Iterator[Figure]:
    """Those of all Markdown tables of a text, which is number `source` of several."""
    for index, rows in enumerate(_tables(text)):
        for figure in _figures(text, rows, language, index):
            yield replace(figure, source=source, line=(source, *figure.line))


def _tables(text: str) -> Iterator[list[_Row]]:
    rows: list[_Row] = []
    for match in re.finditer(r"[^\n]+", text):
        line = match.group()
        if not line.lstrip().startswith("|"):
            if len(rows) > 1:
                yield rows
            rows = []
        elif not _RULE.match(line):
            rows.append(_Row(match.start(), match.end(), tuple(_cells(line, match.start()))))
    if len(rows) > 1:
        yield rows


def _cells(line: str, offset: int) -> Iterator[_Cell]:
    body = line.rstrip().removesuffix("|")
    for match in re.finditer(r"\|([^|]*)", body):
        own = match.group(1)
        yield _Cell(own.strip(), offset + match.start(1) + len(own) - len(own.lstrip()))


def _figures(text: str, rows: Sequence[_Row], language: str, index: int) -> Iterator[Figure]:
    comma = decimal_comma([cell.text for row in rows for cell in row.cells[1:]], language)
    above = text[max(0, rows[0].start - _CAPTION) : rows[0].start]
    caption = named_terms(f"{above.rsplit('.', 2)[-1]} {rows[0].label}", language)
    for part, (tops, body) in enumerate(_parts(rows, comma)):
        said = " ".join([above, *(cell.text for row in tops for cell in row.cells)])
        heads = column_heads([[cell.text for cell in row.cells] for row in tops], language)
        across = any(head.periods for head in heads[1:])
        scale = scale_of(said, last=True) or only_scale(text)
        table = _Table((index, part), heads, caption, scale, language, comma, across)
        section = ""
        for number, row in enumerate(body):
            if _has_figures(row, comma):
                below = body[number + 1] if number + 1 < len(body) else None
                goes_on = below and not _has_figures(below, comma) and _continues(below.label)
                label = f"{row.label} {below.label}" if goes_on and below else row.label
                yield from _row_figures(table, row, number, label, section)
            elif not _continues(row.label):
                section = " ".join(cell.text for cell in row.cells if cell.text) or section


def _parts(rows: Sequence[_Row], comma: bool) -> Iterator[tuple[list[_Row], list[_Row]]]:
    """The rows of heads and those below them; a table may have new heads further down."""
    tops: list[_Row] = []
    body: list[_Row] = []
    waiting: list[_Row] = []
    for row in rows:
        if _has_figures(row, comma):
            if _are_heads(waiting, first=not body):
                if body:
                    yield tops, body
                tops, body = waiting, []
            else:
                body += waiting
            waiting = []
            body.append(row)
        elif row.label and not body and not _filled(row) and _are_heads(waiting, first=False):
            tops, body, waiting = waiting, [row], []  # the first heading of the rows
        else:
            waiting.append(row)
    if body:
        yield tops, body


def _continues(label: str) -> bool:
    """Whether a row without figures is the second line of the label above."""
    return label[:1].islower() or (label[:1].isdigit() and label.endswith(")"))


def _are_heads(rows: Sequence[_Row], *, first: bool) -> bool:
    """Above the first figures all rows are heads; further down those that fill several columns
    without a label."""
    if first and rows:
        return True
    return any(_filled(row) > 1 and not row.label for row in rows)


def _filled(row: _Row) -> int:
    return sum(bool(cell.text) for cell in row.cells[1:])


@dataclass(frozen=True, slots=True)
class _Table:
    index: tuple[int, int]
    heads: tuple[Head, ...]
    caption: frozenset[str]
    scale: int
    language: str
    comma: bool
    across: bool  # the periods are the columns


def _row_figures(
    table: _Table, row: _Row, number: int, label: str, section: str
) -> Iterator[Figure]:
    label = bare_label(label)
    words = named_terms(label, table.language) or frozenset({"total"})
    around = named_terms(section, table.language)
    own = tuple(p.name for p in periods(label)) or tuple(p.name for p in periods(section))
    plain = words - DATE_TERMS - frozenset(own)
    for column, cell in enumerate(row.cells[1:], 1):
        found = written(cell.text, comma=table.comma)
        if found is None:
            continue
        head = (
            table.heads[column]
            if column < len(table.heads)
            else Head("", frozenset(), "", frozenset())
        )
        named = head.periods if table.across else own
        line: tuple[object, ...] = (table.index, "row", number, head.group)
        if not table.across:
            line = (table.index, "column", column, plain)
        yield Figure(
            found.value,
            cell.text,
            found.unit or ("%" if "%" in head.text or "%" in label else ""),
            _scale(found, table, head, label, section),
            cell.start,
            cell.start + len(cell.text),
            row.start,
            row.end,
            label or section,
            words,
            around,
            head.terms,
            table.caption,
            frozenset(named),
            line,
            column=" ".join(head.text.split()),
            comma=table.comma,
        )


def _scale(found: Written, table: _Table, head: Head, label: str, section: str) -> int:
    if found.unit == "%" or "%" in head.text or "%" in label:
        return 0
    for said in (label, section, head.text):
        if scale := scale_of(said):
            return scale
    return found.scale or table.scale


def _has_figures(row: _Row, comma: bool) -> bool:
    """Whether it has a number that is no year."""
    return any(
        written(cell.text, comma=comma) is not None
        and not is_empty(cell.text)
        and not (periods(cell.text) and len(cell.text) < 12)
        for cell in row.cells[1:]
    )
