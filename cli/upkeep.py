"""`rag watch`, `rag tag`, `rag backup`, `rag restore`, `rag reembed`."""

from __future__ import annotations

from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.context import Context
from cli.edge import report
from cli.options import AsJson
from cli.progress import IngestView, print_summary
from cli.render import print_json
from cli.terminal import one_line, say, size

if TYPE_CHECKING:
    from rag.pipeline import Pipeline
    from rag.store.reembed import Reembedded


def watch(
    ctx: typer.Context,
    folders: Annotated[list[Path], typer.Argument(metavar="FOLDER...", help="What to watch.")],
    as_json: AsJson = False,
) -> None:
    """Keep the index up to date with folders until Ctrl-C: new and changed files are read.

    A deleted file is removed from the index, unless its whole folder is empty (an unmounted disk).
    """
    context: Context = ctx.obj

    async def work(pipeline: Pipeline) -> None:
        from rag import maintenance

        events = maintenance.watch(pipeline, folders, waiting=say)
        view = _WatchView(verbose=context.verbose)
        async with aclosing(events):
            async for event in events:
                print_json(event) if as_json else view.show(event)

    try:
        context.run(work)
    except KeyboardInterrupt:
        say("Stopped watching. What was committed stays.")


class _WatchView:
    """One ingest after the other: each is shown as `rag ingest` shows it."""

    def __init__(self, *, verbose: bool) -> None:
        self._verbose = verbose
        self._view: IngestView | None = None
        self._told = False

    def show(self, event: object) -> None:
        from rag.events import Summary

        if self._view is None:
            self._view = IngestView(verbose=self._verbose)
        self._view.show(event)  # type: ignore[arg-type]
        if isinstance(event, Summary):
            self._view = None
            if event.ingested or event.moved or event.removed or event.failed:
                print_summary(event, verbose=self._verbose)
            if not self._told:
                say("Watching. Press Ctrl-C to stop.")
                self._told = True


def tag(
    ctx: typer.Context,
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Letters, digits, '.', '_', '-'.")
    ] = None,
    delete: Annotated[bool, typer.Option("--delete", help="Delete the tag NAME.")] = False,
    as_json: AsJson = False,
) -> None:
    """Name the present state of the collection, for --as-of; without NAME list the tags.

    A tag of that name moves to the present. What a tag names is kept on disk until it is deleted.
    """
    from rag import maintenance

    context: Context = ctx.obj
    if name is None and delete:
        raise typer.BadParameter("--delete needs the NAME of a tag")

    async def work(pipeline: Pipeline) -> list[str]:
        if name is not None:
            await maintenance.tag(pipeline, name, delete=delete)
        return maintenance.tags(pipeline)

    tags = context.run(work)
    if as_json:
        print_json({"tags": tags})
    elif name is not None:
        say(
            f"deleted the tag {name}"
            if delete
            else f"tagged as {name}: --as-of {name} goes back to it"
        )
    elif tags:
        for known in tags:
            typer.echo(known)
    else:
        say("There is no tag.\nhint: rag tag NAME")


File = Annotated[Path, typer.Argument(metavar="FILE", help="The backup, a tar file.")]


def backup(ctx: typer.Context, file: File) -> None:
    """Write the collection to one file. Asking goes on meanwhile, ingests must wait."""
    from rag.store.backup import backup as write

    context: Context = ctx.obj
    settings = context.settings()
    say(f"{settings.collection}: {size(write(settings.collection_dir, file))} in {file}")


def restore(
    ctx: typer.Context,
    file: File,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace the collection of that name.")
    ] = False,
) -> None:
    """Bring a collection back from its backup; --collection gives it another name."""
    from rag.store.backup import restore as read

    context: Context = ctx.obj
    settings = context.settings()
    read(file, settings.collection_dir, replace=replace)
    say(f"restored {settings.collection} from {file}\nhint: rag stats shows what it holds")


def reembed(
    ctx: typer.Context,
    model: Annotated[
        str, typer.Option("--model", metavar="NAME", help="Bundled name, hub id or folder.")
    ],
    as_json: AsJson = False,
) -> None:
    """Change the collection's embedding model, from the stored texts: no file is read again.

    Questions are answered by the old one until all is done. Stopped, it goes on where it was.
    """
    context: Context = ctx.obj

    async def work(pipeline: Pipeline) -> Reembedded | None:
        from rag import maintenance

        last = None
        async with aclosing(maintenance.change_embedder(pipeline, model)) as steps:
            async for last in steps:
                if as_json:
                    print_json(last)
                else:
                    say(f"{last.done:,} of {last.total:,} chunks")
        return last

    try:
        last = context.run(work)
    except KeyboardInterrupt:
        say("What was embedded stays; the same command goes on from there.")
        raise
    if not as_json:
        done = f"{last.total:,} chunks embedded with" if last else "the collection already has"
        say(f"{done} {one_line(model)}")
    settings = context.settings()
    if "embedding_model" in settings.model_fields_set and settings.embedding_model != model:
        report(
            f"your settings still name {settings.embedding_model}",
            "Take embedding_model out of them (rag config says where it stands): "
            "a collection remembers its own.",
        )
