"""What every use of LanceDB here shares: the connection, its errors, SQL conditions."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import sys
import threading
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

from rag.errors import IndexCorrupt, StorageFull

# Another process's commits are seen after at most this long.
CONSISTENCY = timedelta(seconds=1)
# Ids in one SQL "IN": keeps the expression small enough for LanceDB's parser.
IDS_A_FILTER = 500
_FULL = ("No space left", "os error 28", "Disk quota exceeded")


async def connect(directory: Path) -> Any:
    """The collection's LanceDB database."""
    # The first import takes a good part of a second, in which the embedder can be opened.
    lancedb = await asyncio.to_thread(_lancedb)
    return await lancedb.connect_async(directory / "lance", read_consistency_interval=CONSISTENCY)


def _lancedb() -> Any:
    # Its Rust side warns on stderr about each table that it creates.
    os.environ.setdefault("LANCEDB_LOG", "error")
    with _importing:
        if "lancedb" not in sys.modules:
            # The REST client that LanceDB reaches remote catalogs by: it needs half of the whole
            # import, to build its 360 checked functions, and a local database wants nothing of it
            # but the types.
            with put_off("lance_namespace_urllib3_client"):
                import lancedb
    import lancedb

    return lancedb


# Nothing that is imported calls `_lancedb`, so who waits here holds no lock of the import system.
_importing = threading.Lock()


@contextmanager
def put_off(package: str) -> Iterator[None]:
    """In the block, submodules of a package are imported without its `__init__`.

    Afterwards the package is one that nobody has imported yet: whoever asks for it or for another
    submodule has the import system run the `__init__`, under its own locks and before the
    submodule, as ever. Nothing happens where there is no such package or where it is loaded
    already. (`importlib.util.LazyLoader` runs the `__init__` as soon as a submodule is imported,
    because that reads the package's `__path__`; and a `__getattr__` on the package runs it in the
    middle of a submodule that asks its package for a name.)
    """
    spec = None if package in sys.modules else importlib.util.find_spec(package)
    if spec is None or spec.loader is None:
        yield
        return
    module = sys.modules[package] = importlib.util.module_from_spec(spec)
    try:
        yield
    finally:
        del sys.modules[package]
        sys.meta_path.insert(0, _Later(module, spec))


class _Later:
    """Finds a package as the module that already has the submodules imported so far."""

    def __init__(self, module: ModuleType, spec: ModuleSpec) -> None:
        self._module, self._spec, self._loader = module, spec, spec.loader
        spec.loader = self  # type: ignore[assignment]

    def find_spec(self, name: str, *_: object) -> ModuleSpec | None:
        return self._spec if name == self._spec.name else None

    def create_module(self, _: ModuleSpec) -> ModuleType:
        return self._module

    def exec_module(self, module: ModuleType) -> None:
        assert self._loader is not None
        self._spec.loader = module.__loader__ = self._loader
        self._loader.exec_module(module)


@asynccontextmanager
async def translated() -> AsyncIterator[None]:
    """LanceDB raises plain built-in exceptions: here they become ours."""
    try:
        yield
    except (RuntimeError, ValueError, OSError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        if any(words in str(error) for words in _FULL):
            raise StorageFull("the disk is full: what was committed before stays") from error
        raise IndexCorrupt(f"LanceDB failed: {reason}") from error


def one_of(column: str, values: Iterable[str]) -> str:
    """SQL: `column` has one of `values`."""
    quoted = ", ".join("'" + value.replace("'", "''") + "'" for value in values)
    return f"{column} IN ({quoted})" if quoted else "false"


def batches(values: Sequence[str]) -> Iterable[Sequence[str]]:
    return (values[i : i + IDS_A_FILTER] for i in range(0, len(values), IDS_A_FILTER))
