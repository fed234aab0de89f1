"""Older formats of an index to the present one, in place, step by step.

Reading takes an older index as it is; the next writer upgrades it first, under its lock. A new
format is one more step in MIGRATIONS, FORMAT raised by one, and a fixture of the format before
(tests/make_index_fixture.py).

The manifest is written after each step, as its last act. So a crash leaves the format before, and
the step runs again. A step therefore

- may find its own work done, wholly or in part;
- leaves what readers of the format before need: it adds columns, or fills a table beside the one
  in use and returns a manifest that names it.

Tags keep rows of their time, which no step can change: readers supply what such rows lack.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from rag.store.connection import connect, translated
from rag.store.manifest import Manifest, read_manifest, write_manifest

Apply = Callable[[Any, Manifest], Awaitable[Manifest]]  # of a LanceDB connection


@dataclass(frozen=True, slots=True)
class Migration:
    """The step to format `to` from the one before. `gain` says in a few words what it is for."""

    to: int
    gain: str
    apply: Apply


async def _add_warnings(connection: Any, manifest: Manifest) -> Manifest:
    documents = await connection.open_table("documents")
    if "warnings" not in (await documents.schema()).names:
        await documents.add_columns({"warnings": "'[]'"})
    return manifest


MIGRATIONS: Final = (Migration(2, "a document keeps what could not be read of it", _add_warnings),)


def pending(manifest: Manifest, steps: Sequence[Migration] = MIGRATIONS) -> list[Migration]:
    """What an index lacks of the present format, in order."""
    return [step for step in steps if step.to > manifest.format]


async def migrate(
    directory: Path, notify: Callable[[str], None], steps: Sequence[Migration] = MIGRATIONS
) -> Manifest:
    """Bring the collection to the present format; hold the writer's lock. `notify` is told a line
    a step. Raises what read_manifest does, StorageFull."""
    manifest = read_manifest(directory)
    for step in pending(manifest, steps):
        formats = f"from format {manifest.format} to {step.to}"
        notify(f"Upgrading the index of {directory.name} {formats}: {step.gain}")
        async with translated():
            connection = await connect(directory)
            try:
                manifest = replace(await step.apply(connection, manifest), format=step.to)
                write_manifest(directory, manifest)
            finally:
                connection.close()
    return manifest
