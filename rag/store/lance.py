"""What every use of LanceDB here shares: the connection, its errors, SQL conditions."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import sys
import threading
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
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
    # The REST client that LanceDB reaches remote catalogs by: it needs half of the whole import, to
    # build its 360 checked functions, and a local database wants nothing of it but the types.
    put_off("lance_namespace_urllib3_client")
    import lancedb

    return lancedb


def put_off(package: str) -> None:
    """Run the `__init__` of a package when something first asks the package for a name.

    Until then only its submodules can be imported, each of which runs as ever. So nothing is taken
    away from those who want the whole package, and nothing happens where there is no such package
    or where it is loaded already. (`importlib.util.LazyLoader` runs the `__init__` as soon as a
    submodule is imported, because that reads the package's `__path__`.)
    """
    if package in sys.modules:
        return
    spec = importlib.util.find_spec(package)
    if spec is None or spec.loader is None:
        return
    module, run = importlib.util.module_from_spec(spec), spec.loader.exec_module
    lock, began = threading.RLock(), False

    def ask(name: str) -> Any:
        nonlocal began
        with lock:  # held by the thread that runs the __init__, which may come by here itself
            if not began:
                began = True
                run(module)
        if name in module.__dict__:
            return module.__dict__[name]
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    module.__dict__["__getattr__"] = ask  # called for names that the module lacks (PEP 562)
    sys.modules[package] = module


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
