"""A home has one service: it owns the uploads that are half there and the answers under way."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from rag import client
from rag.disk import cannot_write, make_private
from rag.errors import ServiceRunning

_LOCK = "service.lock"
# What an older version may have made for everybody's eyes.
_FOLDERS = ("collections", "files")


@contextmanager
def only_service(home: Path) -> Iterator[None]:
    """Be the service of `home`; the system takes that back from a process that dies.

    Raises ServiceRunning, and StoreError where nothing can be written.
    """
    lock = FileLock(home / _LOCK, timeout=0, mode=0o600)
    try:
        make_private(home)
        lock.acquire()
        for folder in (home / name for name in _FOLDERS):
            if folder.is_dir():
                folder.chmod(0o700)
    except Timeout:
        url = client.announced(home)
        where = f" at {url}" if url else ""
        raise ServiceRunning(f"a service runs on {home} already{where}") from None
    except OSError as error:
        lock.release()
        raise cannot_write(home, error) from error
    try:
        yield
    finally:
        lock.release()
