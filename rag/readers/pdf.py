"""A PDF, or what else PyMuPDF opens, to pages: one pass over the content of each."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rag.config import Extraction
from rag.encoding import decode
from rag.errors import DamagedFile, EncryptedFile, LimitExceeded
from rag.readers.base import Content, ExtraTime, Format
from rag.readers.enclosed import pinned_files, warnings_of
from rag.readers.fonts import Fonts
from rag.readers.form_fields import fields_of
from rag.readers.form_text import with_fields
from rag.readers.layout_model import Layout, layout_within
from rag.readers.legibility import judge
from rag.readers.lines import RawPage, set_texts
from rag.readers.ocr import Ocr, ocr_within
from rag.readers.page_builder import PageBuilder
from rag.readers.raw_text import texts_of
from rag.readers.running_lines import Repeats
from rag.readers.style_profile import Profile
from rag.types import UNREAD, Page

# Bytes of one page's drawing instructions; a page of text has some 50 kB, a detailed map 20 MB.
_MAX_CONTENT = 64 * 2**20
# What MuPDF lays out from markup.
MARKUP_SUFFIXES = frozenset({".html", ".htm", ".xhtml", ".fb2"})
_HEAD = 4096  # characters in which a page declares its encoding
_CHARSET = re.compile(r"""((?:\bcharset|\bencoding)\s*=\s*["']?\s*)[\w:.+-]+""", re.IGNORECASE)
_SAMPLE = 200  # pages read ahead to learn what the document's pages have in common


def read_pdf(path: Path, limits: Extraction, *, password: str | None, extra: ExtraTime) -> Content:
    """A file that PyMuPDF lays out into pages. Raises ExtractionError subclasses."""
    document = open_document(path, password=password, max_pages=limits.max_pages)
    with document:
        reader = Reader(
            document, ocr=ocr_within(limits, extra), layout=layout_within(limits, extra)
        )
        pages = tuple(reader.pages())
        if len(reader.unreadable) == len(pages):
            raise DamagedFile(f"{path.name}: none of its {len(pages)} pages can be read")
        if len(reader.overlong) == len(pages):
            raise LimitExceeded(f"{path.name}: its pages hold more drawing than is read")
        metadata = {key: str(value) for key, value in (document.metadata or {}).items() if value}
        return Content(pages, metadata.get("title", ""), metadata, reader.warnings)


PDF = Format(
    "PDF", frozenset({".pdf"}), lambda head: b"%PDF-" in head[:1024], read_pdf, drawable=True
)


def open_document(path: Path, *, password: str | None, max_pages: int) -> Any:
    """An open pymupdf document with pages, unlocked. Raises ExtractionError subclasses."""
    import pymupdf
    from pymupdf import mupdf

    try:
        if path.suffix.lower() in MARKUP_SUFFIXES and not _is_pdf(path):
            document = pymupdf.open(stream=_as_utf8(path.read_bytes()), filetype=path.suffix[1:])
        else:
            document = pymupdf.open(path)
    except (RuntimeError, ValueError, mupdf.FzErrorBase) as error:
        raise DamagedFile(f"{path.name}: cannot be opened") from error
    _unlock(document, path, password)
    pages = _page_count(document, path)
    if pages > max_pages:
        raise LimitExceeded(f"{path.name}: {pages} pages, {max_pages} allowed")
    return document


def _is_pdf(path: Path) -> bool:
    with path.open("rb") as file:
        return PDF.fits(file.read(4096))


def _as_utf8(data: bytes) -> bytes:
    """A web page in UTF-8, its declared encodings with it: MuPDF heeds but one form of them."""
    text, _ = decode(data, markup=True)
    head, rest = text[:_HEAD], text[_HEAD:]
    return (_CHARSET.sub(r"\1utf-8", head) + rest).encode()


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
        self._document = document
        self._ocr = ocr
        self._layout = layout
        self._name = Path(document.name or "").name  # a web page is opened from memory
        self.unreadable: list[int] = []
        self.overlong: list[int] = []
        self._unread: dict[str, list[int]] = {}
        self._pinned: list[str] = []
        self._fonts = Fonts()

    @property
    def warnings(self) -> tuple[str, ...]:
        """What to tell of the pages that were left out."""
        left_out = {
            "pages that cannot be read": self.unreadable,
            "pages with more drawing than is read": self.overlong,
        }
        for kind, pages in self._unread.items():
            left_out[f"pages with {UNREAD[kind]}, which was not read"] = pages
        told = tuple(f"{why}: {_listed(pages)}" for why, pages in left_out.items() if pages)
        return (
            (*told, *warnings_of(self._document, self._pinned)) if self._document.is_pdf else told
        )

    def pages(self) -> Iterator[Page]:
        count = int(self._document.page_count)
        # An odd step: left and right pages may have running heads of their own.
        step = max(1, count // _SAMPLE) | 1
        ahead = {index: self._read(index) for index in range(0, count, step)}
        profile = Profile.of(list(ahead.values()))
        repeats = Repeats(profile.running)
        builder = PageBuilder(self._document, profile, self._ocr, self._layout)
        for index in range(count):
            raw = ahead.pop(index, None) or self._read(index)
            raw.lines = repeats.dropped(raw)
            page = builder.build(raw)
            if page.source in UNREAD and page.source != "damaged":
                self._unread.setdefault(page.source, []).append(page.number)
            yield page

    def _read(self, index: int) -> RawPage:
        empty = RawPage(index + 1, "", 0.0, 0.0, [], unread="damaged")
        try:
            page = self._document[index]
            if self._document.is_pdf and len(page.read_contents()) > _MAX_CONTENT:
                self.overlong.append(index + 1)
                return empty
            rect = page.rect
            raw = RawPage(index + 1, _label(page), rect.width, rect.height, [])
            judgement = judge(page, texts_of(page, self._fonts))
            fields = fields_of(page) if self._document.is_pdf else []
            set_texts(raw, with_fields(judgement.texts, fields))
            raw.unread = judgement.unread
            if self._document.is_pdf:
                self._pinned += pinned_files(page)
            return raw
        except Exception as error:  # the edge to MuPDF: it costs this page only
            if _for_want_of_memory(error):
                raise MemoryError from error
            if "cycle in page tree" in str(error):  # which page is which cannot be known
                raise DamagedFile(f"{self._name}: its page tree runs in a circle") from error
            self.unreadable.append(index + 1)
            return empty


def _for_want_of_memory(error: BaseException | None) -> bool:
    """MuPDF says "realloc (20971872 bytes) failed"; its binding names a MemoryError as a cause."""
    while error is not None and not isinstance(error, MemoryError) and "alloc" not in str(error):
        error = error.__cause__ or error.__context__
    return error is not None


def _label(page: Any) -> str:
    """The printed page number; none where the tree of labels is broken."""
    from pymupdf import mupdf

    if not page.parent.is_pdf:
        return ""
    try:
        return str(page.get_label() or "")
    except (RuntimeError, ValueError, LookupError, TypeError, mupdf.FzErrorBase):
        return ""


def _listed(numbers: Sequence[int]) -> str:
    shown = ", ".join(map(str, numbers[:10]))
    return shown if len(numbers) <= 10 else f"{shown} and {len(numbers) - 10} more"
