"""A page as it was read to the Page of a document: its order, its structure, its text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rag.readers.layout_model import Layout, Part, is_doubtful, parts_by_regions
from rag.readers.lines import RawPage
from rag.readers.ocr import Ocr
from rag.readers.page_text import write_page
from rag.readers.paragraphs import paragraphs_of
from rag.readers.reading_order import Row, regions_of, rows_of
from rag.readers.style_profile import Profile
from rag.readers.tables import Table, split_tables
from rag.types import Box, Page, PageSource


@dataclass(frozen=True, slots=True)
class PageBuilder:
    """Builds the pages of one open pymupdf document, with OCR and layout analysis where it may."""

    document: Any
    profile: Profile
    ocr: Ocr | None
    layout: Layout | None

    def build(self, raw: RawPage) -> Page:
        """From the plain text; by OCR what is not in it, by regions where its order is doubtful."""
        source: PageSource = raw.unread or "text"
        if (read := self._recognized(raw)) is not None:
            raw, source = read, "ocr"
        parts = parts_of(raw, self.profile)
        if source == "text" and (regions := self._regions(raw, parts)):
            parts, source = parts_by_regions(raw.lines, regions, self.profile), "layout"
        return write_page(raw, parts, self.profile, source)

    def _recognized(self, raw: RawPage) -> RawPage | None:
        if self.ocr is None or raw.unread in ("", "damaged"):
            return None
        return self.ocr(self.document[raw.number - 1], raw)

    def _regions(self, raw: RawPage, parts: Sequence[Part]) -> list[tuple[str, Box]]:
        if self.layout is None or not is_doubtful(parts, raw):
            return []
        return self.layout(self.document[raw.number - 1])


def parts_of(raw: RawPage, profile: Profile) -> list[Part]:
    """The page's tables and paragraphs in reading order."""
    parts: list[Part] = []
    for region in regions_of(raw.lines):
        rows: list[Row] = []
        region_rows = rows_of(region)
        for part in split_tables(region_rows):
            if isinstance(part, Table):
                parts += [*paragraphs_of(rows, profile), part]
                rows = []
            else:
                rows.append(part)
        parts += paragraphs_of(rows, profile)
    return parts
