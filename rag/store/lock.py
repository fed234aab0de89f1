"""One writer a collection, by a lock that the operating system takes back from a dead process."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from rag.disk import cannot_write, make_private
from rag.errors import IndexLocked
from rag.store.schema import now

_LOCK = "writer.lock"
_HOLDER = "writer.json"  # beside the lock, which FileLock truncates whenever somebody tries it
LOCK_FILES = (_LOCK, _HOLDER)


@contextmanager
def writer_lock(directory: Path) -> Iterator[None]:
    """Hold the right to write to the collection in `directory`.

    Raises IndexLocked at once; StoreError, StorageFull where nothing can be written.
    """
    lock = FileLock(directory / _LOCK, timeout=0)
    try:
        make_private(directory)
        lock.acquire()
        (directory / _HOLDER).write_text(json.dumps({"pid": os.getpid(), "since": now()}))
    except Timeout:
        raise IndexLocked(_who_holds(directory)) from None
    except OSError as error:
        lock.release()
        raise cannot_write(directory, error) from error
    try:
        yield
    finally:
        lock.release()


def holder(directory: Path) -> str | None:
    """Who is writing to the collection just now; None if nobody is."""
    try:
        with writer_lock(directory):
            return None
    except IndexLocked as error:
        return str(error)


def _who_holds(directory: Path) -> str:
    try:
        holder = json.loads((directory / _HOLDER).read_text())
        return (
            f"process {holder['pid']} has been writing to this collection since {holder['since']}"
        )
    except (OSError, ValueError, KeyError):
        return "another process is writing to this collection"
