"""An optimised BLAS put in front of the one that MLX's CPU build for Linux links.

That build links the reference BLAS (4 GFLOP/s). An OpenBLAS that is in the global symbol scope
before MLX is loaded takes its place: 180–370 GFLOP/s on two cores, measured 2026-11.
"""

from __future__ import annotations

import ctypes
import functools
import importlib.metadata
import os
import sys
from pathlib import Path

_FORTRAN = "libgfortran.so.5"  # what OpenBLAS asks for by name


def library_file() -> Path | None:
    """The shared library inside the cmeel-openblas package, wherever that is installed."""
    return _file_of("cmeel-openblas", "libopenblas.so")


@functools.cache
def load() -> ctypes.CDLL | None:
    """OpenBLAS, if it stands in for the BLAS that MLX links; None where it does not.

    It begins with half the cores as threads, unless OPENBLAS_NUM_THREADS says otherwise.
    """
    path = library_file()
    # Symbols of an MLX that is already loaded may be bound: too late, and half a swap is no swap.
    if path is None or "mlx.core" in sys.modules:
        return None
    try:
        library = _open(path)
    except OSError:  # built for another libc or processor: MLX works without it, slowly
        return None
    if not _is_first(library):
        return None
    if "OPENBLAS_NUM_THREADS" not in os.environ:
        half = library.openblas_get_num_threads() // 2
        library.openblas_set_num_threads(ctypes.c_int(max(1, half)))
    return library


def version(library: ctypes.CDLL) -> str:
    """Such as "OpenBLAS 0.3.31"."""
    library.openblas_get_config.restype = ctypes.c_char_p
    return " ".join(library.openblas_get_config().decode().split()[:2])


def _open(path: Path) -> ctypes.CDLL:
    try:
        return ctypes.CDLL(os.fspath(path), mode=ctypes.RTLD_GLOBAL)
    except OSError:
        _lend_fortran_runtime()
        return ctypes.CDLL(os.fspath(path), mode=ctypes.RTLD_GLOBAL)


def _lend_fortran_runtime() -> None:
    """Load MLX's own copy of GCC's Fortran runtime under the name that OpenBLAS asks for.

    A bare machine has no libgfortran5, and the copy inside the mlx-cpu wheel bears a name with a
    hash in it. The loader matches libraries by that name (the ELF soname), so a copy in memory
    with the plain name in the same place will do. Raises OSError where there is none.
    """
    bundled = _file_of("mlx-cpu", "libgfortran-")
    if bundled is None:
        raise OSError(f"no {_FORTRAN} on this machine, and none in mlx-cpu")
    quad = _file_of("mlx-cpu", "libquadmath-")
    if quad is not None:  # what libgfortran needs in turn, on x86-64
        ctypes.CDLL(os.fspath(quad))
    hashed = bundled.name.encode() + b"\0"
    renamed = bundled.read_bytes().replace(hashed, _FORTRAN.encode().ljust(len(hashed), b"\0"))
    memory = os.memfd_create(_FORTRAN)
    with os.fdopen(memory, "wb", buffering=0) as file:
        file.write(renamed)
        ctypes.CDLL(f"/proc/self/fd/{memory}")


def _is_first(library: ctypes.CDLL) -> bool:
    """Whether a library loaded from now on would bind its BLAS calls to `library`."""
    return _address(ctypes.CDLL(None)) == _address(library)


def _address(library: ctypes.CDLL) -> int | None:
    return ctypes.cast(library.cblas_sgemm, ctypes.c_void_p).value


def _file_of(package: str, prefix: str) -> Path | None:
    """The installed package's first file whose name begins with `prefix`."""
    if sys.platform != "linux":
        return None
    try:
        files = importlib.metadata.files(package) or []
    except importlib.metadata.PackageNotFoundError:
        return None
    found = (Path(str(file.locate())) for file in files if file.name.startswith(prefix))
    return next((path for path in sorted(found) if path.is_file()), None)
