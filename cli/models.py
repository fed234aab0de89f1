"""`rag models`."""

from __future__ import annotations

import typer

from cli.context import Context
from cli.options import AsJson
from cli.render import print_json
from cli.terminal import one_line, out, print_table, say, size, table


def models(ctx: typer.Context, as_json: AsJson = False) -> None:
    """List the models on this machine, which are in use, and why."""
    from rag.models.registry import list_models

    context: Context = ctx.obj
    settings = context.settings()
    rows = list_models(settings)
    if as_json:
        for row in rows:
            print_json(row)
        return
    console = out()
    made = table(console, "", "model", "for", "state", "size", "why", right=("size",))
    for row in rows:
        bytes_ = "" if row.size is None else size(row.size)
        cells = (one_line(row.name), row.role, row.state, bytes_, row.why)
        made.add_row("→" if row.used else "", *cells)
    print_table(console, made)
    if settings.engine_url is not None:
        say(f"Answers come from the server at {settings.engine_url}.")
    if any(row.used and row.state == "missing" for row in rows):
        say("hint: a missing model is downloaded when it is first used")
