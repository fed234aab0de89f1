"""What a reader of a file format gives, and what it may ask for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Literal

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
