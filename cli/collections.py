"""`rag stats` and `rag collections`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

from cli.context import Context
from cli.options import AsJson
from cli.render import print_json
from cli.terminal import one_line, out, print_table, say, size, table

if TYPE_CHECKING:
    from rag.collection import Stats
    from rag.pipeline import Pipeline


@dataclass(frozen=True, slots=True)
class Row:
    """A line of `rag collections`. `problem` says why a collection cannot be opened."""

    name: str
    documents: int | None
    chunks: int | None
    embedder: str
    disk_bytes: int
    problem: str = ""


def stats(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Count what the collection holds."""
    from rag.collection import another_embedder

    context: Context = ctx.obj
    found = context.run(_stats)
    if as_json:
        print_json(found)
        return
    console = out()
    made = table(console, "", "")
    made.show_header = False
    for name, value in _lines(found).items():
        made.add_row(name, one_line(value))
    print_table(console, made)
    if found.unindexed:
        say(f"hint: {found.unindexed} chunks wait for the full-text index; the next ingest does it")
    if told := another_embedder(found.hardly_known, found.embedder):
        say(f"hint: {told}")


async def _stats(pipeline: Pipeline) -> Stats:
    from rag.collection import collection_stats

    return await collection_stats(await pipeline.store())


def _lines(found: Stats) -> dict[str, str]:
    chunks = f"{found.chunks:,}"
    if found.chunks != found.expected_chunks:
        chunks += f" stored, {found.expected_chunks:,} belong to documents"
    sources = {
        "plain text": found.text_pages,
        "layout analysis": found.layout_pages,
        "OCR": found.ocr_pages,
        "empty": found.empty_pages,
        "not read": found.unread_pages,
    }
    read = ", ".join(f"{count:,} {name}" for name, count in sources.items() if count)
    return {
        "collection": found.collection,
        "documents": f"{found.documents:,}",
        "pages": f"{found.pages:,}" + (f": {read}" if read else ""),
        "chunks": chunks,
        "files that failed": f"{found.failed:,}",
        "embedding": f"{found.embedder}, {found.dimensions} dimensions",
        "on disk": size(found.disk_bytes),
    }


def collections(ctx: typer.Context, as_json: AsJson = False) -> None:
    """List the collections of the home."""
    context: Context = ctx.obj
    rows = _rows(context)
    if as_json:
        for row in rows:
            print_json(row)
        return
    console = out()
    names = ("collection", "documents", "chunks", "on disk", "embedding")
    made = table(console, *names, right=names[1:4])
    for row in rows:
        counts = ["" if count is None else f"{count:,}" for count in (row.documents, row.chunks)]
        cells = (*counts, size(row.disk_bytes), one_line(row.problem or row.embedder))
        made.add_row(row.name, *cells)
    if rows:
        print_table(console, made)
    else:
        say("There is no collection yet.\nhint: rag ingest FOLDER")


def _rows(context: Context) -> list[Row]:
    from rag.collection import folder_bytes, list_collections
    from rag.errors import StoreError

    rows = []
    settings = context.settings()
    for name in list_collections(settings.home):
        try:
            found = context.run(_stats, collection=name)
        except StoreError as error:
            disk = folder_bytes(settings.home / "collections" / name)
            rows.append(Row(name, None, None, "", disk, str(error)))
        else:
            row = Row(name, found.documents, found.chunks, found.embedder, found.disk_bytes)
            rows.append(row)
    return rows
