"""`rag ask` and `rag search`."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from cli.answer import show_answer, show_fields
from cli.ask_options import Quotes, QuotesFirst, Schema, Whole, quotes_of, read_schema
from cli.context import Context
from cli.edge import Code
from cli.options import (
    AsJson,
    AsOf,
    Day,
    Documents,
    Local,
    MaxTokens,
    Model,
    Pages,
    Passages,
    Since,
    Temperature,
    Until,
    Where,
)
from cli.render import hit_lines, print_events, print_json
from cli.terminal import out, say
from rag.options import AskOptions, MetadataFilter, PageRange, Scope

if TYPE_CHECKING:
    from rag.backend import Backend
    from rag.events import Retrieved
    from rag.types import Answer, Hit

Question = Annotated[str, typer.Argument(help='What you want to know; "-" reads it from stdin.')]


def ask(
    ctx: typer.Context,
    question: Question,
    k: Passages = None,
    documents: Documents = None,
    pages: Pages = None,
    where: Where = None,
    since: Since = None,
    until: Until = None,
    model: Model = None,
    max_tokens: MaxTokens = None,
    temperature: Temperature = None,
    whole: Whole = None,
    schema: Schema = None,
    quotes: Quotes = None,
    quotes_first: QuotesFirst = False,
    as_of: AsOf = None,
    local: Local = False,
    as_json: AsJson = False,
) -> None:
    """Answer a question from the documents, with the pages that the answer rests on.

    What is not cited says why: not in the passages, worded differently, or contradicts a page.
    """
    context: Context = ctx.obj
    asked, fits = _question(question), read_schema(schema)
    options = AskOptions(
        k, max_tokens, temperature, model, whole, fits, quotes_of(quotes, quotes_first)
    )

    async def work(backend: Backend) -> Answer:
        events = backend.ask(
            asked, scope=scope(documents, pages, where, since, until), options=options
        )
        if fits is not None and not as_json:
            return await show_fields(events)
        if not as_json:
            return await show_answer(events, verbose=context.verbose)
        from rag.events import Done

        done = await print_events(events)
        assert isinstance(done, Done)
        return done.answer

    answer = context.run_backend(
        work, local=local, as_of=as_of, answers=True, k=k, chat_model=model
    )
    if answer.refused:
        say('hint: rag search "…" shows the nearest passages, rag list what is in the index')
        raise typer.Exit(Code.NOTHING_FOUND)


def search(
    ctx: typer.Context,
    question: Question,
    k: Passages = None,
    documents: Documents = None,
    pages: Pages = None,
    where: Where = None,
    since: Since = None,
    until: Until = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Show what ranked each passage.")
    ] = False,
    as_of: AsOf = None,
    local: Local = False,
    as_json: AsJson = False,
) -> None:
    """Show the passages that a question finds, best first. No language model runs."""
    context: Context = ctx.obj
    asked = _question(question)

    async def work(backend: Backend) -> Retrieved:
        return await backend.search(asked, k=k, scope=scope(documents, pages, where, since, until))

    hits = context.run_backend(work, local=local, as_of=as_of, k=k).hits
    _print_hits(hits, explain=explain, as_json=as_json)
    if not hits:
        say("Nothing found.\nhint: rag list shows what is in the index")
        raise typer.Exit(Code.NOTHING_FOUND)


def scope(
    documents: Iterable[str] | None,
    pages: PageRange | None,
    where: Iterable[MetadataFilter] | None = None,
    since: Day | None = None,
    until: Day | None = None,
) -> Scope:
    return Scope(
        tuple(documents or ()),
        pages,
        tuple(where or ()),
        since.date if since else None,
        until.date if until else None,
    )


def _question(argument: str) -> str:
    from rag.encoding import decode_input, well_formed

    if argument != "-":
        return well_formed(argument)
    return decode_input(sys.stdin.buffer.read()).strip()


def _print_hits(hits: Sequence[Hit], *, explain: bool, as_json: bool) -> None:
    console = None if as_json else out()
    for number, hit in enumerate(hits, 1):
        if console is None:
            print_json(hit)
            continue
        for line in hit_lines(number, hit, explain=explain):
            console.print(line)
