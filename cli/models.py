"""`rag models`: what is here, and fetching more."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.context import Context
from cli.options import AsJson
from cli.render import print_json
from cli.terminal import one_line, out, print_table, say, size, table

if TYPE_CHECKING:
    from rag.config import Settings
    from rag.models.embedding_use import EmbeddingUse
    from rag.models.listing import ModelRow


class Action(StrEnum):
    GET = "get"
    ADD = "add"


def models(
    ctx: typer.Context,
    action: Annotated[
        Action | None,
        typer.Argument(help="get: download a model from the hub. add: convert a GGUF file."),
    ] = None,
    name: Annotated[str | None, typer.Argument(help="A hub id, as owner/name; or a file.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the models on this machine, which are in use, and why; or bring one.

    get downloads, and goes on where it broke off. add makes a GGUF file ready, which --model FILE
    does, too.

    "needs" is the memory that one answer takes, with "!" where this machine has less. "tried" are
    families whose shape was tried with this release.
    """
    from rag.models.listing import list_models
    from rag.models.registry import fetch

    context: Context = ctx.obj
    settings = context.settings()
    if action is not None:
        if name is None:
            raise typer.BadParameter(f"{action} wants a model's name")
        say(f"{name} is at {fetch(name, say) if action == Action.GET else _added(name, settings)}")
        return
    rows = list_models(settings)
    if as_json:
        for row in rows:
            print_json(row)
        return
    _print(rows)
    if settings.engine_url is not None:
        say(f"Answers come from the server at {settings.engine_url}.")
    if any(row.used and row.state == "missing" for row in rows):
        say("hint: a missing model that is named is downloaded when it is first used")


def _added(name: str, settings: Settings) -> Path:
    from rag.compute.mlx_runtime import MLXThread
    from rag.errors import ModelNotFound
    from rag.models.registry import import_file

    file = Path(name).expanduser()
    if not file.is_file():
        raise ModelNotFound(f"there is no file {name}", hint="Name a *.gguf file.")
    thread = MLXThread()
    try:
        return thread.executor.submit(import_file, file, settings, say).result().folder
    finally:
        thread.close()


def _print(rows: list[ModelRow]) -> None:
    console = out()
    right = ("size", "needs")
    made = table(console, "", "model", "for", "state", "size", "needs", "about", "why", right=right)
    for row in rows:
        bytes_ = "" if row.size is None else size(row.size)
        needs = "" if row.needs is None else f"{size(row.needs)}{'' if row.fits else ' !'}"
        cells = (one_line(row.name), row.role, row.state, bytes_, needs, _about(row), row.why)
        made.add_row("→" if row.used else "", *cells)
    print_table(console, made)


def _about(row: ModelRow) -> str:
    told = [row.family, row.licence, "thinks" if row.thinks else "", "tried" if row.tried else ""]
    told += [_use(row.embedding)] if row.embedding is not None else []
    told += [f"cannot be used: {row.unusable}"] if row.unusable else []
    return one_line(", ".join(part for part in told if part))


def _use(use: EmbeddingUse) -> str:
    """How texts become vectors: a wrong prompt or pooling is otherwise not seen, only felt."""
    before = {"queries": use.query_prompt, "passages": use.document_prompt}
    prompts = [f"before {texts} {prompt!r}" for texts, prompt in before.items() if prompt]
    source = f" (as {use.family})" if use.family else ""
    return ", ".join([f"{use.pooling} pooling", *(prompts or ["no prompts"])]) + source
