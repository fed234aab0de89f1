"""Web pages and the like: MuPDF heeds one form of a declared encoding, so it is given UTF-8."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from rag.config import Extraction
from rag.encoding import decode
from rag.readers.base import Content, ExtraTime, Format, is_text
from rag.readers.pdf import MARKUP_SUFFIXES, read_pdf


def read_markup(
    path: Path, limits: Extraction, *, password: str | None, extra: ExtraTime
) -> Content:
    """Raises ExtractionError subclasses, OSError."""
    content = read_pdf(path, limits, password=password, extra=extra)
    _, warning = decode(path.read_bytes(), markup=True)
    return replace(content, warnings=(*content.warnings, warning)) if warning else content


MARKUP = Format("web page", MARKUP_SUFFIXES, is_text, read_markup, drawable=True)
