"""A file to a ParsedDocument. Runs in a worker process: see extract_worker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rag.config import Extraction
from rag.encoding import well_formed
from rag.errors import LimitExceeded, NoText
from rag.readers.base import ExtraTime, no_limit
from rag.readers.formats import sniff
from rag.readers.language import detect_language
from rag.readers.title import title_of
from rag.types import UNREAD, Coverage, Page, ParsedDocument

_METADATA = ("author", "subject", "keywords", "creator", "producer", "creationDate", "modDate")
_EMPTY = "Nothing is written in it: check that it is the file you mean."
_ELSEWHERE = (
    "What it holds is not on its pages: save its attachments from a PDF viewer, or print it to a "
    "PDF, and ingest those."
)
_LANGUAGE_PAGES = 20  # that tell the language


def parse_document(
    path: Path, limits: Extraction, *, password: str | None, extra: ExtraTime = no_limit
) -> ParsedDocument:
    """Raises ExtractionError subclasses. `extra` asks for time beyond the plain text's."""
    size = path.stat().st_size
    if size > limits.max_file_mb * 2**20:
        raise LimitExceeded(f"{path.name}: {size / 2**20:.0f} MiB, {limits.max_file_mb} allowed")
    content = sniff(path).read(path, limits, password=password, extra=extra)
    pages = tuple(map(_written, content.pages))
    if not any(page.text for page in pages):
        raise _no_text(path, pages, content.warnings)
    return ParsedDocument(
        title=title_of(content.title, pages, path),
        language=detect_language("\n".join(page.text for page in pages[:_LANGUAGE_PAGES])),
        pages=pages,
        metadata={
            key: well_formed(content.metadata[key]) for key in _METADATA if key in content.metadata
        },
        warnings=content.warnings,
    )


def _no_text(path: Path, pages: Sequence[Page], warnings: Sequence[str]) -> NoText:
    """With what is there instead of text, and the hint that fits it."""
    unread = Coverage.of(pages).unread
    found = [f"{len(numbers)} with {UNREAD[kind]}" for kind, numbers in unread.items()]
    why = f" ({', '.join(found)})" if found else ""
    told = "".join(f"; {warning}" for warning in warnings if not found or "pages" not in warning)
    error = NoText(f"{path.name}: no text on its {len(pages)} pages{why}{told}")
    if not unread:
        error.hint = _EMPTY if not warnings else _ELSEWHERE
    return error


def _written(page: Page) -> Page:
    """The page in text that any encoding can write; nothing moves, a character stays one."""
    text, label = well_formed(page.text), well_formed(page.label)
    if (text, label) == (page.text, page.label):
        return page
    return replace(page, text=text, label=label)
