"""Tier 2: pages whose order tier 1 doubts, read by the regions that PyMuPDF's layout model sees.

The model costs 0.13 to 0.27 CPU seconds a page, against 0.015 for all of tier 1. Rows of numbers do
not need it (tables.py); what does is text beside charts and labels around drawings: 16 of 1,356
pages of annual reports, 30 of 249 of mixed documents. Only order and kinds come from the model:
words, their boxes and the columns of tables remain ours.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from rag.config import Extraction
from rag.readers.base import ExtraTime
from rag.readers.lines import Line, RawPage
from rag.readers.paragraphs import Paragraph, paragraphs_of
from rag.readers.reading_order import rows_of
from rag.readers.style_profile import Profile
from rag.readers.tables import Table, split_tables
from rag.types import Box

SECONDS_PER_PAGE = 10.0  # at most
_DOUBTFUL_ROWS = 4
_DOUBTFUL_SHARE = 0.15  # of the rows of running text
_ALIGNED = 4.0  # points
_MAX_LINES = 400  # the model's time grows with the square of what is on the page

Part = Table | Paragraph
# pymupdf page → (class, box) of its regions in reading order; none where it may not be asked.
Layout = Callable[[Any], list[tuple[str, Box]]]


def layout_within(limits: Extraction, extra: ExtraTime) -> Layout | None:
    """Layout analysis, until it took as long for one file as the plain text may take; None where it
    is off."""
    if not limits.layout:
        return None
    left = limits.timeout_s

    def read(page: Any) -> list[tuple[str, Box]]:
        nonlocal left
        if left <= 0 or page.rotation:  # the model sees pages as before they are turned
            return []
        started = time.monotonic()
        with extra(SECONDS_PER_PAGE, "layout"):
            found = regions(page)
        left -= time.monotonic() - started
        return found

    return read


def is_doubtful(parts: Sequence[Part], raw: RawPage) -> bool:
    """Several rows of running text have a gap in them, at ever other places: things side by side
    were read as one. (With the gap at one place it is a list in two columns, read well by rows.)
    """
    if raw.direction != (1.0, 0.0) or raw.mirrored or len(raw.lines) > _MAX_LINES:
        return False
    rows = [row for part in parts if isinstance(part, Paragraph) for row in part.rows]
    parted = [row for row in rows if len(row.cells) > 1 and len(row.cells[0].text) > 4]
    if len(parted) < _DOUBTFUL_ROWS or len(parted) < _DOUBTFUL_SHARE * len(rows):
        return False
    seconds = Counter(round(row.cells[1].x0 / _ALIGNED) for row in parted)
    return seconds.most_common(1)[0][1] < 0.5 * len(parted)


def regions(page: Any) -> list[tuple[str, Box]]:
    """(class, box) in reading order, as the model sees this pymupdf page; none where it fails."""
    model = _model()
    try:
        found = model.predict(page)
    except Exception:  # noqa: BLE001 - the edge to others' code, which asks for what no text needs:
        return []  # form fields, links. Whatever a hostile page makes it raise costs this step only
    return [(str(kind), (x0, y0, x1, y1)) for x0, y0, x1, y1, kind, *_ in found]


def parts_by_regions(
    lines: Sequence[Line], found: Sequence[tuple[str, Box]], profile: Profile
) -> list[Part]:
    """The lines, each in its region (else the nearest), as paragraphs and tables."""
    members: list[list[Line]] = [[] for _ in found]
    for line in lines:
        nearest = min(range(len(found)), key=lambda i: _distance(line, found[i][1]))
        members[nearest].append(line)
    parts: list[Part] = []
    for (kind, _), inside in zip(found, members, strict=True):
        if inside:
            parts += _parts(kind, inside, profile)
    return parts


def _parts(kind: str, lines: Sequence[Line], profile: Profile) -> list[Part]:
    rows = rows_of(lines)
    if kind == "picture":
        return [Paragraph("text", rows)]
    parts: list[Part] = []
    for part in split_tables(rows) if kind == "table" else rows:
        if isinstance(part, Table):
            parts.append(part)
        elif parts and isinstance(parts[-1], Paragraph):
            parts[-1].rows.append(part)
        else:
            parts.append(Paragraph("text", [part]))
    return [
        piece
        for part in parts
        for piece in ([part] if isinstance(part, Table) else paragraphs_of(part.rows, profile))
    ]


def _distance(line: Line, box: Box) -> tuple[float, float]:
    """From the line's middle to the box; inside, the smaller box is nearer."""
    x, y = (line.x0 + line.x1) / 2, (line.y0 + line.y1) / 2
    dx = max(box[0] - x, 0.0, x - box[2])
    dy = max(box[1] - y, 0.0, y - box[3])
    return dx * dx + dy * dy, (box[2] - box[0]) * (box[3] - box[1])


@cache
def _model() -> Any:
    """Loaded once a process (1 s, 150 MB)."""
    from pymupdf.layout import DocumentLayoutAnalyzer

    return DocumentLayoutAnalyzer.get_model(feature_set_name="rf")
