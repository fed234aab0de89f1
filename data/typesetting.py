"""Flows of HTML to a PDF with columns, footnotes, running heads and page labels, by PyMuPDF.

Options of a flow: `columns` (1 or 2), `pages` ("roman" or "arabic": numbers start anew at 1),
`start=here` (below the flow before, on the same page), `head=none` (no running head or foot).
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pymupdf
from markup import Flow

GUTTER = 18.0
# A frame that ends exactly where an element starts makes MuPDF lose what follows.
ABOVE = 2.0
TABLE_OF_CONTENTS = "[[contents]]"


@dataclass(frozen=True)
class Theme:
    """How a document looks. Lengths in points; `size` is the paper's name."""

    css: str
    size: str = "a4"
    margin: float = 72.0
    head: str = ""  # HTML; {title}, {section} and {page} are filled in
    foot: str = "<p style='text-align:center'>{page}</p>"


@dataclass(frozen=True)
class Heading:
    level: int
    text: str
    page: int  # from 1
    label: str


@dataclass
class _Sheet:
    """The PDF while it is being written."""

    theme: Theme
    title: str
    buffer: io.BytesIO = field(default_factory=io.BytesIO)
    device: pymupdf.DeviceWrapper | None = None
    pages: int = 0
    number: int = 0
    style: str = "D"
    labels: list[dict[str, object]] = field(default_factory=list)
    headings: list[Heading] = field(default_factory=list)
    section: str = ""
    decorated: bool = True
    bottom: float = 0.0  # of what stands on the page so far

    def __post_init__(self) -> None:
        self.writer = pymupdf.DocumentWriter(self.buffer)
        self.paper = pymupdf.paper_rect(self.theme.size)
        margin = self.theme.margin
        self.body = self.paper + pymupdf.Rect(margin, margin, -margin, -margin)

    @property
    def label(self) -> str:
        return _roman(self.number) if self.style == "r" else str(self.number)

    def renumber(self, style: str) -> None:
        self.style, self.number = style, 0
        self.labels.append({"startpage": self.pages, "style": style, "firstpagenum": 1})

    def open_page(self) -> None:
        self.close_page()
        self.device = self.writer.begin_page(self.paper)
        self.pages += 1
        self.number += 1
        self.bottom = self.body.y0

    def close_page(self) -> None:
        if self.device is None:
            return
        if self.decorated:
            margin, body = self.theme.margin, self.body
            top = pymupdf.Rect(body.x0, margin * 0.45, body.x1, margin)
            foot = pymupdf.Rect(body.x0, body.y1 + margin * 0.3, body.x1, self.paper.y1)
            self._draw(self.theme.head, top)
            self._draw(self.theme.foot, foot)
        self.writer.end_page()
        self.device = None

    def _draw(self, template: str, where: pymupdf.Rect) -> None:
        html = template.format(title=self.title, section=self.section, page=self.label)
        draw_html(f"<div class='margin'>{html}</div>", self.theme.css, where, self.device)


def typeset(flows: list[Flow], meta: Mapping[str, str], theme: Theme) -> bytes:
    """The PDF. With a table of contents it is set twice: the first time gives the page numbers."""
    sheet = _set(flows, meta, theme)
    if any(TABLE_OF_CONTENTS in flow.html for flow in flows):
        contents = _contents(sheet.headings)
        flows = [
            Flow(f.options, f.html.replace(f"<p>{TABLE_OF_CONTENTS}</p>", contents), f.notes)
            for f in flows
        ]
        sheet = _set(flows, meta, theme)
        assert _contents(sheet.headings) == contents, "the contents moved their own targets"
    return _finish(sheet, meta)


def draw_html(html: str, css: str, where: pymupdf.Rect, device: object) -> float:
    """Draws (with no device: only measures) and returns the height used."""
    story = pymupdf.Story(html, user_css=css)
    _, filled = story.place(where)
    if device is not None:
        story.draw(device)
    return float(filled[3] - where.y0)


def _set(flows: list[Flow], meta: Mapping[str, str], theme: Theme) -> _Sheet:
    sheet = _Sheet(theme, meta["title"])
    for flow in flows:
        here = flow.options.get("start") == "here"
        if not here:
            sheet.close_page()
        sheet.decorated = flow.options.get("head") != "none"
        if "pages" in flow.options:
            sheet.renumber({"roman": "r", "arabic": "D"}[flow.options["pages"]])
        if not here:
            sheet.open_page()
        _pour(flow, sheet)
    sheet.close_page()
    sheet.writer.close()
    return sheet


def _pour(flow: Flow, sheet: _Sheet) -> None:
    """Fills frame after frame, page after page."""
    story = pymupdf.Story(flow.html, user_css=sheet.theme.css)
    columns = int(flow.options.get("columns", "1"))
    top = sheet.bottom
    more = True
    while more:
        for frame in _frames(sheet.body, top, columns):
            more = _fill(story, frame, flow.notes, sheet)
            if not more:
                break
        if more:
            sheet.open_page()
            top = sheet.body.y0


def _frames(body: pymupdf.Rect, top: float, columns: int) -> list[pymupdf.Rect]:
    width = (body.width - GUTTER * (columns - 1)) / columns
    lefts = [body.x0 + i * (width + GUTTER) for i in range(columns)]
    return [pymupdf.Rect(left, top, left + width, body.y1) for left in lefts]


def _fill(
    story: pymupdf.Story, frame: pymupdf.Rect, notes: Mapping[int, str], sheet: _Sheet
) -> bool:
    """Places what fits in one frame, its footnotes at the foot. True if text is left over."""
    limit = frame.y1
    while True:
        more, filled = story.place(pymupdf.Rect(frame.x0, frame.y0, frame.x1, limit))
        marks = _marks(story)
        lower = _limit(marks, frame, limit, lambda n: _notes(n, notes, sheet, frame, draw=False))
        if lower >= limit:
            break
        limit = lower
    story.draw(sheet.device)
    _notes([n for n in marks if n.y0 < limit], notes, sheet, frame, draw=True)
    for mark in marks:
        if mark.level and mark.y0 < limit:
            sheet.headings.append(Heading(mark.level, mark.text, sheet.pages, sheet.label))
            sheet.section = mark.text if mark.level == 1 else sheet.section
    sheet.bottom = max(sheet.bottom, filled[3])
    return bool(more)


@dataclass(frozen=True)
class _Mark:
    """A heading (level > 0), or an element with an id, on the frame just placed."""

    level: int
    id: str
    text: str
    y0: float
    y1: float


def _marks(story: pymupdf.Story) -> list[_Mark]:
    found: list[_Mark] = []

    def note(at: object) -> None:
        if at.open_close & 1:
            text = " ".join((at.text or "").split())
            found.append(_Mark(at.heading, at.id or "", text, at.rect[1], at.rect[3]))

    story.element_positions(note)
    return found


def _limit(
    marks: list[_Mark],
    frame: pymupdf.Rect,
    limit: float,
    note_height: Callable[[list[_Mark]], float],
) -> float:
    """How far down the frame may be filled: no heading left alone, no kept block cut, notes fit."""
    top = frame.y0 + 1
    limits = [limit]
    for mark in marks:
        if mark.level and top < mark.y0 < limit < mark.y1 + 40:
            limits.append(mark.y0 - ABOVE)
        if mark.id.startswith("keep-") and top < mark.y0 < limit and mark.y1 > limit + 0.5:
            limits.append(mark.y0 - ABOVE)
    kept = [mark for mark in marks if mark.y0 < min(limits)]
    return min(*limits, frame.y1 - note_height(kept))


def _notes(
    marks: list[_Mark],
    notes: Mapping[int, str],
    sheet: _Sheet,
    frame: pymupdf.Rect,
    *,
    draw: bool,
) -> float:
    numbers = sorted({int(m.id[5:]) for m in marks if m.id.startswith("note-")})
    if not numbers:
        return 0.0
    text = "".join(f"<p><sup>{n}</sup> {notes[n]}</p>" for n in numbers)
    html = f'<div class="notes">{text}</div>'
    height = draw_html(html, sheet.theme.css, pymupdf.Rect(frame.x0, 0, frame.x1, 1000), None)
    if draw:
        where = pymupdf.Rect(frame.x0, frame.y1 - height, frame.x1, frame.y1 + 5)
        draw_html(html, sheet.theme.css, where, sheet.device)
    return height + 8


def _contents(headings: list[Heading]) -> str:
    rows = "".join(
        f'<tr class="level{h.level}"><td>{h.text}</td><td class="right">{h.label}</td></tr>'
        for h in headings
        if h.level <= 2
    )
    return f'<table class="contents">{rows}</table>'


def _finish(sheet: _Sheet, meta: Mapping[str, str]) -> bytes:
    """Bookmarks, labels, metadata and small fonts; the same bytes for the same input."""
    with pymupdf.open(stream=sheet.buffer.getvalue(), filetype="pdf") as document:
        document.set_toc(_outline(sheet.headings))
        if sheet.labels:
            document.set_page_labels(sheet.labels)
        document.set_metadata({key: meta[key] for key in ("title", "author", "subject")})
        document.set_language(meta.get("language", "en"))
        document.subset_fonts()
        return bytes(document.tobytes(garbage=4, deflate=True, use_objstms=1, no_new_id=True))


def _outline(headings: list[Heading]) -> list[list[object]]:
    """A level may not be skipped going down."""
    outline: list[list[object]] = []
    depth = 0
    for heading in headings:
        depth = min(heading.level, depth + 1)
        outline.append([depth, heading.text, heading.page])
    return outline


def _roman(number: int) -> str:
    tens, ones = divmod(number, 10)
    return "x" * tens + ["", "i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix"][ones]
