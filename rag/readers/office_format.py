"""What formats of office files have in common: read by a library of their own, and laid out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from rag.config import Extraction
from rag.errors import LimitExceeded
from rag.readers.base import Content, ExtraTime, Format
from rag.readers.office_file import NOT_READ, check_size, is_zip
from rag.readers.pdf import open_document, read_pdf
from rag.readers.sheets import Sheets


def office_format(
    name: str,
    suffixes: frozenset[str],
    opened: Callable[[Path], Any],
    sheets_of: Callable[[Any], Sheets],
) -> Format:
    """`opened` gives python-docx's or python-pptx's document, `sheets_of` its pages. What these
    cannot open is left to PyMuPDF, which asks for less."""

    def read(path: Path, limits: Extraction, *, password: str | None, extra: ExtraTime) -> Content:
        check_size(path, limits)
        try:
            document = opened(path)
            sheets = sheets_of(document)
        except NOT_READ:
            return read_pdf(path, limits, password=password, extra=extra)
        return _content(path, sheets, document.core_properties, limits)

    def lay_out(path: Path) -> Any:
        """The pages that `read` numbers, to be drawn. Raises ExtractionError subclasses."""
        check_size(path, Extraction())
        try:
            return sheets_of(opened(path))
        except NOT_READ:
            return open_document(path, password=None, max_pages=2**31)

    return Format(name, suffixes, is_zip, read, drawable=True, lay_out=lay_out)


def _content(path: Path, sheets: Sheets, properties: Any, limits: Extraction) -> Content:
    """`properties` as python-docx and python-pptx give them. Raises LimitExceeded."""
    if sheets.page_count > limits.max_pages:
        raise LimitExceeded(f"{path.name}: {sheets.page_count} pages, {limits.max_pages} allowed")
    metadata = {key: text for key, text in _metadata(properties).items() if text}
    return Content(sheets.pages(), metadata.get("title", ""), metadata, sheets.warnings)


def _metadata(properties: Any) -> dict[str, str]:
    """Under the names that a PDF's metadata has."""
    names = ("title", "author", "subject", "keywords")
    found = {name: str(getattr(properties, name, "") or "") for name in names}
    for ours, theirs in (("creationDate", "created"), ("modDate", "modified")):
        moment = getattr(properties, theirs, None)
        found[ours] = moment.isoformat() if moment is not None else ""
    return found
