"""The `rag` command. Each command is thin over a method of `rag.pipeline.Pipeline`.

Nothing heavy is imported until a command runs: `rag --help` answers within 0.3 s.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from cli import (
    ask,
    chat,
    collections,
    config,
    demo,
    doctor,
    documents,
    eval,
    ingest,
    models,
    serve,
    show,
    upkeep,
)
from cli.context import Context, RuntimeFactory, default_runtime
from cli.edge import EXIT_CODES, Edge

HELP = """Private question answering over your own PDFs, wholly on your own machine.

Start with: rag ingest FOLDER, then: rag ask "…". Or see it work first: rag demo.
The options below may stand anywhere on the line."""

# Name, function, and one line for `rag --help` (the whole text is the function's docstring).
COMMANDS: dict[str, tuple[Callable[..., None], str]] = {
    "ingest": (ingest.ingest, "Read PDFs into the index, or bring it up to date with them."),
    "ask": (ask.ask, "Answer a question, with the pages it rests on."),
    "chat": (chat.chat, "Talk with the documents."),
    "search": (ask.search, "Show the passages that a question finds."),
    "list": (documents.list_documents, "List the documents, or the files that failed."),
    "show": (show.show, "Show how a document was read, or one of its pages."),
    "remove": (documents.remove, "Remove documents from the index."),
    "stats": (collections.stats, "Count what the collection holds."),
    "collections": (collections.collections, "List the collections."),
    "models": (models.models, "List the models, and which are in use."),
    "config": (config.config, "Show the settings, and where each came from."),
    "doctor": (doctor.doctor, "Look for what is missing or broken, and repair it."),
    "watch": (upkeep.watch, "Keep the index up to date with folders."),
    "tag": (upkeep.tag, "Name the present state, to come back to it."),
    "backup": (upkeep.backup, "Write the collection to one file."),
    "restore": (upkeep.restore, "Bring a collection back from its backup."),
    "reembed": (upkeep.reembed, "Change the embedding model."),
    "demo": (demo.demo, "See it work, on sample PDFs."),
    "serve": (serve.serve, "Serve the chat page, the HTTP API and MCP."),
    "mcp": (serve.mcp, "Offer the documents as MCP tools on stdin and stdout."),
    "eval": (eval.evaluate, "Measure retrieval and answers on known questions."),
}


def create_cli(*, runtime_factory: RuntimeFactory = default_runtime) -> typer.Typer:
    """The whole command line. Another `runtime_factory` brings other models."""
    # Without rich's markup, --help takes a third of the time.
    app = typer.Typer(
        name="rag", cls=Edge, help=HELP, epilog=EXIT_CODES, rich_markup_mode=None,
        pretty_exceptions_enable=False, no_args_is_help=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )  # fmt: skip

    @app.callback(invoke_without_command=True)
    def globals_(
        ctx: typer.Context,
        home: Annotated[
            Path | None, typer.Option("--home", metavar="FOLDER", help="Where the data lives.")
        ] = None,
        collection: Annotated[
            str | None, typer.Option("--collection", metavar="NAME", help="Which documents.")
        ] = None,
        embedding_model: Annotated[
            str | None,
            typer.Option("--embedding-model", metavar="NAME", help="Model that finds passages."),
        ] = None,
        verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Show more detail.")] = False,
        debug: Annotated[bool, typer.Option("--debug", help="Show the trace of an error.")] = False,
        version: Annotated[  # noqa: ARG001 - its callback ends the program
            bool,
            typer.Option("--version", callback=_version, is_eager=True, help="Show the version."),
        ] = False,
    ) -> None:
        if ctx.invoked_subcommand is None:
            typer.echo(ctx.get_help())
        flags = {"home": home, "collection": collection, "embedding_model": embedding_model}
        ctx.obj = Context(flags, verbose, debug, runtime_factory)

    for name, (function, brief) in COMMANDS.items():
        app.command(name, short_help=brief)(function)
    return app


def _version(wanted: bool) -> None:
    if wanted:
        import importlib.metadata

        typer.echo(f"rag {importlib.metadata.version('rag-local')}")
        raise typer.Exit


def main() -> None:
    """The console script."""
    try:
        create_cli()(prog_name="rag")
    finally:
        # At its end the interpreter looks through all objects for garbage: of a search, with the
        # libraries that it loads, that takes 0.13 s after the answer stands there.
        gc.freeze()
