"""The fields of a PDF's forms (AcroForm): what each says, and where on the page it stands.

Read from the PDF's own objects: PyMuPDF's list of widgets takes a time that grows with the square
of their number. Scripts of fields are not looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from rag.types import Box

_UNSEEN = 0b100010  # flags of an annotation: hidden, not shown on screens
_PASSWORD, _COMB, _PUSH_BUTTON = 1 << 13, 1 << 24, 1 << 16  # flags of a field
_MAX_TEXT = 100_000  # characters of one field
_MAX_OPTIONS = 1000

FieldKind = Literal["text", "tick", "list"]


@dataclass(frozen=True, slots=True)
class Field:
    """A field at one place. `values` are the lines of a text or the chosen options; `options` all
    that a list offers; `label` what the PDF says of the field, which its page does not show."""

    kind: FieldKind
    box: Box
    values: tuple[str, ...] = ()
    ticked: bool = False
    comb: bool = False  # a letter a cell
    options: tuple[str, ...] = ()
    label: str = ""


def fields_of(page: Any) -> list[Field]:
    """Of a pymupdf page of a PDF. A field that is broken costs only itself."""
    from pymupdf import mupdf

    found = []
    drawn = _NeedsDrawing(page.parent)
    matrix = page.transformation_matrix * page.rotation_matrix
    for xref, *_ in page.annot_xrefs():
        try:
            widget = mupdf.pdf_load_object(drawn.pdf, xref)
            if mupdf.pdf_to_name(mupdf.pdf_dict_gets(widget, "Subtype")) != "Widget":
                continue
            box = _box(widget, matrix, page.rect)
            field = _field(widget, box, values_count=drawn.by_value)
        except (RuntimeError, ValueError, mupdf.FzErrorBase):
            continue
        if field is not None:
            found.append(field)
    return found


class _NeedsDrawing:
    """Whether the appearances of a document's fields are out of date: it says so of itself."""

    def __init__(self, document: Any) -> None:
        from pymupdf import mupdf

        self.pdf = mupdf.pdf_document_from_fz_document(document.this)
        kind, value = document.xref_get_key(document.pdf_catalog(), "AcroForm/NeedAppearances")
        self.by_value = (kind, value) == ("bool", "true")


def _field(widget: Any, box: Box, *, values_count: bool) -> Field | None:
    """None where it shows nothing that could be read."""
    from pymupdf import mupdf

    if mupdf.pdf_to_int(mupdf.pdf_dict_gets(widget, "F")) & _UNSEEN or _is_empty(box):
        return None
    kind = mupdf.pdf_to_name(_inherited(widget, "FT"))
    flags = mupdf.pdf_to_int(_inherited(widget, "Ff"))
    label = _label(widget)
    if kind == "Btn" and not flags & _PUSH_BUTTON:
        return Field("tick", box, ticked=_is_ticked(widget, values_count), label=label)
    if kind == "Tx" and not flags & _PASSWORD:
        lines = tuple(_text(_inherited(widget, "V")).splitlines())
        return Field("text", box, lines, comb=bool(flags & _COMB), label=label)
    if kind == "Ch":
        return _choice(widget, box, label)
    return None


def _choice(widget: Any, box: Box, label: str) -> Field:
    """A choice is stored as its export value, and shown as its text."""
    from pymupdf import mupdf

    pairs = [_option(option) for option in _items(_inherited(widget, "Opt"))]
    shown: dict[str, str] = {}
    for export, text in pairs:
        shown.setdefault(export, text)
    stored = _inherited(widget, "V")
    values = _items(stored) if mupdf.pdf_is_array(stored) else [stored]
    chosen = tuple(shown.get(value, value) for value in map(_text, values) if value)
    is_box = mupdf.pdf_to_int(_inherited(widget, "Ff")) & 1 << 17  # a drop-down list
    options = () if is_box else tuple(text for _, text in pairs)
    return Field("text" if is_box else "list", box, chosen, options=options, label=label)


def _option(option: Any) -> tuple[str, str]:
    """What is stored, and what is shown."""
    from pymupdf import mupdf

    parts = list(_items(option)) if mupdf.pdf_is_array(option) else [option]
    texts = [_text(part) for part in parts] or [""]
    return texts[0], texts[-1]


def _is_ticked(widget: Any, values_count: bool) -> bool:
    """By the state that is drawn; by the field's value where none is, or where the document says
    that drawings are out of date."""
    from pymupdf import mupdf

    normal = mupdf.pdf_dict_getp(widget, "AP/N")
    count = min(mupdf.pdf_dict_len(normal), _MAX_OPTIONS) if mupdf.pdf_is_dict(normal) else 0
    names = {mupdf.pdf_to_name(mupdf.pdf_dict_get_key(normal, i)) for i in range(count)} - {"Off"}
    state = mupdf.pdf_to_name(mupdf.pdf_dict_gets(widget, "AS"))
    value = _text(_inherited(widget, "V"))
    if value and (values_count or not state):
        return value in names if names else value != "Off" and state in ("", value)
    return state not in ("", "Off")


def _label(widget: Any) -> str:
    """The field's description (that viewers show under the mouse), else ""."""
    return " ".join(_text(_inherited(widget, "TU")).split())


def _inherited(widget: Any, key: str) -> Any:
    from pymupdf import mupdf

    return mupdf.pdf_dict_gets_inheritable(widget, key)


def _items(array: Any) -> Iterator[Any]:
    from pymupdf import mupdf

    if mupdf.pdf_is_array(array):
        for i in range(min(mupdf.pdf_array_len(array), _MAX_OPTIONS)):
            yield mupdf.pdf_array_get(array, i)


def _text(value: Any) -> str:
    """Of a string, a name or a stream."""
    from pymupdf import mupdf

    if mupdf.pdf_is_stream(value):
        return str(mupdf.pdf_load_stream_or_string_as_utf8(value))[:_MAX_TEXT]
    if mupdf.pdf_is_string(value):
        return str(mupdf.pdf_to_text_string(value))[:_MAX_TEXT]
    return str(mupdf.pdf_to_name(value))


def _box(widget: Any, matrix: Any, page: Any) -> Box:
    """What of the field is on the page, as it is displayed; empty where nothing is."""
    import pymupdf
    from pymupdf import mupdf

    rect = mupdf.pdf_to_rect(mupdf.pdf_dict_gets(widget, "Rect"))
    placed = (pymupdf.Rect(rect.x0, rect.y0, rect.x1, rect.y1) * matrix).normalize()
    placed = placed & page
    return placed.x0, placed.y0, placed.x1, placed.y1


def _is_empty(box: Box) -> bool:
    return box[2] - box[0] < 1 or box[3] - box[1] < 1
