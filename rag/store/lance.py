"""What every use of LanceDB here shares: the connection, its errors, SQL conditions."""

from __future__ import annotations

import os
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
    # Its Rust side warns on stderr about each table that it creates.
    os.environ.setdefault("LANCEDB_LOG", "error")
    import lancedb

    return await lancedb.connect_async(directory / "lance", read_consistency_interval=CONSISTENCY)


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
