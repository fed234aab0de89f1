"""Options of answers: documents read whole, answers that fit a schema, quotes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from rag.options import QuotesMode, quotes_mode

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
        " language model runs. --no-quotes: the model's words alone. Left out: as the setting"
        " quotes says.",
    ),
]
QuotesFirst = Annotated[
    bool,
    typer.Option(
        "--quotes-first",
        help="Begin with these sentences, then what the model says, if all of it is verified.",
    ),
]


def quotes_of(quotes: bool | None, first: bool) -> QuotesMode | None:
    """Raises typer.BadParameter where both are given."""
    if first and quotes is not None:
        raise typer.BadParameter("--quotes-first goes without --quotes and --no-quotes")
    if first:
        return "first"
    return None if quotes is None else quotes_mode(quotes)


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
