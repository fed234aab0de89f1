"""Laid-out sheets of an office file to its content."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rag.config import Extraction
from rag.errors import LimitExceeded
from rag.readers.base import Content
from rag.readers.sheets import Sheets


def content_of(path: Path, sheets: Sheets, properties: Any, limits: Extraction) -> Content:
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
