"""The paths of documents."""

from __future__ import annotations

import os
from pathlib import Path


def located(path: Path) -> Path:
    """Where a path leads, whatever folder it was typed in: one file has one path in the index.

    Symbolic links are kept as they are, so that what the user sees is what the user named.
    """
    return Path(os.path.normpath(path.expanduser().absolute()))
