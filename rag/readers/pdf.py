"""A PDF to pages: one pass over each page's content, then order, structure and text from that."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from rag.errors import DamagedFile, EncryptedFile, LimitExceeded
from rag.readers.hidden_text import covered_share, image_boxes
from rag.readers.layout_model import is_doubtful, parts_by_regions
from rag.readers.lines import RawPage, read_page
from rag.readers.page_builder import build_page
from rag.readers.paragraphs import Paragraph, paragraphs_of
from rag.readers.reading_order import Row, regions_of, rows_of
from rag.readers.running_lines import Key
from rag.readers.style_profile import Profile
from rag.readers.tables import Table, split_tables
from rag.types import Box, Page

# (pymupdf page, the page as read without OCR) → the page as OCR reads it, or None.
Ocr = Callable[[Any, RawPage], RawPage | None]
# pymupdf page → (class, box) of its regions in reading order; none where it may not be asked.
Layout = Callable[[Any], list[tuple[str, Box]]]

# Bytes of one page's drawing instructions; a page of text has some 50 kB, a detailed map 20 MB.
_MAX_CONTENT = 64 * 2**20
_SCAN_LETTERS = 20  # a page with less text than this,
_SCAN_SHARE = 0.5  # and images over this share of it, is a scan
_SAMPLE = 200  # pages read ahead to learn what the document's pages have in common


def open_document(path: Path, *, password: str | None, max_pages: int) -> Any:
    """An open pymupdf document with pages, unlocked. Raises ExtractionError subclasses."""
    import pymupdf
    from pymupdf import mupdf

    try:
        document = pymupdf.open(path)
    except (RuntimeError, ValueError, mupdf.FzErrorBase) as error:
        raise DamagedFile(f"{path.name}: cannot be opened") from error
    _unlock(document, path, password)
    pages = _page_count(document, path)
    if pages > max_pages:
        raise LimitExceeded(f"{path.name}: {pages} pages, {max_pages} allowed")
    return document


def _unlock(document: Any, path: Path, password: str | None) -> None:
    if not document.needs_pass:
        return
    if password is None:
        raise EncryptedFile(f"{path.name}: needs a password")
    if not document.authenticate(password):
        raise EncryptedFile(f"{path.name}: the password is wrong")


def _page_count(document: Any, path: Path) -> int:
    from pymupdf import mupdf

    try:
        pages = int(document.page_count)
    except (RuntimeError, mupdf.FzErrorBase) as error:
        raise DamagedFile(f"{path.name}: its pages cannot be counted ({error})") from error
    if pages <= 0:
        raise DamagedFile(f"{path.name}: opens with no pages")
    return pages


class Reader:
    """Reads the pages of an open document. Pages that cannot be read are empty, with a warning."""

    def __init__(
        self, document: Any, *, ocr: Ocr | None = None, layout: Layout | None = None
    ) -> None:
        self._layout = layout
        self._document = document
        self._ocr = ocr
        self._name = Path(document.name).name
        self._count = int(document.page_count)
        self._ahead: dict[int, RawPage] = {}
        self.unreadable: list[int] = []
        self.overlong: list[int] = []
        # An odd step: left and right pages may have running heads of their own.
        step = max(1, self._count // _SAMPLE) | 1
        for index in range(0, self._count, step):
            self._ahead[index] = self._read(index)
        self.profile = Profile.of(list(self._ahead.values()))
        self._told: set[Key] = set()  # running heads and feet of which one copy stands

    def pages(self) -> Iterator[Page]:
        for index in range(self._count):
            raw = self._ahead.pop(index, None) or self._read(index)
            self._drop_repeated(raw)
            read = self._recognize(index, raw) if raw.image_share >= _SCAN_SHARE else None
            if read is None:
                yield self._built(index, raw)
            else:  # font sizes that OCR guesses from boxes make no headings
                profile = replace(self.profile, levels={})
                yield build_page(read, parts_of(read, profile), profile, "ocr")

    def _drop_repeated(self, raw: RawPage) -> None:
        """Takes running heads and feet out, but for the first copy of each; and page numbers."""
        kept = []
        for line in raw.lines:
            key = self.profile.running.key(line, raw)
            if key is None or (key[0] and key not in self._told):
                kept.append(line)
            if key is not None:
                self._told.add(key)
        raw.lines = kept

    def _built(self, index: int, raw: RawPage) -> Page:
        """From the plain text, or by regions where its order is doubtful."""
        parts = parts_of(raw, self.profile)
        if self._layout is None or not is_doubtful(parts, raw):
            return build_page(raw, parts, self.profile, "text")
        found = self._layout(self._document[index])
        if not found:
            return build_page(raw, parts, self.profile, "text")
        parts = parts_by_regions(raw.lines, found, self.profile)
        return build_page(raw, parts, self.profile, "layout")

    def _recognize(self, index: int, raw: RawPage) -> RawPage | None:
        """What OCR sees on a scanned page, or None where it cannot be had."""
        if self._ocr is None:
            return None
        from pymupdf import mupdf

        try:
            return self._ocr(self._document[index], raw)
        except (RuntimeError, ValueError, MemoryError, mupdf.FzErrorBase):
            return None  # the picture cannot be drawn, or not within the limit on memory

    def _read(self, index: int) -> RawPage:
        empty = RawPage(index + 1, "", 0.0, 0.0, [])
        try:
            page = self._document[index]
            if self._document.is_pdf and len(page.read_contents()) > _MAX_CONTENT:
                self.overlong.append(index + 1)
                return empty
            raw = read_page(page, index + 1, _label(page))
            if sum(len(line.text) for line in raw.lines) < _SCAN_LETTERS:
                raw.image_share = covered_share(page.rect, image_boxes(page))
            return raw
        except MemoryError:
            raise
        except Exception as error:  # the edge to MuPDF: it costs this page only
            if "alloc" in str(error):
                raise MemoryError from error
            if "cycle in page tree" in str(error):  # which page is which cannot be known
                raise DamagedFile(f"{self._name}: its page tree runs in a circle") from error
            self.unreadable.append(index + 1)
            return empty


def _label(page: Any) -> str:
    """The printed page number; none where the tree of labels is broken."""
    from pymupdf import mupdf

    if not page.parent.is_pdf:
        return ""
    try:
        return str(page.get_label() or "")
    except (RuntimeError, ValueError, LookupError, TypeError, mupdf.FzErrorBase):
        return ""


def parts_of(raw: RawPage, profile: Profile) -> list[Table | Paragraph]:
    """The page's tables and paragraphs in reading order."""
    parts: list[Table | Paragraph] = []
    for region in regions_of(raw.lines):
        rows: list[Row] = []
        for part in split_tables(rows_of(region)):
            if isinstance(part, Table):
                parts += [*paragraphs_of(rows, profile), part]
                rows = []
            else:
                rows.append(part)
        parts += paragraphs_of(rows, profile)
    return parts
