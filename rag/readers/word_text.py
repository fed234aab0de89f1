"""The text of a paragraph of a word processor's file, as its final version shows it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from rag.readers.symbol_fonts import sign

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_MC = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"
_MATH = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"
BREAK = "\f"  # a page ends here

# Deleted, moved away, instructions of fields, what is read above its base.
_LEFT_OUT = {f"{W}{name}" for name in ("del", "moveFrom", "instrText", "delText", "rt", "pPr")}
_LEFT_OUT |= {f"{_MC}Fallback"}
# Formulas: what is set below or above is written after a sign.
_SET = {f"{_MATH}den": "/", f"{_MATH}sup": "^", f"{_MATH}sub": "_"}
_PLAIN = {f"{W}tab": " ", f"{W}cr": " ", f"{W}noBreakHyphen": "-", f"{W}ptab": " "}


@dataclass(slots=True)
class Paragraph:
    """`boxes` are the text boxes that hang on it, `notes` the ids of its notes, in order."""

    text: str = ""
    boxes: list[Any] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)  # "footnote" or "endnote", id


class Writer:
    """Writes out paragraphs. `laid_out`: the file says where its program ended pages; else only
    breaks that its author put are page breaks."""

    def __init__(self, *, laid_out: bool) -> None:
        self._laid_out = laid_out
        self._numbers: dict[tuple[str, str], int] = {}
        self.changes = 0

    def paragraph(self, element: Any) -> Paragraph:
        written = Paragraph()
        written.text = "".join(self._texts(element, written))
        return written

    def number(self, note: tuple[str, str]) -> int:
        """Of a note: they are counted through in the order of their marks."""
        return self._numbers.setdefault(note, len(self._numbers) + 1)

    def _texts(self, element: Any, into: Paragraph) -> list[str]:
        texts: list[str] = []
        for child in element:
            tag = child.tag
            if not isinstance(tag, str):
                continue
            if tag in _LEFT_OUT:
                self.changes += tag in (f"{W}del", f"{W}moveFrom")
            elif tag == f"{W}txbxContent":
                into.boxes.append(child)
            elif tag == f"{W}r" and _is_hidden(child):
                continue
            elif tag in _SET:
                texts.append(_after_sign(_SET[tag], "".join(self._texts(child, into)).strip()))
            elif (text := self._sign(child, into)) is not None:
                texts.append(text)
            else:
                self.changes += tag in (f"{W}ins", f"{W}moveTo")
                texts += self._texts(child, into)
        return texts

    def _sign(self, child: Any, into: Paragraph) -> str | None:
        """What a leaf writes; None where it is none."""
        tag = child.tag
        if tag in (f"{W}t", f"{_MATH}t"):
            return child.text or ""
        if tag in _PLAIN:
            return _PLAIN[tag]
        if tag == f"{W}br":
            paged = child.get(f"{W}type") == "page"
            return BREAK if paged and not self._laid_out else " "
        if tag == f"{W}lastRenderedPageBreak":
            return BREAK if self._laid_out else ""
        if tag == f"{W}sym":
            return _symbol(child)
        if tag == f"{W}checkBox":
            return _tick(child)
        if tag in (f"{W}footnoteReference", f"{W}endnoteReference"):
            note = (tag[len(W) : -len("Reference")], child.get(f"{W}id", ""))
            into.notes.append(note)
            return f"[{self.number(note)}]"
        return None


def _after_sign(sign_: str, text: str) -> str:
    return f"{sign_}{text if text.isalnum() else f'({text})'}" if text else ""


def _is_hidden(run: Any) -> bool:
    vanish = run.find(f"{W}rPr/{W}vanish")
    return vanish is not None and is_on(vanish)


def _symbol(element: Any) -> str:
    try:
        return sign(element.get(f"{W}font", ""), chr(int(element.get(f"{W}char", ""), 16)))
    except (ValueError, OverflowError):
        return ""


def _tick(box: Any) -> str:
    """Of a form field of the old kind, which has no text."""
    state = box.find(f"{W}checked")
    if state is None:
        state = box.find(f"{W}default")
    return "[x] " if state is not None and is_on(state) else "[ ] "


def is_on(element: Any) -> bool:
    """Of a property that is on where it stands, unless it says otherwise."""
    return element.get(f"{W}val", "true") not in ("0", "false", "off", "none")
