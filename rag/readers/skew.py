"""By how much a scan lies askew, from its ink alone."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_MOST = 10.0  # degrees
_STEP = 0.5
_CLEAR = 1.2  # times the sharpness of the page as it lies
_MAX_POINTS = 40_000


def skew_of(edges: npt.NDArray[np.bool_]) -> float:
    """Degrees clockwise by which lines of writing run down to the right; 0 where that is unclear.

    Lines of writing make the sums of a page's rows rise and fall most when they run along them.
    """
    angles = np.arange(-_MOST, _MOST + _STEP / 2, _STEP)
    along, across = (np.array([_sharpness(e, a) for a in angles]) for e in (edges, edges.T))
    turned = across.max() > along.max()
    best = across if turned else along
    if best.max() < _CLEAR * best[len(angles) // 2]:
        return 0.0
    lying = edges.T if turned else edges
    near = angles[int(best.argmax())] + np.arange(-_STEP, _STEP, _STEP / 5)
    angle = float(max(near, key=lambda a: _sharpness(lying, a)))
    return -angle if turned else angle


def _sharpness(edges: npt.NDArray[np.bool_], degrees: float) -> float:
    """How unevenly the edges fall on lines of this slope."""
    rows, columns = np.nonzero(edges)
    if not len(rows):
        return 0.0
    every = -(-len(rows) // _MAX_POINTS)
    rows, columns = rows[::every], columns[::every]
    places = np.round(rows - columns * np.tan(np.radians(degrees))).astype(np.int64)
    sums = np.bincount(places - places.min())
    return float(np.square(np.diff(sums)).sum())
