"""What keeps a collection in order: watching, checking and repairing it, tags, another embedder.

Each is a few steps on a pipeline, under the writer's lock where it writes.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from rag.errors import PathNotFound
from rag.events import IngestEvent
from rag.ingest.calibration import calibrate
from rag.store import StoreWriter
from rag.store.checks import Fault, check, repair
from rag.store.lock import writer_lock
from rag.store.manifest import read_manifest
from rag.store.reembed import Reembedded, reembed
from rag.store.tags import delete_tag, set_tag

if TYPE_CHECKING:
    import asyncio

    from rag.pipeline import Pipeline


@dataclass(frozen=True, slots=True)
class Repaired:
    """Last event of `fix`: what was wrong before and what still is."""

    found: tuple[Fault, ...]
    left: tuple[Fault, ...]
    kind: Literal["repaired"] = "repaired"


async def faults(pipeline: Pipeline) -> list[Fault]:
    """What is wrong with the index. Raises IndexMissing."""
    return await check(await pipeline.store())


async def repair_index(pipeline: Pipeline) -> AsyncGenerator[IngestEvent | Repaired]:
    """Repair the index, and read again the files that it lacks something of; at last Repaired.

    Pages not read are tried again only where there is OCR. Raises IndexMissing, IndexLocked.
    """
    directory = pipeline.settings.collection_dir
    read_manifest(directory)  # nothing to repair: say so, instead of making an empty collection
    with writer_lock(directory):
        store, embedder = await pipeline.writer()
        found = await check(store)
        repairable = [f for f in found if f.kind != "unread-pages" or _has_ocr(pipeline)]
        again = await repair(store, repairable, embedder)
    if again:
        async with aclosing(pipeline.ingest(again, reread=True)) as events:
            async for event in events:
                yield event
    yield Repaired(tuple(found), tuple(await faults(pipeline)))


def _has_ocr(pipeline: Pipeline) -> bool:
    from rag.readers.ocr import choose_engine

    limits = pipeline.settings.extraction
    return limits.ocr and choose_engine(limits.ocr_engine) is not None


async def watch(
    pipeline: Pipeline,
    folders: Sequence[Path],
    *,
    waiting: Callable[[str], None],
    stop: asyncio.Event | None = None,
) -> AsyncGenerator[IngestEvent]:
    """Keep the index in step with folders: new and changed files go in, deleted ones out.

    A folder that is empty or away takes nothing out: a disk may be unmounted. `waiting` is told
    why nothing happens (another process writes, say). Raises PathNotFound for what is no folder.
    """
    from rag.ingest import watch as watching

    for folder in folders:
        if not folder.is_dir():
            raise PathNotFound(f"{folder}: no such folder")

    def ingest() -> AsyncGenerator[IngestEvent]:
        return pipeline.ingest(folders, prune=all(map(_holds_something, folders)))

    own = [pipeline.settings.collection_dir.parent]
    async with aclosing(watching.watch(folders, ingest, stop, waiting=waiting, own=own)) as events:
        async for event in events:
            yield event


def _holds_something(folder: Path) -> bool:
    try:
        return any(folder.iterdir())
    except OSError:
        return False


# ── tags ──────────────────────────────────────────────────────────────────────────────────────


def tags(pipeline: Pipeline) -> list[str]:
    """Names of moments that `Pipeline.as_of` goes back to. Raises IndexMissing."""
    return sorted(read_manifest(pipeline.settings.collection_dir).tags)


async def tag(pipeline: Pipeline, name: str, *, delete: bool = False) -> None:
    """Name the present moment, or forget one. Raises IndexMissing (also for an unknown tag),
    IndexLocked, InvalidName."""
    directory = pipeline.settings.collection_dir
    read_manifest(directory)
    with writer_lock(directory):
        store = await StoreWriter.open(directory, notify=pipeline.runtime.notify)
        try:
            await (delete_tag if delete else set_tag)(store, name)
        finally:
            store.close()


# ── another embedder ──────────────────────────────────────────────────────────────────────────


async def change_embedder(pipeline: Pipeline, model: str) -> AsyncGenerator[Reembedded]:
    """Embed the stored texts with another model, while the old one goes on answering.

    Yields nothing if the collection has that model already. Stopped, it goes on from there when
    called again. Raises IndexMissing, IndexLocked, ModelNotFound, EmbeddingError, StorageFull.
    """
    directory = pipeline.settings.collection_dir
    read_manifest(directory)
    with writer_lock(directory):
        embedder = await pipeline.runtime.embedder(model)
        store = await StoreWriter.open(directory, notify=pipeline.runtime.notify)
        try:
            async with aclosing(reembed(store, embedder, model)) as steps:
                async for step in steps:
                    yield step
            await calibrate(store, embedder)
        finally:
            store.close()
            pipeline.close()
