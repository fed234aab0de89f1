"""What of a page can be read: one judgement, by the ink on it and the text that accounts for it.

Text that shows no ink is hidden (transparent, white on white, under a box): it is where
instructions to models are put. Transparent text that lies on writing is what OCR put under a scan.
Writing that no readable text accounts for is unread: a scan, outlines, or a font that says other
letters than it draws. What is a stamp and what is a page follows from how much of each there is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rag.readers.ink import Ink
from rag.readers.lines import Text
from rag.types import Box, Unread

_MIN_HEIGHT = 1.5  # points, of print on a page as large as A4: what is smaller no one reads
_A4 = 842.0
_RULE = 2.0  # points: a path thinner than this draws no letters
_MIN_CELLS = 6  # of unread writing (ink.py): a word or two
_MIN_SHARE = 0.15  # of all the writing; below it is a logo, a signature, the picture beside a text
_LAYER_SHARE = 0.25  # of transparent text that lies on writing, for it to be a scan's layer
_LAYER_GAPS = 0.35  # of a scan's writing, beside a layer that covers the rest of it
_LAYER_PAD = 0.6  # of its height: layers lie on their lines only roughly
_ICONS = (0, 17)  # kinds of annotations that are drawn as one: notes, attached files
_SCAN_SHARE = 0.5  # of a page under images; used where a page cannot be drawn
_MIN_GARBLED = 3  # characters


@dataclass(frozen=True, slots=True)
class Judgement:
    """`texts` are those that can be read; `unread` says what else is written there."""

    texts: list[Text]
    unread: Unread


def judge(page: Any, texts: Sequence[Text]) -> Judgement:
    """Of a pymupdf page whose text has been read."""
    smallest = _MIN_HEIGHT * min(1.0, max(page.rect.width, page.rect.height) / _A4)
    texts = [text for text in texts if text.line.size >= smallest]
    if not page.parent.is_pdf:
        return Judgement([text for text in texts if not text.transparent], "")
    drawn = _Drawn(page)
    plain = not any(text.transparent or text.pale or text.garbled for text in texts)
    if plain and not drawn.may_write:
        return Judgement(texts, "")
    ink = Ink.of(page)
    if ink is None:
        return _by_boxes(page, texts, drawn)
    shown = [text for text in texts if text.transparent or ink.shows(text.box)]
    readable = [text for text in shown if not text.transparent]
    readable += _layer([text for text in shown if text.transparent], readable, ink)
    return Judgement(readable, _unread(readable, ink, drawn))


class _Drawn:
    """The boxes of what the page draws beside text, in the order of drawing."""

    def __init__(self, page: Any) -> None:
        import pymupdf

        found = [(str(kind), tuple(box)) for kind, box, *_ in page.get_bboxlog()]
        if page.rotation:  # these are of the page as it is before it is turned
            turn = page.rotation_matrix
            found = [(kind, tuple((pymupdf.Rect(box) * turn).normalize())) for kind, box in found]
        self.images: list[Box] = [box for kind, box in found if "image" in kind]
        self.fills: list[Box] = [
            box for kind, box in found if kind.startswith("fill-") and kind != "fill-text"
        ]
        thick = [box for kind, box in found if "path" in kind and _thickness(box) > _RULE]
        self.may_write = bool(self.images or thick)
        # A paper clip, a note: signs that something is there, no writing.
        icons = page.annots(types=_ICONS) if self.may_write and page.annot_xrefs() else ()
        turn = page.rotation_matrix
        self.icons: list[Box] = [tuple((icon.rect * turn).normalize()) for icon in icons]


def _thickness(box: Box) -> float:
    return min(box[2] - box[0], box[3] - box[1])


def _layer(transparent: list[Text], visible: list[Text], ink: Ink) -> list[Text]:
    """The transparent text, if it lies on writing that no visible text accounts for."""
    if not transparent:
        return []
    _, open_ = ink.writing([(text.box, 1.0) for text in visible if not text.garbled])
    middles = ink.middles(open_)
    boxes = [(text, _widened(text.box, _LAYER_PAD * text.line.size)) for text in transparent]
    lying = [text for text, box in boxes if any(_holds(box, middle) for middle in middles)]
    return lying if len(lying) >= _LAYER_SHARE * len(transparent) else []


def _unread(texts: Sequence[Text], ink: Ink, drawn: _Drawn) -> Unread:
    """What stands there beside the readable texts."""
    covered = [
        (text.box, _LAYER_PAD * text.line.size if text.transparent else 1.0)
        for text in texts
        if not text.garbled
    ]
    covered += [(icon, 1.0) for icon in drawn.icons]
    everywhere, open_ = ink.writing(covered)
    garbled = [text.box for text in texts if text.garbled]
    kinds: Counter[Unread] = Counter(
        _kind(middle, garbled, drawn.images) for middle in ink.middles(open_)
    )
    if any(t.transparent for t in texts) and kinds["scan"] < _LAYER_GAPS * everywhere:
        del kinds["scan"]
    if kinds["garbled"] >= _MIN_CELLS:
        return "garbled"
    if kinds.total() < max(_MIN_CELLS, _MIN_SHARE * everywhere):
        return ""
    return kinds.most_common(1)[0][0]


def _kind(middle: tuple[float, float], garbled: Sequence[Box], images: Sequence[Box]) -> Unread:
    if any(_holds(_widened(box, 2.0), middle) for box in garbled):
        return "garbled"
    return "scan" if any(_holds(box, middle) for box in images) else "outlines"


def _by_boxes(page: Any, texts: Sequence[Text], drawn: _Drawn) -> Judgement:
    """Where the page cannot be drawn: what its images and fills cover stands for ink."""
    area = max(page.rect.width * page.rect.height, 1.0)
    scanned = sum((b[2] - b[0]) * (b[3] - b[1]) for b in drawn.images) > _SCAN_SHARE * area
    readable = [
        text
        for text in texts
        if (scanned if text.transparent else not text.pale or _on(drawn.fills, text))
    ]
    letters = sum(len(text.line.text) for text in readable if text.garbled)
    if letters >= _MIN_GARBLED:
        return Judgement(readable, "garbled")
    written = sum(_area(text.box) for text in readable)
    return Judgement(readable, "scan" if scanned and written < _MIN_SHARE * area else "")


def _on(fills: Sequence[Box], text: Text) -> bool:
    x0, y0, x1, y1 = text.box
    return any(_holds(fill, ((x0 + x1) / 2, (y0 + y1) / 2)) for fill in fills)


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def _widened(box: Box, pad: float) -> Box:
    return box[0] - pad, box[1] - pad, box[2] + pad, box[3] + pad


def _holds(box: Box, point: tuple[float, float]) -> bool:
    return box[0] <= point[0] <= box[2] and box[1] <= point[1] <= box[3]
