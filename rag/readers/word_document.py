"""DOCX: what the word processor shows of the final version, with its structure and its numbers.

MuPDF alone drops the numbers of lists and headings, and reads tables cell by cell as paragraphs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rag.readers.office_format import office_format
from rag.readers.office_pictures import warning_of
from rag.readers.sheets import A4, Part, Sheets
from rag.readers.word_numbering import Numbering
from rag.readers.word_styles import Styles
from rag.readers.word_table import GridCell, table_parts
from rag.readers.word_text import BREAK, Paragraph, W, Writer, is_on

_MACRO_ENABLED = "application/vnd.ms-word.document.macroEnabled.main+xml"
# What only holds other parts of the text.
_WRAPPERS = {f"{W}{name}" for name in ("sdt", "sdtContent", "ins", "moveTo", "customXml", "body")}
_INCHES = 20  # twentieths of a point


def _open(path: Path) -> Any:
    import docx
    from docx.opc.constants import CONTENT_TYPE as CT
    from docx.opc.part import PartFactory

    # Macros are parts of their own, which nobody looks into.
    types = PartFactory.part_type_for
    types.setdefault(_MACRO_ENABLED, types[CT.WML_DOCUMENT_MAIN])
    part = docx.package.Package.open(str(path)).main_document_part
    return part.document


def _sheets(document: Any) -> Sheets:
    walk = _Walk(document)
    sheets = Sheets(list(walk.sheets()), whole=walk.laid_out, size=_size(document))
    sheets.warnings = walk.warnings()
    return sheets


def _size(document: Any) -> tuple[float, float]:
    """The paper of the first section, in points."""
    size = document.element.find(f".//{W}pgSz")
    try:
        found = tuple(float(size.get(f"{W}{side}")) / _INCHES for side in ("w", "h"))
    except (AttributeError, TypeError, ValueError):
        return A4
    return (found[0], found[1]) if all(200 <= side <= 3000 for side in found) else A4


class _Walk:
    """Goes through a document once."""

    def __init__(self, document: Any) -> None:
        self._part = document.part
        self._body = document.element.body
        self._styles = Styles(self._related("styles"))
        self._numbering = Numbering(self._related("numbering"))
        self.laid_out = self._body.find(f".//{W}lastRenderedPageBreak") is not None
        self._writer = Writer(laid_out=self.laid_out)
        self._notes = {
            kind: {note.get(f"{W}id", ""): note for note in self._elements(f"{kind}s", kind)}
            for kind in ("footnote", "endnote")
        }

    def sheets(self) -> Iterator[list[Part]]:
        """Parts between one end of a page and the next."""
        sheet: list[Part] = list(self._running("header"))
        for part in self._parts(self._body):
            if part is None:
                yield sheet
                sheet = []
            else:
                sheet.append(part)
        yield [*sheet, *self._running("footer")]

    def warnings(self) -> tuple[str, ...]:
        told = []
        if comments := len(self._elements("comments", "comment")):
            told.append(f"comments not read: {comments}")
        if self._writer.changes:
            told.append("tracked changes are read as if accepted")
        return (*told, *warning_of([self._body]))

    def _parts(self, parent: Any) -> Iterator[Part | None]:
        """None stands for the end of a page."""
        for child in parent:
            if child.tag == f"{W}p":
                yield from self._paragraph(child)
            elif child.tag == f"{W}tbl":
                yield from self._table(child)
            elif child.tag in _WRAPPERS:
                yield from self._parts(child)

    def _paragraph(self, element: Any) -> Iterator[Part | None]:
        properties = element.find(f"{W}pPr")
        if not self.laid_out and properties is not None:
            before = properties.find(f"{W}pageBreakBefore")
            if before is not None and is_on(before):
                yield None
        written = self._writer.paragraph(element)
        kind, level, label = self._look(properties, written)
        for number, text in enumerate(written.text.split(BREAK)):
            if number:
                yield None
            if text.strip():
                yield Part(kind, f"{label} {text}".strip() if label else text, level)
                label = ""
        yield from self._hanging(written)
        if not self.laid_out and properties is not None and _ends_page(properties):
            yield None

    def _look(self, properties: Any, written: Paragraph) -> tuple[Any, int, str]:
        """Kind, level of a heading, and number. Empty paragraphs count no number, as Word has it
        only for lists that are typed."""
        level = self._styles.heading(properties)
        label = ""
        if written.text.strip(BREAK + " "):
            list_id, depth = self._styles.list_of(properties)
            label = self._numbering.label(list_id, depth) if list_id else ""
        if level:
            return "heading", level, label
        return ("list" if label else "text"), 0, label

    def _hanging(self, written: Paragraph) -> Iterator[Part | None]:
        """Text boxes and notes, after the paragraph that they belong to."""
        for box in written.boxes:
            yield from (part for part in self._parts(box) if part is not None)
        for kind, id_ in written.notes:
            if (note := self._notes[kind].pop(id_, None)) is not None:
                text = " ".join(self._lines(note))
                if text:
                    yield Part("text", f"[{self._writer.number((kind, id_))}] {text}")

    def _table(self, element: Any) -> Iterator[Part | None]:
        hanging: list[Part | None] = []
        rows: list[list[GridCell]] = []
        for row in _children(element, "tr"):
            if row.find(f"{W}trPr/{W}del") is not None:
                self._writer.changes += 1
                continue
            cells = list(self._cells(row, hanging))
            if rows and any(BREAK in cell.text for cell in cells):
                yield from table_parts(rows)
                yield None
                rows = rows[:1] if len(rows) > 1 else []
            for cell in cells:
                cell.text = " ".join(cell.text.replace(BREAK, " ").split())
            rows.append(cells)
        yield from table_parts(rows)
        yield from hanging

    def _cells(self, row: Any, hanging: list[Part | None]) -> Iterator[GridCell]:
        column = _number(row.find(f"{W}trPr/{W}gridBefore"), 0)
        for cell in _children(row, "tc"):
            properties = cell.find(f"{W}tcPr")
            span = merge = None
            if properties is not None:
                span, merge = properties.find(f"{W}gridSpan"), properties.find(f"{W}vMerge")
            goes_on = merge is not None and merge.get(f"{W}val", "continue") == "continue"
            columns = _number(span, 1)
            text = " ".join(self._lines(cell, hanging))
            yield GridCell(text, column, columns, goes_on and not text.strip())
            column += columns

    def _lines(self, parent: Any, hanging: list[Part | None] | None = None) -> Iterator[str]:
        """The texts of the paragraphs in a cell or note; a table in it by rows."""
        for child in parent:
            if child.tag == f"{W}p":
                written = self._writer.paragraph(child)
                _, _, label = self._look(child.find(f"{W}pPr"), written)
                if text := f"{label} {written.text}".strip():
                    yield text
                if hanging is not None:
                    hanging += self._hanging(written)
            elif child.tag == f"{W}tbl":
                for row in _children(child, "tr"):
                    cells = [" ".join(self._lines(cell, hanging)) for cell in _children(row, "tc")]
                    if any(cells):
                        yield f"{', '.join(filter(None, cells))};"
            elif child.tag in _WRAPPERS:
                yield from self._lines(child, hanging)

    def _running(self, kind: str) -> Iterator[Part]:
        """Heads or feet of all sections, each text once."""
        seen = set()
        for reference in self._body.iter(f"{W}{kind}Reference"):
            part = self._part.related_parts.get(reference.get(_RELATION, ""))
            root = getattr(part, "element", None)
            texts = [] if root is None else list(self._lines(root))
            text = " ".join(texts).replace(BREAK, " ").strip()
            if re.search(r"[^\W\d_]", text) and text not in seen:
                seen.add(text)
                yield Part("text", text)

    def _related(self, name: str) -> Any | None:
        """The root of a part beside the text, parsed; None without it."""
        from docx.oxml.parser import parse_xml

        for relation in self._part.rels.values():
            if relation.reltype.endswith(f"/{name}") and not relation.is_external:
                return parse_xml(relation.target_part.blob)
        return None

    def _elements(self, part: str, name: str) -> Sequence[Any]:
        root = self._related(part)
        return () if root is None else root.findall(f"{W}{name}")


_RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"


def _children(parent: Any, name: str) -> Iterator[Any]:
    """Rows of a table or cells of a row, also those in content controls."""
    for child in parent:
        if child.tag == f"{W}{name}":
            yield child
        elif child.tag in _WRAPPERS:
            yield from _children(child, name)


def _ends_page(properties: Any) -> bool:
    """The last paragraph of a section after which a page begins."""
    section = properties.find(f"{W}sectPr")
    if section is None:
        return False
    kind = section.find(f"{W}type")
    return kind is None or kind.get(f"{W}val") not in ("continuous", "nextColumn")


def _number(element: Any, default: int) -> int:
    try:
        return max(0, min(int(element.get(f"{W}val", default)), 200))
    except (AttributeError, TypeError, ValueError):
        return default


DOCX = office_format("Word document", frozenset({".docx", ".docm"}), _open, _sheets)
