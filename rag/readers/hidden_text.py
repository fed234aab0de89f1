"""Text that no reader of the page sees: transparent, white on white, or too small.

It must not reach the model (it is where instructions to models are hidden), yet two kinds look
alike and are wanted: white text on a dark ground, and the text layer that OCR put under a scan.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from rag.types import Box

MIN_SIZE = 2.0  # points
_SCAN_SHARE = 0.5  # of the page under images: then transparent text is a scan's text layer
_WHITE = 0xFFFFFF


class Backdrop:
    """What is drawn behind the text of a pymupdf page; looked up only when needed."""

    def __init__(self, page: Any) -> None:
        self._page = page

    def hides(self, span: Mapping[str, Any]) -> bool:
        """Whether no reader sees this span of text."""
        if span["size"] < MIN_SIZE:
            return True
        if span["alpha"] == 0:
            return self.image_share < _SCAN_SHARE
        if span["color"] == _WHITE:
            return not any(_holds(box, span["bbox"]) for box in self._grounds)
        return False

    @cached_property
    def image_share(self) -> float:
        """The share of the page's area under its images, 0 to 1."""
        return covered_share(self._page.rect, self._images)

    @cached_property
    def _images(self) -> list[Box]:
        return image_boxes(self._page)

    @cached_property
    def _grounds(self) -> list[Box]:
        return _fills(self._page) + self._images


def image_boxes(page: Any) -> list[Box]:
    """Where the page's images are; PyMuPDF tells it of PDFs only."""
    if not page.parent.is_pdf:
        return []
    return [tuple(image["bbox"]) for image in page.get_image_info()]


def covered_share(page: Box, images: list[Box]) -> float:
    """The share of the page's area under its images (overlaps count once in the common case)."""
    x0, y0, x1, y1 = page
    total = 0.0
    for box in images:
        width = min(box[2], x1) - max(box[0], x0)
        height = min(box[3], y1) - max(box[1], y0)
        total += max(width, 0.0) * max(height, 0.0)
    return min(1.0, total / max((x1 - x0) * (y1 - y0), 1.0))


def _fills(page: Any) -> list[Box]:
    import pymupdf

    flags = pymupdf.TEXT_COLLECT_VECTORS
    blocks = page.get_text("dict", flags=flags)["blocks"]
    return [
        block["bbox"]
        for block in blocks
        if block["type"] == 3
        and not block["stroked"]
        and block["color"] != _WHITE
        and block["alpha"]
    ]


def _holds(ground: Box, box: Box) -> bool:
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    return ground[0] <= x <= ground[2] and ground[1] <= y <= ground[3]
