"""What a reader of a file format gives, and what it may ask for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from rag.config import Extraction
from rag.encoding import is_plain, unmarked_utf16
from rag.types import Page

# Work that a page may need beyond reading its text, and that takes long.
ExtraWork = Literal["", "ocr", "layout"]
# (seconds, work) → a block that may take so many seconds more than the limit on the file's time.
ExtraTime = Callable[[float, ExtraWork], AbstractContextManager[None]]


def no_limit(_seconds: float, _work: ExtraWork) -> AbstractContextManager[None]:
    """ExtraTime where nobody keeps a limit."""
    return nullcontext()


@dataclass(frozen=True, slots=True)
class Content:
    """A file's pages and what it says of itself: `title` as its metadata has it, "" without."""

    pages: tuple[Page, ...]
    title: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


class Read(Protocol):
    """A file to its content. Raises ExtractionError subclasses, OSError."""

    def __call__(
        self, path: Path, limits: Extraction, *, password: str | None, extra: ExtraTime
    ) -> Content: ...


@dataclass(frozen=True, slots=True)
class Format:
    """A format that is read: `suffixes` with their dot in lower case, `fits` of a file's first 4096
    bytes, `drawable` where PyMuPDF draws its pages; `lay_out` gives these (as a pymupdf document)
    where they are not simply those that it opens."""

    name: str
    suffixes: frozenset[str]
    fits: Callable[[bytes], bool]
    read: Read
    drawable: bool = False
    lay_out: Callable[[Path], Any] | None = None


def is_text(head: bytes) -> bool:
    """Text in some encoding: a byte order mark, no control characters, or UTF-16."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return True
    return is_plain(head) or unmarked_utf16(head) is not None
