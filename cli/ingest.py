"""`rag ingest`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.context import Context
from cli.edge import Code
from cli.options import AsJson, Password
from cli.progress import IngestView, passed_over, print_summary
from cli.render import print_events, print_json
from cli.terminal import one_line, out, say

if TYPE_CHECKING:
    from rag.events import IngestEvent, Summary
    from rag.ingest.plan import IngestPlan
    from rag.pipeline import Pipeline

# Not `exists=True`: a quoted glob is a path here too.
Paths = Annotated[list[Path], typer.Argument(metavar="PATH...", help="Files, folders or globs.")]


def ingest(
    ctx: typer.Context,
    paths: Paths,
    password: Password = None,
    prune: Annotated[
        bool, typer.Option("--prune", help="Remove documents whose file is gone from PATH.")
    ] = False,
    retry: Annotated[
        bool, typer.Option("--retry", help="Try again files that failed and did not change.")
    ] = False,
    reread: Annotated[
        bool,
        typer.Option(
            "--reread", help="Read unchanged files too (after installing Tesseract, say)."
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")
    ] = False,
    workers: Annotated[
        int | None, typer.Option("--workers", metavar="N", help="Processes that read files.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Bring the index up to date with your files: new, changed and moved ones are read.

    Safe to stop and to run again: a document is in the index wholly or not at all. Exit code 3 says
    that some files are not in the index; the others are.
    """
    context: Context = ctx.obj
    if dry_run:
        plan = context.run(lambda p: p.plan_ingest(paths, retry=retry, reread=reread))
        _print_plan(plan, as_json=as_json)
        return

    async def work(pipeline: Pipeline) -> tuple[Summary, str]:
        events = pipeline.ingest(paths, password=password, prune=prune, retry=retry, reread=reread)
        done = await show_ingest(events, verbose=context.verbose, as_json=as_json)
        return done, await _another_embedder(pipeline)

    try:
        summary, embedder = context.run(work, in_turn=True, workers=workers)
    except KeyboardInterrupt:
        say("What was committed stays; the same command goes on from there.")
        raise
    if not as_json:
        print_summary(summary, verbose=context.verbose)
        _advise(summary, embedder)
    if summary.failed or summary.known_bad:
        raise typer.Exit(Code.SOME_FAILED)


async def show_ingest(
    events: AsyncGenerator[IngestEvent], *, verbose: bool = False, as_json: bool = False
) -> Summary:
    """Show an ingest while it runs; returns its last event."""
    from rag.events import Summary

    if as_json:
        last = await print_events(events)
        assert isinstance(last, Summary)
        return last
    with IngestView(verbose=verbose) as view:
        async with aclosing(events):
            async for event in events:
                view.show(event)
    assert view.summary is not None
    return view.summary


async def _another_embedder(pipeline: Pipeline) -> str:
    from rag.collection import another_embedder, hardly_known

    store = await pipeline.store()
    return another_embedder(await hardly_known(store), (await store.embedder())[0])


def _advise(summary: Summary, embedder: str) -> None:
    from rag.readers.unread_formats import advice_on

    for line in (*advice_on(summary.passed_over), *filter(None, [embedder])):
        say(f"hint: {line}")
    if summary.failed or summary.known_bad:
        say("hint: rag list --failed says why; --retry tries unchanged files again")
    elif summary.ingested:
        say('hint: now ask: rag ask "…"')


def _print_plan(plan: IngestPlan, *, as_json: bool) -> None:
    if as_json:
        print_json(plan)
        return
    console = out()
    for line in _plan_lines(plan):
        console.print(line)
    counts = plan.counts()
    numbers = {
        "new": counts.new,
        "changed": counts.changed,
        "moved": counts.moved,
        "unchanged": counts.unchanged,
        "gone": counts.gone,
        "failed before": counts.known_bad,
    }
    say(" · ".join(f"{count} {name}" for name, count in numbers.items()))
    if told := passed_over(counts.passed_over):
        say(f"passed over: {told}")


def _plan_lines(plan: IngestPlan) -> Iterator[str]:
    for job in plan.jobs:
        for source in job.sources:
            yield f"ingest   {one_line(source.path)}"
    for old, new in plan.moved.items():
        yield f"move     {one_line(old)} → {one_line(new)}"
    for path in plan.gone:
        yield f"gone     {one_line(path)}"
    for failure in (*plan.known_bad, *plan.unreadable):
        yield f"skip     {one_line(failure.path)}: {one_line(failure.reason)}"
    for why, paths in plan.passed_over.items():
        for path in paths:
            yield f"pass     {one_line(path)}: {one_line(why)} is not read"
