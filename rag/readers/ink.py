"""What is drawn on a page, as pixels: whether a place shows anything, and where writing stands.

Letters turn from ink to paper and back every few points. So a cell of the page (8 points) with many
such edges, in a row of such cells, holds writing, whatever drew it: a font, a picture, outlines.
Fills and most photographs have few; rules have theirs in one line, and those do not count.
`benchmarks extraction` prints how much of all the writing no text covers, on pages of any folder.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rag.types import Box

Cells = npt.NDArray[np.bool_]

_MAX_PIXELS = 2_000_000  # a page of A4 has half a million at a pixel a point
_MAX_IMAGE = 120_000_000  # pixels of one picture: what is larger is not unpacked for this
_CELL = 8  # pixels
_STEP = 40  # of 255: the least difference of neighbouring pixels at the edge of a letter
_EDGES = 0.1  # of a cell's pixels
_RUN = 3  # cells side by side
_RULE = 24  # pixels: edges that run straight on for so long are those of a rule, or of a box
_CROSSING = 3  # pixels at most by which a rule across interrupts them
_CONTRAST = 12  # of 255, within a box that shows something


@dataclass(frozen=True, slots=True)
class Ink:
    """`grey` has a row of bytes for each row of pixels, from `origin` (points) on."""

    grey: npt.NDArray[np.uint8]
    scale: float  # pixels a point
    origin: tuple[float, float]

    @classmethod
    def of(cls, page: Any) -> Ink | None:
        """Draws the pymupdf page; None where that fails or would take too much memory."""
        import pymupdf
        from pymupdf import mupdf

        area = max(page.rect.width * page.rect.height, 1.0)
        scale = min(1.0, (_MAX_PIXELS / area) ** 0.5)
        try:
            if any(i["width"] * i["height"] > _MAX_IMAGE for i in page.get_image_info()):
                return None
            matrix = pymupdf.Matrix(scale, scale)
            drawn = page.get_pixmap(matrix=matrix, colorspace=pymupdf.csGRAY, alpha=False)
        except (RuntimeError, ValueError, MemoryError, mupdf.FzErrorBase):
            return None
        rows = np.frombuffer(drawn.samples, np.uint8).reshape(drawn.h, drawn.stride)
        return cls(rows[:, : drawn.w], scale, (drawn.x / scale, drawn.y / scale))

    def shows(self, box: Box) -> bool:
        """Whether anything stands out from its ground inside the box."""
        part = self.grey[self._slices(box, 0.0)]
        return part.size > 0 and int(part.max()) - int(part.min()) >= _CONTRAST

    def writing(self, boxes: Iterable[tuple[Box, float]]) -> tuple[int, Cells]:
        """How many cells hold writing, and which do outside these boxes, each widened by so many
        points."""
        edges = _without_rules(self.edges())
        everywhere = int(self._cells(edges).sum())
        for box, pad in boxes:
            edges[self._slices(box, pad)] = False
        return everywhere, self._cells(edges)

    def middles(self, cells: Cells) -> list[tuple[float, float]]:
        """The middle of each of these cells, in points."""
        size = _CELL / self.scale
        x, y = self.origin
        found = np.argwhere(cells).tolist()
        return [(x + (column + 0.5) * size, y + (row + 0.5) * size) for row, column in found]

    def edges(self) -> Cells:
        """Pixels that differ much from the one to their left."""
        signed = self.grey.astype(np.int16)
        edges = np.zeros(self.grey.shape, bool)
        edges[:, 1:] = np.abs(np.diff(signed, axis=1)) > _STEP
        return edges

    def _cells(self, edges: Cells) -> Cells:
        rows, columns = edges.shape[0] // _CELL, edges.shape[1] // _CELL
        parts = edges[: rows * _CELL, : columns * _CELL].reshape(rows, _CELL, columns, _CELL)
        return _in_runs(parts.sum((1, 3)) >= _EDGES * _CELL**2)

    def _slices(self, box: Box, pad: float) -> tuple[slice, slice]:
        x0, y0 = ((box[i] - pad - self.origin[i]) * self.scale for i in (0, 1))
        x1, y1 = ((box[i + 2] + pad - self.origin[i]) * self.scale for i in (0, 1))
        return slice(max(int(y0), 0), max(int(y1) + 1, 0)), slice(
            max(int(x0), 0), max(int(x1) + 1, 0)
        )


def _without_rules(edges: Cells) -> Cells:
    """Without the edges of lines that stand upright. (Level ones have no edges to the side.)"""
    whole = _eroded(~_eroded(~edges, _CROSSING, ahead=False), _CROSSING, ahead=True)
    straight = _eroded(whole, _RULE, ahead=True)
    return edges & _eroded(~straight, _RULE, ahead=False)


def _eroded(cells: Cells, length: int, *, ahead: bool) -> Cells:
    """Those with which so many in their column, this one the first (else the last), are set."""
    found, done = cells.copy(), 1
    while done < length:
        step = min(done, length - done)
        if ahead:
            found[:-step] &= found[step:]
            found[-step:] = False
        else:
            found[step:] &= found[:-step]
        done += step
    return found


def _in_runs(cells: Cells) -> Cells:
    """Those that have enough neighbours in their row, or in their column (turned pages)."""
    return _along(cells) | _along(cells.T).T


def _along(cells: Cells) -> Cells:
    padded = np.pad(cells, ((0, 0), (_RUN - 1, _RUN - 1)))
    width = cells.shape[1] + _RUN - 1
    starts = np.ones((cells.shape[0], width), bool)  # at which a whole run begins
    for shift in range(_RUN):
        starts &= padded[:, shift : shift + width]
    found = np.zeros_like(cells)
    for shift in range(_RUN):
        found |= starts[:, _RUN - 1 - shift : _RUN - 1 - shift + cells.shape[1]]
    return found
