"""PPTX: a page a slide, with its title as the heading, tables, grouped shapes, charts and notes.

MuPDF alone reads a presentation as one text without slides and tables.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rag.readers.office_format import office_format
from rag.readers.office_pictures import warning_of
from rag.readers.sheets import Part, Sheets, TableCell
from rag.readers.word_numbering import counted
from rag.readers.word_table import GridCell, table_parts

_A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_P = "{http://schemas.openxmlformats.org/presentationml/2006/main}"
_SIZE = (720.0, 405.0)  # points: 16 to 9
_ROW = 0.04  # of the slide's height: shapes that begin so near each other stand side by side
_AUTO = {"alphaLc": "lowerLetter", "alphaUc": "upperLetter", "romanLc": "lowerRoman",
         "romanUc": "upperRoman"}  # fmt: skip
_MAX_DEPTH = 50  # groups in groups


def _open(path: Path) -> Any:
    import pptx

    return pptx.Presentation(str(path))


def _sheets(presentation: Any) -> Sheets:
    slides = list(presentation.slides)
    if not slides:
        raise ValueError("no slides")
    row = _ROW * float(presentation.slide_height or 6858000)
    repeated: set[str] = set()
    sheets = Sheets([list(_slide(s, row, repeated)) for s in slides], whole=True, size=_SIZE)
    hidden = [str(n) for n, slide in enumerate(slides, 1) if slide.element.get("show") == "0"]
    if hidden:
        sheets.warnings = (f"hidden slides, read as the others: {', '.join(hidden)}",)
    sheets.warnings += warning_of(slide.element for slide in slides)
    return sheets


def _slide(slide: Any, row: float, repeated: set[str]) -> Iterator[Part]:
    """The title first, the notes last, the rest as it stands from top to bottom."""
    title = slide.shapes.title
    if title is not None and (text := " ".join(title.text_frame.text.split())):
        yield Part("heading", text, 1)
    for shape in _in_order(slide.shapes, row):
        if title is None or shape.shape_id != title.shape_id:
            yield from _shape(shape, row, repeated, 0)
    if slide.has_notes_slide and (frame := slide.notes_slide.notes_text_frame) is not None:
        lines = [" ".join(line.split()) for line in frame.text.splitlines()]
        for number, line in enumerate(filter(None, lines)):
            yield Part("text", line if number else f"Notes: {line}")


def _in_order(shapes: Any, row: float) -> list[Any]:
    """By rows from top to bottom, in them from left to right. Placeholders without a place of
    their own have their layout's."""
    placed = [(shape.top or 0, shape.left or 0, shape) for shape in shapes]
    placed.sort(key=lambda place: place[0])
    rows: list[list[tuple[int, int, Any]]] = []
    for place in placed:
        if rows and place[0] - rows[-1][0][0] <= row:
            rows[-1].append(place)
        else:
            rows.append([place])
    return [shape for line in rows for _, _, shape in sorted(line, key=lambda place: place[1])]


def _shape(shape: Any, row: float, repeated: set[str], depth: int) -> Iterator[Part]:
    if _is_hidden(shape):
        return
    if hasattr(shape, "shapes") and depth < _MAX_DEPTH:
        for inner in _in_order(shape.shapes, row):
            yield from _shape(inner, row, repeated, depth + 1)
    elif getattr(shape, "has_table", False):
        yield from _table(shape.table)
    elif getattr(shape, "has_chart", False):
        yield from _chart(shape.chart)
    elif shape.has_text_frame:
        if _is_running(shape):  # a foot or date: once in the presentation; the number never
            text = shape.text_frame.text.strip()
            if text in repeated or shape.placeholder_format.type.name == "SLIDE_NUMBER":
                return
            repeated.add(text)
        yield from _paragraphs(shape.text_frame, bulleted=_is_body(shape))
    else:
        yield from _diagram(shape)


def _is_hidden(shape: Any) -> bool:
    named = next(shape.element.iter(f"{_P}cNvPr"), None)
    return named is not None and named.get("hidden") in ("1", "true")


def _is_running(shape: Any) -> bool:
    names = ("FOOTER", "DATE", "SLIDE_NUMBER", "HEADER")
    return bool(shape.is_placeholder) and shape.placeholder_format.type.name in names


def _is_body(shape: Any) -> bool:
    """A placeholder whose paragraphs have bullets, unless it says otherwise."""
    names = ("BODY", "OBJECT")
    return bool(shape.is_placeholder) and shape.placeholder_format.type.name in names


def _paragraphs(frame: Any, *, bulleted: bool) -> Iterator[Part]:
    counts: dict[int, int] = {}
    for paragraph in frame.paragraphs:
        text = " ".join(_text(paragraph).split())
        if not text:
            continue
        level = paragraph.level
        counts = {deeper: count for deeper, count in counts.items() if deeper <= level}
        label = _label(paragraph, level, counts) or ("•" if bulleted and _may(paragraph) else "")
        yield Part("list" if label else "text", f"{label} {text}" if label else text)


def _text(paragraph: Any) -> str:
    """With the fields in it (dates), and its line breaks as spaces."""
    found = paragraph._p.iter(f"{_A}t", f"{_A}br")
    return "".join((leaf.text or "") if leaf.tag == f"{_A}t" else " " for leaf in found)


def _may(paragraph: Any) -> bool:
    """Whether it has the bullet that its placeholder gives."""
    properties = paragraph._p.pPr
    return properties is None or properties.find(f"{_A}buNone") is None


def _label(paragraph: Any, level: int, counts: dict[int, int]) -> str:
    properties = paragraph._p.pPr
    auto = None if properties is None else properties.find(f"{_A}buAutoNum")
    if auto is not None:
        start = auto.get("startAt", "1")
        counts[level] = counts.get(level, int(start) - 1) + 1
        kind = auto.get("type", "arabicPeriod")
        family = next((ours for theirs, ours in _AUTO.items() if kind.startswith(theirs)), "")
        number = counted(counts[level], family or "decimal")
        if kind.endswith("ParenBoth"):
            return f"({number})"
        return f"{number})" if kind.endswith("ParenR") else f"{number}."
    counts.pop(level, None)
    bullet = None if properties is None else properties.find(f"{_A}buChar")
    return "•" if bullet is not None or level else ""


def _table(table: Any) -> Iterator[Part]:
    rows = []
    for row in table.rows:
        cells: list[GridCell] = []
        for column, cell in enumerate(row.cells):
            text = " ".join(" ".join(_text(p).split()) for p in cell.text_frame.paragraphs).strip()
            if cell.is_spanned and not text and _beside(cells, column):
                continue
            below = cell.is_spanned and not text
            width = len(table.columns) - column  # what a hostile file says may be anything
            columns = max(1, min(cell.span_width, width)) if cell.is_merge_origin else 1
            cells.append(GridCell(text, column, columns, below))
        rows.append(cells)
    yield from table_parts(rows)


def _beside(cells: Sequence[GridCell], column: int) -> bool:
    """Whether the cell to the left reaches over this column."""
    return bool(cells) and cells[-1].column + cells[-1].columns > column


def _chart(chart: Any) -> Iterator[Part]:
    """Its title, and its numbers as a table: a row a category."""
    if chart.has_title and chart.chart_title.has_text_frame:
        yield Part("text", chart.chart_title.text_frame.text)
    for plot in chart.plots:
        names = [str(label) for label in plot.categories]
        series = [(str(one.name), list(one.values)) for one in plot.series]
        rows = [["", *(name for name, _ in series)]]
        for i, name in enumerate(names):
            rows.append([name, *(_number(values, i) for _, values in series)])
        if len(rows) > 1 and series:
            yield Part("table", rows=tuple(
                tuple(TableCell(text, column) for column, text in enumerate(row)) for row in rows
            ))  # fmt: skip


def _number(values: Sequence[Any], index: int) -> str:
    value = values[index] if index < len(values) else None
    return "" if value is None else f"{value:.15g}"


def _diagram(shape: Any) -> Iterator[Part]:
    """The texts of SmartArt, in the order of its data."""
    relations = shape.part.rels
    for element in shape.element.iter():
        for name, value in element.attrib.items():
            if name.endswith("}dm") and value in relations and not relations[value].is_external:
                from pptx.oxml import parse_xml

                root = parse_xml(relations[value].target_part.blob)
                for paragraph in root.iter(f"{_A}p"):
                    text = "".join(t.text or "" for t in paragraph.iter(f"{_A}t"))
                    if text.strip():
                        yield Part("list", f"• {text}")


PPTX = office_format("presentation", frozenset({".pptx", ".pptm"}), _open, _sheets)
