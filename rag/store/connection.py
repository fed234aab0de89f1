"""What every use of LanceDB here shares: the connection, its errors, SQL conditions."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from rag.compute.cpu_cores import cores
from rag.compute.import_patches import defer_package_init
from rag.errors import IndexCorrupt, StorageFull

# Another process's commits are seen after at most this long.
CONSISTENCY = timedelta(seconds=1)
# Ids in one SQL "IN": keeps the expression small enough for LanceDB's parser.
IDS_A_FILTER = 500
_FULL = ("No space left", "os error 28", "Disk quota exceeded")


async def connect(directory: Path) -> Any:
    """The collection's LanceDB database."""
    # The first import takes a good part of a second, in which the embedder can be opened.
    lancedb = await asyncio.to_thread(library)
    return await lancedb.connect_async(directory / "lance", read_consistency_interval=CONSISTENCY)


def library() -> Any:
    """LanceDB, imported once."""
    # Its Rust side warns on stderr about each table that it creates.
    os.environ.setdefault("LANCEDB_LOG", "error")
    # It leaves two cores to reading, and would compute two searches at once on a single thread.
    if cores() < 4:
        os.environ.setdefault("LANCE_CPU_THREADS", "2")
    with _importing:
        if "lancedb" not in sys.modules:
            # The REST client that LanceDB reaches remote catalogs by: it needs half of the whole
            # import, to build its 360 checked functions, and a local database wants nothing of it
            # but the types.
            with defer_package_init("lance_namespace_urllib3_client"):
                import lancedb
    import lancedb

    return lancedb


# No module calls `library` while it is imported: a thread that waits here holds no import lock, so
# that the two locks cannot wait for each other.
_importing = threading.Lock()


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
