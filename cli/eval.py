"""`rag eval`: how good retrieval and answers are, measured on questions with known pages."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.context import Context
from cli.edge import Code
from cli.figures import show_comparison, show_summary
from cli.options import AsJson
from cli.terminal import err, one_line, say

if TYPE_CHECKING:
    from rag.evaluation.compare import Comparison
    from rag.evaluation.questions import Question
    from rag.evaluation.records import Record, RecordFiles
    from rag.evaluation.scoring import Scoring
    from rag.evaluation.summary import RunSummary
    from rag.pipeline import Pipeline

File = Annotated[
    Path | None,
    typer.Argument(
        metavar="QUESTIONS", help="A file with one JSON object a line; --make writes it."
    ),
]
K = Annotated[int, typer.Option("--k", "-k", min=1, max=100, help="Also report recall at K.")]
Budget = Annotated[
    int, typer.Option("--budget", min=1, help="Tokens of passages for context coverage.")
]
Answers = Annotated[
    bool, typer.Option("--answers/--no-answers", help="Let the chat model answer, and judge that.")
]
Parallel = Annotated[int, typer.Option("--parallel", min=1, help="Answers at a time.")]
Out = Annotated[
    Path | None,
    typer.Option("--out", metavar="DIR", help="Write DIR/questions.jsonl and DIR/summary.json."),
]
RunFile = Annotated[
    Path | None,
    typer.Option(
        "--run-file",
        metavar="FILE",
        help="Write a line {id, retrieved, answer, …} for each question.",
    ),
]
CompareTo = Annotated[
    Path | None,
    typer.Option(
        "--compare",
        metavar="FILE",
        help="An earlier summary.json; exit code 1 if a metric got worse.",
    ),
]
Make = Annotated[
    int | None,
    typer.Option("--make", metavar="N", min=1, help="Draft N questions from your documents."),
]


def evaluate(
    ctx: typer.Context,
    file: File = None,
    k: K = 10,
    budget: Budget = 1024,
    answers: Answers = False,
    parallel: Parallel = 4,
    to: Out = None,
    run_file: RunFile = None,
    base: CompareTo = None,
    make: Make = None,
    as_json: AsJson = False,
) -> None:
    """Measure retrieval (and answers) on questions whose pages are known.

    Intervals are 95% bootstrap intervals over documents. With --compare, the exit code is 1 if a
    metric got worse beyond its interval.
    """
    context: Context = ctx.obj
    if make is not None:
        _make(context, file, make)
        return
    if file is None:
        raise typer.BadParameter("name a file of questions, or draft some with --make N")
    from rag.evaluation.compare import compare
    from rag.evaluation.questions import read_questions
    from rag.evaluation.records import RecordFiles
    from rag.evaluation.scoring import Scoring
    from rag.evaluation.summary import Base

    questions, earlier = read_questions(file), Base.read(base) if base else None
    with RecordFiles(detailed=to / "questions.jsonl" if to else None, run_file=run_file) as files:
        summary = _measure(context, questions, Scoring(k, budget), answers, parallel, files)
    if to is not None:
        summary.write(to / "summary.json")
    _tell(summary, compare(earlier, summary) if earlier else None, as_json=as_json)


def _tell(summary: RunSummary, comparison: Comparison | None, *, as_json: bool) -> None:
    """Print the figures; exit with 1 if something got worse."""
    if as_json:
        changes = {"comparison": comparison.to_json()} if comparison else {}
        typer.echo(json.dumps(summary.to_json() | changes, ensure_ascii=False))
    else:
        show_summary(summary)
        if comparison is not None:
            show_comparison(comparison)
    if comparison is not None and comparison.regressions:
        worse = ", ".join(difference.metric for difference in comparison.regressions)
        say(f"worse beyond the interval: {worse}")
        raise typer.Exit(Code.ERROR)


def _measure(
    context: Context,
    questions: list[Question],
    scoring: Scoring,
    answers: bool,
    parallel: int,
    files: RecordFiles,
) -> RunSummary:
    from rag.evaluation.run import MeasuredPipeline, require_documents, run_questions, setup
    from rag.evaluation.summary import summarise

    async def work(shared: Pipeline) -> RunSummary:
        pipeline = MeasuredPipeline(shared.settings, shared.runtime)
        try:
            missing = await require_documents(pipeline, questions)
            if missing:
                say(f"not in the index, so not counted: {one_line(', '.join(missing), 300)}")
            run = run_questions(pipeline, questions, scoring, answers=answers, parallel=parallel)
            records = await _collect(run, len(questions), files)
            about = setup(pipeline, scoring)
            return summarise(
                questions,
                records,
                threshold=shared.settings.refusal_threshold,
                missing=missing,
                setup=about,
            )
        finally:
            pipeline.close()

    return context.run(work)


async def _collect(run: AsyncGenerator[Record], total: int, files: RecordFiles) -> list[Record]:
    """All records, each written when it comes, under a bar on a terminal."""
    from rich.progress import Progress

    console = err()
    done: list[Record] = []
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("Questions", total=total)
        async with aclosing(run) as records:
            async for record in records:
                done.append(record)
                files.write(record)
                progress.advance(task)
    return done


def _make(context: Context, file: Path | None, wanted: int) -> None:
    """Draft questions into a new file, or to stdout."""
    from rag.evaluation.draft import draft_questions

    if file is not None and file.exists():
        raise typer.BadParameter(f"{file} exists: name a new file for the drafts")

    async def work(pipeline: Pipeline) -> int:
        count = 0
        async with aclosing(draft_questions(pipeline, wanted)) as drafts:
            async for draft in drafts:
                if draft is None:
                    say("no usable question from a passage")
                    continue
                line = json.dumps(draft.to_json(), ensure_ascii=False)
                if file is None:
                    typer.echo(line)
                else:
                    with file.open("a", encoding="utf-8") as target:
                        target.write(line + "\n")
                    say(f"{draft.doc}, page {draft.pages[0]}: {one_line(draft.question, 100)}")
                count += 1
        return count

    found = context.run(work)
    say(f'{found} of {wanted} questions drafted. Review each, then take "review" out.')
    if not found:
        say("hint: a larger chat model drafts better ones (chat_model, or engine_url)")
        raise typer.Exit(Code.NOTHING_FOUND)
