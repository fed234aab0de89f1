"""What PyMuPDF lays out into pages of its own: e-books, XPS."""

from __future__ import annotations

from rag.readers.base import Format
from rag.readers.pdf import read_pdf


def _is_zip(head: bytes) -> bool:
    return head.startswith(b"PK")


def _is_mobi(head: bytes) -> bool:
    return head[60:68] in (b"BOOKMOBI", b"TEXtREAd")


BOOK = Format(
    "e-book",
    frozenset({".epub", ".xps", ".oxps"}),
    _is_zip,
    read_pdf,
    drawable=True,
)
MOBI = Format("Mobipocket book", frozenset({".mobi"}), _is_mobi, read_pdf, drawable=True)
