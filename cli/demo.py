"""`rag demo`: the whole path on the sample PDFs that come with the program."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from cli.answer import show_answer
from cli.context import Context
from cli.ingest import show_ingest
from cli.terminal import clean, out, say

if TYPE_CHECKING:
    from rag.evaluation.questions import Question
    from rag.pipeline import Pipeline
    from rag.types import Answer

COLLECTION = "demo"
# Look-ups in three documents that the bundled starter model can do; with few passages and short
# answers it does them within seconds on a laptop's CPU, and is less easily led astray.
QUESTIONS = ("lease-deposit", "handbook-gauge", "water-people")
PASSAGES = 3
MAX_TOKENS = 64

NEXT = """\
Try next:
  rag --collection demo ask "…"      ask these documents something else
  rag --collection demo chat         talk with them
  rag ingest FOLDER                  take in your own PDFs, then: rag ask "…"
  rag models                         which models run, and which others there are"""


@dataclass(frozen=True, slots=True)
class Samples:
    folder: Path
    pdfs: tuple[Path, ...]
    questions: tuple[Question, ...]


def demo(ctx: typer.Context) -> None:
    """See it work: take in the sample PDFs and answer three questions about them.

    They go into a collection of their own, named demo. A second run takes nothing in again.
    """
    from rag.models.registry import AUTO, BUNDLED_CHAT

    context: Context = ctx.obj
    samples = find_samples()

    async def work(pipeline: Pipeline) -> None:
        say(f"Reading the sample PDFs of {samples.folder}")
        summary = await show_ingest(pipeline.ingest(samples.pdfs), verbose=context.verbose)
        say(
            f"{summary.ingested} ingested, {summary.unchanged} unchanged, "
            f"{summary.pages} pages in {summary.seconds:.1f} s"
        )
        for question in samples.questions:
            await _ask(pipeline, question, verbose=context.verbose)

    # The model that needs no download, unless another one was chosen.
    chosen = context.settings().chat_model
    context.run(work, collection=COLLECTION, chat_model=BUNDLED_CHAT if chosen == AUTO else chosen)
    say("\n" + NEXT)


async def _ask(pipeline: Pipeline, question: Question, *, verbose: bool) -> None:
    from rag.pipeline import AskOptions

    console = out()
    console.print(f"\n› {clean(question.question)}", style="bold")
    options = AskOptions(k=PASSAGES, max_tokens=MAX_TOKENS)
    events = pipeline.ask(question.question, options=options)
    answer = await show_answer(events, verbose=verbose, hints=False)
    console.print(verdict(answer, question), style="dim")


def verdict(answer: Answer, question: Question) -> str:
    """Whether the first citation stands where the question's author found the answer."""
    expected = ", ".join(f"{name}, page {page}" for name, page in sorted(question.gold))
    cited = {(citation.document.name, citation.page) for citation in answer.citations}
    if cited & question.gold:
        return f"✓ cites the expected place ({expected})"
    return f"✗ expected a citation of {expected}"


def find_samples() -> Samples:
    """The samples, in a wheel below the package `rag`, in a checkout beside it."""
    import importlib.resources

    from rag.evaluation.questions import read_questions

    package = Path(str(importlib.resources.files("rag")))
    places = (package / "samples", package.parent / "data")
    folder = next((place for place in places if (place / "questions.jsonl").is_file()), None)
    if folder is None:
        from rag.errors import ConfigError

        raise ConfigError(
            "the sample PDFs are missing", hint="Install this program again, or use a checkout."
        )
    questions = {question.id: question for question in read_questions(folder / "questions.jsonl")}
    pdfs = tuple(sorted(folder.glob("*.pdf")))  # a checkout has their sources beside them
    return Samples(folder, pdfs, tuple(questions[id_] for id_ in QUESTIONS))
