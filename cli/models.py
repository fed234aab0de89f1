"""`rag models`: what is here, and fetching more."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from cli.context import Context
from cli.options import AsJson
from cli.render import print_json
from cli.terminal import one_line, out, print_table, say, size, table

if TYPE_CHECKING:
    from rag.models.registry import ModelRow


class Action(StrEnum):
    GET = "get"


def models(
    ctx: typer.Context,
    action: Annotated[Action | None, typer.Argument(help="get downloads one, or goes on.")] = None,
    name: Annotated[str | None, typer.Argument(help="A hub id, as owner/name.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the models on this machine, which are in use, and why; or get one.

    "needs" is the memory that one answer takes, with "!" where this machine has less. "tried" are
    families whose shape was tried with this release.
    """
    from rag.models.registry import fetch, list_models

    context: Context = ctx.obj
    settings = context.settings()
    if action is not None:
        if name is None:
            raise typer.BadParameter(f"{action} wants a model's name")
        say(f"{name} is at {fetch(name, say)}")
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
    told = (row.family, row.licence, "thinks" if row.thinks else "", "tried" if row.tried else "")
    return one_line(", ".join(part for part in told if part))
