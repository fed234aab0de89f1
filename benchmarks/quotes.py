"""How often the sentences that `rag ask --quotes` shows hold the expected words.

    uv run python -m benchmarks quotes QUESTIONS --home HOME --collection NAME

QUESTIONS is a questions.jsonl (`rag eval`), whose documents are in the collection. Questions
without a short answer count as held where the sentences have two fifths of the answer's terms. The
rule was chosen with all questions of data/ and mtrag and the first 160 of squad in sight: the
halves tell how much the figures vary, and `--skip 160` measures squad's unseen questions.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from benchmarks._answer_quality import holds, words
from benchmarks._report import finish, median, show
from rag.answering.best_quotes import EMBEDDED, chosen
from rag.answering.question_match import match_question
from rag.config import load_settings
from rag.evaluation.bootstrap import bootstrap_ratio
from rag.evaluation.metrics import ANSWER_WORDS
from rag.evaluation.questions import Question, read_questions
from rag.pipeline import Pipeline, open_pipeline
from rag.verification.words import content_terms

LONG_SHARE = 0.4


@dataclass(frozen=True, slots=True)
class Shown:
    """Whether the first one, two and three sentences hold the answer, and the seconds behind the
    search."""

    cluster: str
    held: tuple[bool, bool, bool]
    seconds: float


def holds_answer(question: Question, text: str) -> bool:
    short = [one for one in question.answers if 0 < len(words(one)) <= ANSWER_WORDS]
    if short:
        return holds(text, short)
    terms = content_terms(" ".join(question.answers))
    return len(terms & content_terms(text)) >= LONG_SHARE * max(1, len(terms))


async def shown(pipeline: Pipeline, question: Question) -> Shown:
    found = await pipeline.search(question.question, question.history)
    begin = time.perf_counter()
    match = await match_question(
        question.question, found.search_text, found.hits, await pipeline.embedder(), EMBEDDED
    )
    texts = [one.text for one in chosen(match)]
    spent = time.perf_counter() - begin
    held = [holds_answer(question, " ".join(texts[:n])) for n in (1, 2, 3)]
    return Shown(question.cluster, (*held,), spent)


async def run(questions: list[Question], home: Path, collection: str) -> list[Shown]:
    settings = load_settings(home=home, collection=collection)
    async with open_pipeline(settings) as pipeline:
        return [await shown(pipeline, question) for question in questions]


def measure(
    questions: Path,
    home: Annotated[Path, typer.Option()],
    collection: Annotated[str, typer.Option()] = "default",
    limit: Annotated[int, typer.Option()] = 1000,
    skip: Annotated[int, typer.Option(help="leave out the first questions")] = 0,
) -> None:
    asked = [q for q in read_questions(questions) if q.answerable and q.answers][skip:][:limit]
    found = asyncio.run(run(asked, home, collection))
    halves = {"even": found[::2], "odd": found[1::2], "all": found}
    results = {}
    rows = []
    for name, half in halves.items():
        row: list[object] = [name, len(half)]
        for place in range(3):
            value = bootstrap_ratio(
                [one.cluster for one in half], [100.0 * one.held[place] for one in half]
            )
            assert value is not None
            row.append(f"{value.value:.1f} [{value.low:.0f}, {value.high:.0f}]")
            results[f"{name} {place + 1}"] = round(value.value, 1)
        rows.append(row)
    columns = ["questions", "n", "1 sentence", "2", "3"]
    show(f"Expected words held, {collection}, % [95%]", columns, rows)
    results["ms"] = round(1000 * median([one.seconds for one in found]), 1)
    finish("quotes", results, collection=collection)


def main() -> None:
    typer.run(measure)


if __name__ == "__main__":
    main()
