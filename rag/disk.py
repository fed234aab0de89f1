"""Folders for their owner alone, and what is wrong where nothing can be written."""

from __future__ import annotations

import errno
from pathlib import Path

from rag.errors import StorageFull, StoreError


def make_private(folder: Path) -> Path:
    """Make a folder, and those above it that are missing, for their owner alone (0700). One that
    is there stays as it is. Raises OSError."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    for path in reversed(missing):
        path.mkdir(mode=0o700, exist_ok=True)
    return folder


def cannot_write(path: Path, error: OSError) -> StoreError:
    """Our error for what the system says of a file that was to be written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageFull(f"the disk is full: {path} cannot be written")
    reason = error.strerror or str(error)
    return StoreError(f"{path} cannot be written: {reason}", hint="Check the path and its owner.")
