"""Uploads to disk: in pieces, within a limit, under a name of our own making."""

from __future__ import annotations

import asyncio
import hashlib
import re
import secrets
import shutil
import unicodedata
from collections.abc import AsyncIterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from rag.disk import cannot_write, make_private
from rag.errors import ExtractionError, StorageFull, StoreError
from rag.readers.base import Format
from rag.readers.formats import SUFFIXES, sniff
from service.problems import Refused

_INCOMING = ".incoming"  # hidden, so that an ingest of the folder passes it over
_NAME_CHARS = 120
_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*]')


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that arrived whole and is what its name says. It still lies in `path`, aside."""

    path: Path
    name: str
    sha256: str


def safe_name(given: str) -> str:
    """A file name without any path, control character or leading dot; its suffix kept."""
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", given))[-1]
    clean = _FORBIDDEN.sub("_", last)
    # Format characters (a right-to-left override, say) can make a name look like another.
    clean = "".join(char for char in clean if unicodedata.category(char) not in ("Cf", "Cs", "Co"))
    stem, dot, suffix = clean.strip(" .").rpartition(".")
    if not dot:
        stem, suffix = suffix, ""
    stem = stem.strip(" .")[:_NAME_CHARS] or "document"
    return f"{stem}.{suffix[:12]}" if suffix else stem


async def receive(name: str, pieces: AsyncIterable[bytes], folder: Path, limit: int) -> Upload:
    """Write an upload aside. Raises Refused (too large), ExtractionError (not what we read),
    StorageFull, and whatever `pieces` raise; nothing is left of it then."""
    clean = safe_name(name)
    suffix = Path(clean).suffix.lower()
    path = folder / _INCOMING / f"{secrets.token_hex(8)}{suffix if suffix in SUFFIXES else ''}"
    digest = hashlib.sha256()
    size = 0
    try:
        make_private(path.parent)
        with path.open("xb") as file:
            async for piece in pieces:
                size += len(piece)
                if size > limit:
                    raise Refused(413, f"{clean}: larger than {limit >> 20} MiB")
                digest.update(piece)
                await asyncio.to_thread(file.write, piece)
        kind = await asyncio.to_thread(_sniffed, path, clean)
    except OSError as error:
        forget(path)
        raise _not_taken(clean, error) from error
    except BaseException:
        forget(path)
        raise
    if suffix not in kind.suffixes:  # a PDF by another name
        clean += min(kind.suffixes)
    return Upload(path, clean, digest.hexdigest())


def forget(path: Path) -> None:
    """Delete what is left of an upload, and the folder aside once it is empty."""
    path.unlink(missing_ok=True)
    with suppress(OSError):
        path.parent.rmdir()


def _not_taken(name: str, error: OSError) -> StoreError:
    """Named as the client does: a path of the service is not for the wire."""
    told = cannot_write(Path(name), error)
    if isinstance(told, StorageFull):
        return StorageFull(f"the disk is full: {name} was not taken")
    return told


def forget_unfinished(folder: Path) -> None:
    """Delete what a process that died in mid-upload left aside."""
    shutil.rmtree(folder / _INCOMING, ignore_errors=True)


def _sniffed(path: Path, name: str) -> Format:
    """What the file is; complaints name it as the client does."""
    try:
        return sniff(path)
    except ExtractionError as error:
        raise type(error)(str(error).replace(path.name, name), hint=error.hint) from error


def keep(upload: Upload, folder: Path) -> Path:
    """Move an upload to its place, beside others of the same name if need be."""
    stem, suffix = Path(upload.name).stem, Path(upload.name).suffix
    number = 1
    while True:
        target = folder / (upload.name if number == 1 else f"{stem} ({number}){suffix}")
        try:
            # A hard link fails where the name is taken, so two uploads cannot take one.
            target.hardlink_to(upload.path)
        except FileExistsError:
            number += 1
        else:
            forget(upload.path)
            return target
