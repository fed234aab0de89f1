"""Options of `rag ask` alone: documents read whole, and answers that fit a schema."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

Whole = Annotated[
    bool | None,
    typer.Option(
        "--whole/--no-whole",
        help="Read the chosen documents from the first page to the last. Left out: where one short"
        " document is chosen, or the question wants all of them (summarise, list every, compare).",
    ),
]
Schema = Annotated[
    Path | None,
    typer.Option(
        "--schema",
        metavar="FILE",
        dir_okay=False,
        help="Answer in JSON that fits this JSON Schema, with the citations of each field.",
    ),
]
Quotes = Annotated[
    bool | None,
    typer.Option(
        "--quotes/--no-quotes",
        help="Answer with the one to three sentences that answer best, each with its page. No"
        " language model runs.",
    ),
]


def read_schema(file: Path | None) -> dict[str, Any] | None:
    """Raises typer.BadParameter for a file that holds no JSON object."""
    if file is None:
        return None
    try:
        schema = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise typer.BadParameter(f"{file}: {error}") from error
    if not isinstance(schema, dict):
        raise typer.BadParameter(f"{file} holds no JSON object")
    return schema
