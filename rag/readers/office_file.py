"""What office files (zipped XML) have in common: checks before one is opened, and what to say."""

from __future__ import annotations

from pathlib import Path
from zipfile import BadZipFile, ZipFile

from rag.config import Extraction
from rag.errors import DamagedFile, EncryptedFile, ExtractionError, LimitExceeded, UnsupportedFile

_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # a file of Office before 2007, or an encrypted one
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
_MAX_TEXT_PART = 256 * 2**20  # bytes of one unpacked part in XML; a book of 1,000 pages has 20 MB
_MAX_UNPACKED = 1024 * 2**20  # of all parts

# What python-docx, python-pptx, openpyxl and lxml raise for files that are damaged or lack parts.
NOT_READ = (
    BadZipFile, KeyError, ValueError, TypeError, AttributeError, IndexError, SyntaxError,
    AssertionError, NotImplementedError, EOFError,
)  # fmt: skip


def is_zip(head: bytes) -> bool:
    return head.startswith(b"PK")


def check_size(path: Path, limits: Extraction) -> None:
    """Raises DamagedFile, LimitExceeded: what would unpack to more than is read."""
    try:
        with ZipFile(path) as packed:
            sizes = {info.filename: info.file_size for info in packed.infolist()}
    except (BadZipFile, ValueError, NotImplementedError, EOFError) as error:
        raise DamagedFile(f"{path.name}: cannot be opened ({error})") from error
    largest = max((size for name, size in sizes.items() if name.endswith(".xml")), default=0)
    total = sum(sizes.values())
    if largest > _MAX_TEXT_PART or total > min(_MAX_UNPACKED, limits.memory_mb * 2**19):
        raise LimitExceeded(f"{path.name}: unpacks to {total / 2**20:.0f} MiB, more than is read")


def ole_error(path: Path, head: bytes) -> ExtractionError | None:
    """For a file of the kind that Office wrote before 2007, and writes for encrypted ones."""
    if not head.startswith(_OLE):
        return None
    if _ENCRYPTED in path.read_bytes()[: 64 * 2**20]:
        return EncryptedFile(
            f"{path.name}: needs a password",
            hint="Open it in its program, save it without a password, and ingest that.",
        )
    return UnsupportedFile(
        f"{path.name}: a file of an older Office inside (.doc, .ppt, .xls)",
        hint="Save it as .docx, .pptx or .xlsx.",
    )
