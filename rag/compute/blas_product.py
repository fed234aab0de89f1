"""Products of NumPy's matrices by the BLAS that also serves MLX on a CPU host.

NumPy brings an OpenBLAS of its own, with threads of its own, which wait by spinning.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from rag.compute import openblas

Matrix = npt.NDArray[np.float32]
Routine = Callable[..., None]

_BY_ROW, _PLAIN, _TURNED = 101, 111, 112  # CBLAS: stored row by row; as it is, transposed


def product(a: Matrix, b: Matrix) -> Matrix:
    """`a @ b`, in float32. One axis of each must be contiguous.

    A single row goes to `sgemv`, which reads `b` where it lies; `sgemm` would first copy it into
    blocks, and takes 2.7 times as long.
    """
    routines = _routines()
    if routines is None:
        return np.asarray(a @ b, dtype=np.float32)
    sgemm, sgemv = routines
    (rows, inner), columns = a.shape, b.shape[1]
    found = np.empty((rows, columns), dtype=np.float32)
    order_b, *at_b = _layout(b)
    if rows == 1:
        shape, order = ((inner, columns), _TURNED) if order_b == _PLAIN else (b.T.shape, _PLAIN)
        step = a.strides[1] // a.itemsize
        sgemv(_BY_ROW, order, *shape, 1.0, *at_b, a.ctypes.data, step, 0.0, found.ctypes.data, 1)
        return found
    order_a, *at_a = _layout(a)
    size, at = (rows, columns, inner), (found.ctypes.data, columns)
    sgemm(_BY_ROW, order_a, order_b, *size, 1.0, *at_a, *at_b, 0.0, *at)
    return found


@functools.cache
def _routines() -> tuple[Routine, Routine] | None:
    library = openblas.load()
    if library is None:
        return None
    number, real, at = ctypes.c_int, ctypes.c_float, ctypes.c_void_p
    matrices = (real, at, number, at, number, real, at, number)  # of α·A·B + β·C: α, A, B, β, C
    sgemm, sgemv = library.function("cblas_sgemm"), library.function("cblas_sgemv")
    sgemm.argtypes = (*6 * (number,), *matrices)
    sgemv.argtypes = (*4 * (number,), *matrices)
    return sgemm, sgemv


def _layout(matrix: Matrix) -> tuple[int, int, int]:
    """How BLAS is told of a matrix: as it is or turned, address, step between stored rows."""
    stored, order = (matrix, _PLAIN)
    if matrix.strides[1] != matrix.itemsize:
        stored, order = (matrix.T, _TURNED)
    # NumPy leaves the step of an axis of length 1 open, BLAS does not.
    step = max(stored.strides[0] // stored.itemsize, stored.shape[1])
    return order, matrix.ctypes.data, step
