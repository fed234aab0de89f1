"""What an OCR engine is given and what it gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, Self

from rag.readers.lines import RawWord
from rag.types import Box


@dataclass(frozen=True, slots=True)
class Picture:
    """A page drawn in grey: a pymupdf Pixmap, and the matrix from its pixels to points."""

    pixmap: Any
    to_points: tuple[float, ...]

    def to_page(self, box: Box) -> Box:
        """A box in pixels in the coordinates of the (straightened) page."""
        a, b, c, d, e, f = self.to_points
        corners = [
            (x + self.pixmap.x, y + self.pixmap.y)
            for x in (box[0], box[2])
            for y in (box[1], box[3])
        ]
        xs = [a * x + c * y + e for x, y in corners]
        ys = [b * x + d * y + f for x, y in corners]
        return min(xs), min(ys), max(xs), max(ys)


@dataclass(frozen=True, slots=True)
class SeenLine:
    """Words in pixels of the picture, from left to right; confidence 0 to 1."""

    words: list[RawWord]
    confidence: float


class Engine(Protocol):
    name: ClassVar[str]

    @classmethod
    def find(cls) -> Self | None:
        """The engine, if it is installed."""

    @property
    def version(self) -> str:
        """What rag doctor shows."""

    def read(self, picture: Picture, language: str) -> list[SeenLine] | None:
        """The lines of an upright picture; None if the engine failed or took too long."""

    def turn(self, picture: Picture) -> int:
        """By how many degrees clockwise (0, 90, 180, 270) the picture must be turned."""
