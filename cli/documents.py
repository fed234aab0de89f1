"""`rag list`, `rag show`, `rag remove`: the documents of a collection."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from cli.context import Context
from cli.edge import Code
from cli.options import AsJson, AsOf
from cli.render import print_json
from cli.terminal import one_line, out, print_table, say, table

if TYPE_CHECKING:
    from rag.pipeline import Pipeline
    from rag.types import Document, Failure

Name = Annotated[
    str, typer.Argument(metavar="DOC", help="File name, path, title, id, glob or part of the name.")
]


def list_documents(
    ctx: typer.Context,
    failed: Annotated[
        bool, typer.Option("--failed", help="List files that could not be ingested, and why.")
    ] = False,
    as_of: AsOf = None,
    as_json: AsJson = False,
) -> None:
    """List the documents in the index."""
    context: Context = ctx.obj

    async def work(pipeline: Pipeline) -> Sequence[Document] | Sequence[Failure]:
        pipeline.as_of(as_of)
        if failed:
            failures = await (await pipeline.store()).failures()
            return sorted(failures.values(), key=lambda failure: str(failure.path))
        return await pipeline.documents()

    rows = context.run(work)
    if as_json:
        for row in rows:
            print_json(row)
    elif failed:
        _print_failures(rows)  # type: ignore[arg-type]
    else:
        _print_documents(rows, verbose=context.verbose)  # type: ignore[arg-type]


def _print_failures(failures: Sequence[Failure]) -> None:
    console = out()
    made = table(console, "kind", "file", "reason", "hint")
    for failure in failures:
        cells = (failure.kind, failure.path, failure.reason, failure.hint)
        made.add_row(*map(one_line, cells))
    if failures:
        print_table(console, made)
    else:
        say("No file failed.")


def _print_documents(documents: Sequence[Document], *, verbose: bool) -> None:
    console = out()
    names = ("id", "document", "title", "pages", "chunks", "language", "added")
    made = table(console, *names, right=("pages", "chunks"))
    for document in documents:
        made.add_row(
            document.id[:8],
            one_line(document.path if verbose else document.name),
            one_line(document.title, 60),
            f"{document.pages:,}",
            f"{document.chunks:,}",
            document.language,
            document.added_at[:10],
        )
    if documents:
        print_table(console, made)
    else:
        say("The index is empty.\nhint: rag ingest FOLDER")


def remove(
    ctx: typer.Context,
    names: Annotated[list[str], typer.Argument(metavar="DOC...", help="As in rag show.")],
    yes: Annotated[
        bool, typer.Option("--yes", help="Do not ask when a name means several documents.")
    ] = False,
) -> None:
    """Remove documents from the index. The files stay where they are."""
    context: Context = ctx.obj

    async def find(pipeline: Pipeline) -> list[Document]:
        return list({d.path: d for name in names for d in await pipeline.find(name)}.values())

    found = context.run(find)
    if len(found) > len(names) and not yes:
        _confirm(found)
    paths = [str(document.path) for document in found]
    removed = context.run(lambda pipeline: pipeline.remove(paths), in_turn=True)
    for document in removed:
        typer.echo(f"removed {one_line(document.path)}")


def _confirm(found: Iterable[Document]) -> None:
    for document in found:
        say(str(document.path))
    if not sys.stdin.isatty():
        say("error: these are more documents than names\nhint: --yes removes them all")
        raise typer.Exit(Code.USAGE)
    typer.confirm("Remove all of these from the index?", abort=True, err=True)
