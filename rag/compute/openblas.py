"""An optimised BLAS put in front of the one that MLX's CPU build for Linux links.

That build links the reference BLAS (4 GFLOP/s). A `cblas_sgemm` that is in the global symbol scope
before MLX is loaded is used instead: 180–370 GFLOP/s on two cores, measured 2026-11. It comes from
the OpenBLAS that NumPy and SciPy are built with, whose kernels suit whatever processor it finds
(one built for AVX-512 ends the process with SIGILL on most). Its names begin with `scipy_`, so what
enters the global scope is a list of aliases.
"""

from __future__ import annotations

import ctypes
import functools
import importlib.metadata
import os
import struct
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_WANTED = ("cblas_sgemm", "cblas_dgemm", "cblas_cgemm")  # all that MLX asks of a BLAS


class OpenBLAS:
    """The library."""

    def __init__(self, path: Path) -> None:
        """Raises OSError where it was built for another libc or processor."""
        self.path = path
        self._library = ctypes.CDLL(os.fspath(path))

    def function(self, name: str) -> Any:
        """As `cblas_sgemm`: always the same object, which keeps the types it is given."""
        return getattr(self._library, f"scipy_{name}")

    def version(self) -> str:
        """Such as "OpenBLAS 0.3.31"."""
        config = self.function("openblas_get_config")
        config.restype = ctypes.c_char_p
        return " ".join(config().decode().split()[:2])

    def threads(self) -> int:
        """Threads of one matrix product."""
        return int(self.function("openblas_get_num_threads")())

    def use_threads(self, count: int) -> None:
        self.function("openblas_set_num_threads")(ctypes.c_int(count))


@functools.cache
def load() -> OpenBLAS | None:
    """OpenBLAS, if it stands in for the BLAS that MLX links; None where it does not.

    It begins with half the cores as threads, unless OPENBLAS_NUM_THREADS says otherwise.
    """
    path = library_file()
    # Symbols of an MLX that is already loaded may be bound: too late, and half a swap is no swap.
    if path is None or "mlx.core" in sys.modules:
        return None
    try:
        library = OpenBLAS(path)
        addresses = {name: _address(library.function(name)) for name in _WANTED}
        _publish(addresses, like=path)
        everywhere = ctypes.CDLL(None)  # what a library that is loaded from now on would find
        found = {name: _address(getattr(everywhere, name)) for name in _WANTED}
    except (OSError, AttributeError):  # without it, or one of its names, MLX works, slowly
        return None
    if found != addresses:
        return None
    if "OPENBLAS_NUM_THREADS" not in os.environ:
        library.use_threads(max(1, library.threads() // 2))
    return library


def library_file() -> Path | None:
    """The shared library inside the scipy-openblas32 package, wherever that is installed."""
    if sys.platform != "linux":
        return None
    try:
        files = importlib.metadata.files("scipy-openblas32") or []
    except importlib.metadata.PackageNotFoundError:
        return None
    found = (Path(str(file.locate())) for file in files if file.name == "libscipy_openblas.so")
    return next((path for path in found if path.is_file()), None)


def _address(function: Any) -> int:
    return ctypes.cast(function, ctypes.c_void_p).value or 0


# ── a shared library that holds nothing but names ─────────────────────────────────────────────

_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")  # these layouts: man 5 elf
_SEGMENT = struct.Struct("<IIQQQQQQ")
_ENTRY = struct.Struct("<QQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_LOAD, _DYNAMIC, _STACK = 1, 2, 0x6474E551
_HASH, _STRINGS, _SYMBOLS, _STRINGS_SIZE, _SYMBOL_SIZE = 4, 5, 6, 10, 11
_READ_WRITE = 6
_GLOBAL_FUNCTION = 0x12
_ABSOLUTE = 0xFFF1  # an address that is not counted from where the library lies


def _publish(addresses: Mapping[str, int], *, like: Path) -> None:
    """Make names known to all libraries that are loaded from now on. Raises OSError."""
    memory = os.memfd_create("aliases")
    with os.fdopen(memory, "wb", buffering=0) as file:
        file.write(_aliases(addresses, like))
        ctypes.CDLL(f"/proc/self/fd/{memory}", mode=ctypes.RTLD_GLOBAL)


def _aliases(addresses: Mapping[str, int], like: Path) -> bytes:
    """An ELF file for the processor that `like` is for, its symbols in one hash bucket."""
    with like.open("rb") as file:
        identity, _, machine, version, *_, flags = _HEADER.unpack(file.read(_HEADER.size))[:8]
    count = len(addresses) + 1  # the first symbol is none
    strings, symbols = b"\0", bytes(_SYMBOL.size)
    for name, address in addresses.items():
        symbols += _SYMBOL.pack(len(strings), _GLOBAL_FUNCTION, 0, _ABSOLUTE, address, 0)
        strings += name.encode() + b"\0"
    chain = (1, count, 1, 0, *range(2, count), 0)  # buckets, symbols, the first, each one's next
    table = struct.pack(f"<{len(chain)}I", *chain)

    at_entries = _HEADER.size + 3 * _SEGMENT.size
    at_symbols = at_entries + 6 * _ENTRY.size
    at_table = at_symbols + len(symbols)
    at_strings = at_table + len(table)
    entries = b"".join(
        _ENTRY.pack(*entry)
        for entry in (
            (_HASH, at_table),
            (_STRINGS, at_strings),
            (_SYMBOLS, at_symbols),
            (_STRINGS_SIZE, len(strings)),
            (_SYMBOL_SIZE, _SYMBOL.size),
            (0, 0),
        )
    )
    end, size = at_strings + len(strings), len(entries)
    segments = (
        _SEGMENT.pack(_LOAD, _READ_WRITE, 0, 0, 0, end, end, 1 << 16)
        + _SEGMENT.pack(_DYNAMIC, _READ_WRITE, at_entries, at_entries, at_entries, size, size, 8)
        + _SEGMENT.pack(_STACK, _READ_WRITE, 0, 0, 0, 0, 0, 16)  # without it: an executable one
    )
    sizes = (_HEADER.size, _SEGMENT.size, 3, 0, 0, 0)
    header = _HEADER.pack(identity, 3, machine, version, 0, _HEADER.size, 0, flags, *sizes)
    return header + segments + entries + symbols + table + strings
