"""A collection as one file, and back."""

from __future__ import annotations

import shutil
import tarfile
import uuid
from pathlib import Path

from rag.disk import cannot_write, make_private
from rag.errors import ConfigError, IndexCorrupt, IndexMissing
from rag.store.lock import LOCK_FILES, writer_lock
from rag.store.manifest import NAME, read_manifest


def backup(directory: Path, file: Path) -> int:
    """Write the collection in `directory` to a tar `file`; returns its size in bytes.

    Uncompressed: vectors and LanceDB's files hardly shrink. Nobody writes meanwhile, reading goes
    on. Raises IndexMissing, IndexLocked, StoreError (StorageFull).
    """
    read_manifest(directory)
    draft = file.with_name(f".{file.name}.{uuid.uuid4().hex[:8]}")
    try:
        with writer_lock(directory), tarfile.open(draft, "w") as archive:
            for entry in sorted(directory.iterdir()):
                if entry.name not in LOCK_FILES:
                    archive.add(entry, arcname=entry.name)
        draft.replace(file)
    except OSError as error:
        raise cannot_write(file, error) from error
    finally:
        draft.unlink(missing_ok=True)
    return file.stat().st_size


def restore(file: Path, directory: Path, *, replace: bool = False) -> None:
    """Unpack a backup as the collection in `directory`. With `replace`, over one that is there.

    Raises IndexCorrupt (not a backup, or a damaged one), ConfigError (a collection is there),
    IndexLocked, StoreError (StorageFull).
    """
    if (directory / NAME).exists() and not replace:
        raise ConfigError(
            f"the collection {directory.name} exists",
            hint="Restore under another name with --collection, or give --replace.",
        )
    fresh = directory.with_name(f".{directory.name}.{uuid.uuid4().hex[:8]}")
    try:
        make_private(fresh)
        with tarfile.open(file) as archive:
            archive.extractall(fresh, filter="data")
        read_manifest(fresh)
    except FileNotFoundError as error:
        shutil.rmtree(fresh, ignore_errors=True)
        raise IndexMissing(f"{file}: no such file", hint="Check the path.") from error
    except OSError as error:
        shutil.rmtree(fresh, ignore_errors=True)
        raise cannot_write(directory, error) from error
    except (tarfile.TarError, IndexMissing) as error:
        shutil.rmtree(fresh, ignore_errors=True)
        raise IndexCorrupt(
            f"{file} is no backup of a collection", hint="Check the file."
        ) from error
    with writer_lock(directory):
        _swap(fresh, directory)


def _swap(fresh: Path, directory: Path) -> None:
    """Put `fresh` in the place of `directory`; a crash between the two renames loses neither."""
    old = directory.with_name(f"{fresh.name}.old")
    directory.rename(old)
    fresh.rename(directory)
    shutil.rmtree(old)
