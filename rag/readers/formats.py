"""The registry of formats: what is read, and what a file is, by its content more than by its name.

A new format is a module with a `Format` in it, and its line in FORMATS.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from rag.errors import DamagedFile, UnsupportedFile
from rag.readers.base import Format, is_text
from rag.readers.markup import MARKUP
from rag.readers.office_file import ole_error
from rag.readers.pdf import PDF
from rag.readers.presentation import PPTX
from rag.readers.reflowable import BOOK, MOBI
from rag.readers.spreadsheet import XLSX
from rag.readers.text import MARKDOWN, PLAIN
from rag.readers.unread_formats import advice
from rag.readers.word_document import DOCX

FORMATS: Final[tuple[Format, ...]] = (PDF, DOCX, PPTX, BOOK, XLSX, MARKUP, MOBI, MARKDOWN, PLAIN)
# Suffixes of the files that a folder walk takes up.
SUFFIXES: Final = frozenset().union(*(format_.suffixes for format_ in FORMATS))

_HEAD = 4096  # bytes of a file that tell what it is


def sniff(path: Path) -> Format:
    """What the file is. Raises UnsupportedFile if it is not what its name says, DamagedFile."""
    suffix = path.suffix.lower()
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError as error:
        raise DamagedFile(f"{path.name}: cannot be read ({error.strerror})") from error
    if PDF.fits(head):
        return PDF
    if not head:
        raise DamagedFile(f"{path.name}: the file is empty")
    named = next((format_ for format_ in FORMATS if suffix in format_.suffixes), None)
    if named is None:
        kind = f"of type {suffix}" if suffix else "without a suffix"
        hint = advice(suffix) or None
        raise UnsupportedFile(f"{path.name}: files {kind} are not read", hint=hint)
    if named is PDF:
        raise _no_pdf(path, head)
    if not named.fits(head):
        if (older := ole_error(path, head)) is not None:
            raise older
        raise UnsupportedFile(f"{path.name}: not a {suffix[1:]} file inside")
    return named


def _no_pdf(path: Path, head: bytes) -> DamagedFile | UnsupportedFile:
    if is_text(head) or head.startswith(b"PK"):
        return UnsupportedFile(f"{path.name}: not a PDF, whatever its name says")
    return DamagedFile(f"{path.name}: not a PDF inside")
