"""A file to a ParsedDocument. Runs in a worker process: see extract_worker."""

from __future__ import annotations

from pathlib import Path

from rag.config import Extraction
from rag.errors import LimitExceeded, NoText
from rag.readers.base import ExtraTime, no_limit
from rag.readers.formats import sniff
from rag.readers.language import detect_language
from rag.readers.title import title_of
from rag.types import UNREAD, Coverage, ParsedDocument

_METADATA = ("author", "subject", "keywords", "creator", "producer", "creationDate", "modDate")
_LANGUAGE_PAGES = 20  # that tell the language


def parse_document(
    path: Path, limits: Extraction, *, password: str | None, extra: ExtraTime = no_limit
) -> ParsedDocument:
    """Raises ExtractionError subclasses. `extra` asks for time beyond the plain text's."""
    size = path.stat().st_size
    if size > limits.max_file_mb * 2**20:
        raise LimitExceeded(f"{path.name}: {size / 2**20:.0f} MiB, {limits.max_file_mb} allowed")
    content = sniff(path).read(path, limits, password=password, extra=extra)
    pages = content.pages
    if not any(page.text for page in pages):
        unread = Coverage.of(pages).unread
        why = ", ".join(f"{len(found)} with {UNREAD[kind]}" for kind, found in unread.items())
        raise NoText(f"{path.name}: no text on its {len(pages)} pages" + (why and f" ({why})"))
    return ParsedDocument(
        title=title_of(content.title, pages, path),
        language=detect_language("\n".join(page.text for page in pages[:_LANGUAGE_PAGES])),
        pages=pages,
        metadata={key: content.metadata[key] for key in _METADATA if key in content.metadata},
        warnings=content.warnings,
    )
