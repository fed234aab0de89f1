"""A file to a ParsedDocument. Runs in a worker process: see extract_worker."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from rag.config import Extraction
from rag.errors import DamagedFile, LimitExceeded, NoText
from rag.ingest.messages import Work
from rag.readers import layout_model
from rag.readers.formats import decode, sniff, text_pages
from rag.readers.language import detect_language
from rag.readers.lines import RawPage
from rag.readers.ocr import SECONDS_PER_PAGE, recognize, tesseract
from rag.readers.pdf import Layout, Ocr, Reader, open_document
from rag.readers.title import title_of
from rag.types import Box, Page, ParsedDocument

ExtraTime = Callable[[float, Work], AbstractContextManager[None]]


def _no_clock(_seconds: float, _work: Work) -> AbstractContextManager[None]:
    return nullcontext()


_METADATA = ("author", "subject", "keywords", "creator", "producer", "creationDate", "modDate")


def parse_document(
    path: Path, limits: Extraction, *, password: str | None, extra: ExtraTime = _no_clock
) -> ParsedDocument:
    """Raises ExtractionError subclasses. `extra` asks for time beyond the plain text's."""
    size = path.stat().st_size
    if size > limits.max_file_mb * 2**20:
        raise LimitExceeded(f"{path.name}: {size / 2**20:.0f} MiB, {limits.max_file_mb} allowed")
    file_format = sniff(path)
    if file_format in ("markdown", "text"):
        return _parse_text(path, markdown=file_format == "markdown")
    document = open_document(path, password=password, max_pages=limits.max_pages)
    with document:
        return _parse_pages(path, document, limits, extra)


def _parse_text(path: Path, *, markdown: bool) -> ParsedDocument:
    text, warning = decode(path.read_bytes())
    pages = text_pages(text, markdown=markdown)
    return _document(path, "", pages, {}, [warning] if warning else [])


def _parse_pages(path: Path, document: Any, limits: Extraction, extra: ExtraTime) -> ParsedDocument:
    reader = Reader(document, ocr=_ocr(limits, extra), layout=_layout(limits, extra))
    pages = list(reader.pages())
    if len(reader.unreadable) == len(pages):
        raise DamagedFile(f"{path.name}: none of its {len(pages)} pages can be read")
    if len(reader.overlong) == len(pages):
        raise LimitExceeded(f"{path.name}: its pages hold more drawing than is read")
    warnings = []
    if reader.unreadable:
        warnings.append(f"pages that cannot be read: {_listed(reader.unreadable)}")
    if reader.overlong:
        warnings.append(f"pages with more drawing than is read: {_listed(reader.overlong)}")
    metadata = {key: str(value) for key, value in (document.metadata or {}).items() if value}
    return _document(path, metadata.get("title", ""), pages, metadata, warnings)


def _layout(limits: Extraction, extra: ExtraTime) -> Layout | None:
    """Layout analysis, until it took as long for one file as the plain text may take."""
    if not limits.layout:
        return None
    left = limits.timeout_s

    def read(page: Any) -> list[tuple[str, Box]]:
        nonlocal left
        if left <= 0:
            return []
        started = time.monotonic()
        with extra(layout_model.SECONDS_PER_PAGE, "layout"):
            found = layout_model.regions(page)
        left -= time.monotonic() - started
        return found

    return read


def _ocr(limits: Extraction, extra: ExtraTime) -> Ocr | None:
    """OCR that asks for its time page by page; None where it is off or not installed."""
    if not limits.ocr or tesseract() is None:
        return None

    def read(page: Any, raw: RawPage) -> RawPage | None:
        with extra(SECONDS_PER_PAGE, "ocr"):
            return recognize(page, raw, limits.ocr_language)

    return read


def _document(
    path: Path, title: str, pages: list[Page], metadata: dict[str, str], warnings: list[str]
) -> ParsedDocument:
    if all(page.source == "empty" for page in pages):
        raise NoText(f"{path.name}: no text on its {len(pages)} pages")
    text = "\n".join(page.text for page in pages[:20])
    return ParsedDocument(
        title=title_of(title, pages, path),
        language=detect_language(text),
        pages=tuple(pages),
        metadata={key: metadata[key] for key in _METADATA if key in metadata},
        warnings=tuple(warnings),
    )


def _listed(numbers: list[int]) -> str:
    shown = ", ".join(map(str, numbers[:10]))
    return shown if len(numbers) <= 10 else f"{shown} and {len(numbers) - 10} more"
