"""Named moments of a collection, on LanceDB's versions: `rag tag`, `rag ask --as-of`."""

from __future__ import annotations

import re
from dataclasses import replace

from rag.errors import IndexMissing, InvalidName
from rag.store.connection import translated
from rag.store.writer import StoreWriter

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


async def set_tag(store: StoreWriter, name: str) -> None:
    """Name the present moment; a tag of that name moves. Its versions are never pruned.

    Raises InvalidName.
    """
    if not _NAME.fullmatch(name):
        raise InvalidName(f"{name!r} cannot be a tag", hint="Use letters, digits, '.', '_', '-'.")
    await _clear(store, name)
    async with translated():
        for table in store.versioned_tables():
            await table.tags.create(name, await table.version())
    tags = {**store.manifest.tags, name: store.manifest.chunks}
    store.set_manifest(replace(store.manifest, tags=tags))


async def delete_tag(store: StoreWriter, name: str) -> None:
    """Forget a moment. Raises IndexMissing if there is no such tag."""
    if name not in store.manifest.tags:
        known = ", ".join(store.manifest.tags) or "none"
        raise IndexMissing(f"there is no tag {name!r}", hint=f"The tags are: {known}.")
    tags = {tag: table for tag, table in store.manifest.tags.items() if tag != name}
    store.set_manifest(replace(store.manifest, tags=tags))
    await _clear(store, name)


async def _clear(store: StoreWriter, name: str) -> None:
    """Take LanceDB's own tags of that name away, also those that a crash left behind."""
    async with translated():
        for table in store.versioned_tables():
            if name in await table.tags.list():
                await table.tags.delete(name)
