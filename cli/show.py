"""`rag show`: how a document was read, a page's text, or the page as an image."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.context import Context
from cli.documents import Name
from cli.options import AsJson, Password
from cli.pictures import show_image
from cli.render import print_json
from cli.terminal import clean, one_line, out, print_table, say, size, table

if TYPE_CHECKING:
    from rag.pipeline import Pipeline
    from rag.types import Document, Page


def show(
    ctx: typer.Context,
    name: Name,
    page: Annotated[
        int | None, typer.Option("--page", metavar="N", min=1, help="Print this page's text.")
    ] = None,
    quote: Annotated[
        str, typer.Option("--quote", metavar="TEXT", help="Draw the page with these words marked.")
    ] = "",
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="Draw the page into this PNG file."),
    ] = None,
    password: Password = None,
    as_json: AsJson = False,
) -> None:
    """Show how a document was read, or one of its pages.

    Pages count as read from plain text, by layout analysis, by OCR, or as empty. With --page, the
    page's text; with --quote or -o its image, on the terminal where that shows images (Kitty's
    protocol or Sixel), else in a file.
    """
    context: Context = ctx.obj
    if (quote or output) and not page:
        raise typer.BadParameter("--quote and -o go together with --page")

    async def work(pipeline: Pipeline) -> tuple[Document, Page | None, bytes]:
        document = await _one(pipeline, name)
        found = await _page(pipeline, document, page) if page else None
        if found is None or not (quote or output):
            return document, found, b""
        return document, found, await _drawn(pipeline, document, found, quote, password)

    document, found, image = context.run(work)
    if image:
        _show_image(image, output, Path(f"{document.path.stem}-p{page}.png"))
    elif as_json:
        print_json(found or document)
    elif found is not None:
        typer.echo(clean(found.text))
    else:
        _print_details(document)


async def _drawn(
    pipeline: Pipeline, document: Document, page: Page, quote: str, password: str | None
) -> bytes:
    from rag.page_image import render_page_contained
    from rag.quotes import quote_boxes

    boxes = quote_boxes(page, quote) if quote else ()
    if quote and not boxes:
        say(f"hint: these words are not on page {page.number}; nothing is marked")
    memory = pipeline.settings.extraction.memory_mb
    return await render_page_contained(
        document.path, page.number, boxes, password=password, memory_mb=memory
    )


def _show_image(image: bytes, output: Path | None, default: Path) -> None:
    if output is None:
        if show_image(image):
            return
        say("This terminal shows no images.")
    file = output or default
    file.write_bytes(image)
    say(f"written: {file}")


async def _one(pipeline: Pipeline, name: str) -> Document:
    from rag.errors import DocumentNotFound

    found = await pipeline.find(name)
    if len(found) > 1:
        names = ", ".join(str(document.path) for document in found[:5])
        raise DocumentNotFound(
            f"{len(found)} documents answer to {name!r}", hint=f"Name one of: {names}"
        )
    return found[0]


async def _page(pipeline: Pipeline, document: Document, number: int) -> Page:
    from rag.errors import DocumentNotFound

    pages = await (await pipeline.store()).pages(document.id, [number])
    if not pages:
        raise DocumentNotFound(
            f"{document.name} has no page {number}", hint=f"It has {document.pages} pages."
        )
    return pages[0]


def _print_details(document: Document) -> None:
    console = out()
    made = table(console, "", "")
    made.show_header = False
    for name, value in _details(document).items():
        made.add_row(name, one_line(value))
    print_table(console, made)
    if document.coverage.unread:
        say("hint: what was not read needs OCR (rag doctor), then: rag ingest --reread")


def _details(document: Document) -> Mapping[str, object]:
    from rag.collection import ranges

    coverage = document.coverage
    read = {
        "plain text": coverage.text,
        "layout analysis": coverage.layout,
        "OCR": coverage.ocr,
        "empty": len(coverage.empty),
        "not read": coverage.unread_pages,
    }
    how = ", ".join(f"{count} {name}" for name, count in read.items() if count)
    empty = {"empty pages": ranges(coverage.empty)} if coverage.empty else {}
    return {
        "document": document.name,
        "path": document.path,
        "title": document.title,
        "id": document.id,
        "pages": f"{document.pages:,}: {how}",
        **empty,
        "chunks": f"{document.chunks:,}",
        "language": document.language or "unknown",
        "size": size(document.size),
        "added": document.added_at,
        **({"warnings": "; ".join(document.warnings)} if document.warnings else {}),
        **{key: value for key, value in document.metadata.items() if value},
    }
