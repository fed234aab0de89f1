"""Answers: how good they are, what a chat's prompts cost, and what mapping at once is worth.

    uv run python -m benchmarks.answers quality DEV_SETS --home HOME --out answers.jsonl
    uv run python -m benchmarks.answers report answers.jsonl
    uv run python -m benchmarks.answers grounding DEV_SETS --home HOME
    uv run python -m benchmarks.answers chat PDFS --home HOME
    uv run python -m benchmarks.answers whole PDFS --home HOME --document lease.pdf

`quality` asks a sample of the questions of DEV_SETS (SET/questions.jsonl, SET/pdfs: ingested into
HOME first) through the whole pipeline, as it is set up, and says what citations and claims are
worth. Each answer is written to --out as it comes; what is there already is not asked again, and
`report` counts it without a model. `grounding` asks no model either: it looks up claims of which it
is known whether they are right (_answer_claims.py).

`chat` holds a conversation of ten turns and reports, for each, the tokens of the prompt, how many
the turn before had and how many came from the cache, and the time to the first token; then the same
prompts from an empty cache, and all of it again. `whole` reads one document from the first page to
the last, its parts at once and one after the other. PDFS (data/ holds samples) are ingested into
HOME first.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from benchmarks._answer_claims import Checked, checked
from benchmarks._answer_claims import report as claims_report
from benchmarks._answer_quality import LINE, Noted, drawn, noted, report
from benchmarks._heard import HeardEngine, listening
from benchmarks._report import finish, median, ratio, show, tell
from rag.answering.map_reduce import Reading, Texts
from rag.answering.prompting import Budget
from rag.compute.mlx_runtime import device
from rag.config import load_settings
from rag.evaluation.questions import read_questions
from rag.events import Done
from rag.pipeline import AskOptions, Conversation, Pipeline
from rag.runtime import Runtime
from rag.types import Answer, Message
from rag.verification.lexical import LexicalVerifier

TALK = (
    "How high is the deposit that the tenant of Kestrel Wharf pays?",
    "And the yearly rent in the third year?",
    "How much notice must the tenant give to break the lease early?",
    "How many electric kilns may the tenant run?",
    "Are animals allowed there?",
    "How much can I claim for each kilometre with my own car?",
    "After how many days is an expense claim no longer paid?",
    "What is the highest hotel price a night in Vienna?",
    "What does a monthly ticket cost for an adult in Velmora?",
    "And for a child?",
)
SETS = ("squad", "mtrag")
PART = 512  # tokens, so that a short document has several parts


async def chat(pipeline: Pipeline, engine: HeardEngine, options: argparse.Namespace) -> Any:
    """Every conversation, then each of its prompts from an empty cache, `--repeats` times."""
    warm: list[list[float]] = []
    cold: list[list[float]] = []
    for _ in range(options.repeats):
        engine.prompts.clear()
        engine.forget()
        turns, seconds = await talk(pipeline, engine, options)
        warm.append(seconds)
        cold.append([await unknown(engine, prompt) for prompt in list(engine.prompts)])
    rows: list[list[Any]] = [
        [number, *turn, median(w), median(c), median(w) / median(c)]
        for number, (turn, w, c) in enumerate(
            zip(turns, zip(*warm, strict=True), zip(*cold, strict=True), strict=True), 1
        )
    ]
    share = 100 * sum(row[3] for row in rows[1:]) / sum(row[1] for row in rows[1:])
    seen = 100 * sum(row[3] for row in rows[1:]) / sum(row[2] for row in rows[1:])
    columns = ["turn", "prompt", "seen", "cached", "condensed", "warm s", "cold s", "warm/cold"]
    show(
        f"ten turns, from the second on: {share:.1f}% of the prompts cached, {seen:.1f}% of what"
        f" the turn before had; first token, medians of {options.repeats}",
        columns,
        rows,
    )
    return {"share_from_turn_2": share, "of_seen": seen, "columns": columns, "turns": rows}


async def talk(
    pipeline: Pipeline, engine: HeardEngine, options: argparse.Namespace
) -> tuple[list[list[int]], list[float]]:
    """Of each turn: tokens of the prompt, those that the turn before had read or written, those
    that came from the cache, and turns condensed; and seconds to the first token."""
    conversation, turns, seconds, seen = Conversation(), [], [], 0
    asking = AskOptions(k=options.k, max_tokens=options.max_tokens, temperature=0.0)
    for number, question in enumerate(TALK, 1):
        done = await last(pipeline.ask(question, options=asking, conversation=conversation))
        ended = done.finish
        assert ended is not None
        condensed = conversation.turns[-1].condensed
        turns.append([ended.prompt_tokens, seen, ended.cached_tokens, condensed])
        seconds.append(engine.first_s[-1])
        seen = ended.prompt_tokens + ended.completion_tokens
        tell(f"  turn {number}: {turns[-1]}, first after {seconds[-1]:.1f} s")
    return turns, seconds


async def unknown(engine: HeardEngine, messages: Sequence[Message]) -> float:
    """Seconds to the first token of a prompt of which no cache has anything."""
    engine.forget()
    async with aclosing(engine.stream(messages, max_tokens=1, temperature=0.0)) as pieces:
        ended = [piece async for piece in pieces][-1].finish
    assert ended is not None
    assert ended.cached_tokens == 0
    return engine.first_s[-1]


async def whole(pipeline: Pipeline, engine: HeardEngine, options: argparse.Namespace) -> Any:
    """One document in parts of PART tokens, eight at once and one after the other."""
    store, documents = await pipeline.store(), await pipeline.find(options.document)
    budget = Budget(PART, PART, engine.count_tokens)
    texts = await Texts.load(documents, store, (1, options.pages), budget)
    rows = []
    for at_once in (8, 1):
        reading = Reading(engine, options.question, texts, LexicalVerifier())
        started, progress = time.perf_counter(), None
        async with aclosing(reading.read(PART, at_once=at_once)) as steps:
            async for progress in steps:
                tell(f"  {at_once} at once: {progress.pages_done}/{progress.pages_total} pages")
        assert progress is not None
        seconds = time.perf_counter() - started
        pages = f"{progress.pages_done}/{progress.pages_total}"
        rows.append([at_once, progress.parts_total, pages, len(reading.notes), seconds])
    columns = ["at once", "parts", "pages read", "notes", "s"]
    show(f"{options.document}: {ratio(rows[1][-1], rows[0][-1])} as fast", columns, rows)
    return {"columns": columns, "rows": rows}


async def last(events: AsyncGenerator[Any]) -> Answer:
    async with aclosing(events):
        async for event in events:
            if isinstance(event, Done):
                return event.answer
    raise AssertionError("no answer")


async def samples(options: argparse.Namespace) -> None:
    settings = load_settings(home=options.home, collection="samples", refusal_threshold=0.0)
    async with listening(settings) as (runtime, engine):
        pipeline = Pipeline(settings, runtime)
        try:
            await ingest(pipeline, options.pdfs)
            results = await options.measure(pipeline, engine, options)
        finally:
            pipeline.close()
    finish("answers", results, command=options.command, model=engine.model)


async def grounding(options: argparse.Namespace) -> None:
    settings = load_settings(home=options.home)
    runtime = Runtime(settings)
    rows: list[Checked] = []
    try:
        for name in options.sets:
            pipeline = Pipeline(settings.model_copy(update={"collection": name}), runtime)
            await ingest(pipeline, options.folder / name / "pdfs")
            questions = read_questions(options.folder / name / "questions.jsonl")
            rows += [row async for row in checked(pipeline, questions, options.seed)]
            pipeline.close()
            tell(f"  {name}: {len(rows)} claims")
    finally:
        await runtime.close()
    if options.out is not None:
        options.out.write_bytes(TypeAdapter(list[Checked]).dump_json(rows, indent=1))
    finish("answers", claims_report(rows), command="grounding", seed=options.seed)


async def ingest(pipeline: Pipeline, pdfs: Path) -> None:
    async with aclosing(pipeline.ingest([pdfs])) as events:
        async for _ in events:
            pass


# ── quality ───────────────────────────────────────────────────────────────────────────────────


async def quality(options: argparse.Namespace) -> None:
    sets = {
        name: read_questions(options.folder / name / "questions.jsonl") for name in options.sets
    }
    wanted = drawn(sets, options.limit, options.seed)
    known = {(row.set, row.id): row for row in read(options.out)}
    settings = load_settings(home=options.home)
    async with listening(settings) as (runtime, engine):
        pipelines = {
            name: Pipeline(settings.model_copy(update={"collection": name}), runtime)
            for name in sets
        }
        for name, pipeline in pipelines.items():
            await ingest(pipeline, options.folder / name / "pdfs")
        for number, (name, question) in enumerate(wanted, 1):
            if (name, question.id) not in known:
                row = await noted(pipelines[name], engine, question)
                known[name, question.id] = row
                keep(options.out, row)
                tell(f"  {number}/{len(wanted)} {name}: {row.seconds:.1f} s")
        for pipeline in pipelines.values():
            pipeline.close()
    rows = [known[name, question.id] for name, question in wanted]
    about = {"model": engine.model, "device": device(), "seed": options.seed}
    finish("answers", report(rows), command="quality", **about)


def read(path: Path) -> list[Noted]:
    lines = path.read_bytes().splitlines() if path.exists() else []
    return [LINE.validate_json(line) for line in lines]


def keep(path: Path, row: Noted) -> None:
    with path.open("ab") as file:
        file.write(LINE.dump_json(row) + b"\n")


# ── commands ──────────────────────────────────────────────────────────────────────────────────


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    commands = parser.add_subparsers(required=True, dest="command")
    for name, measure in (("chat", chat), ("whole", whole)):
        command = commands.add_parser(name)
        command.add_argument("pdfs", type=Path)
        command.add_argument("--home", type=Path, required=True, help="where the index is kept")
        command.add_argument("--max-tokens", type=int, default=32)
        command.add_argument("--k", type=int, default=8, help="passages a question finds")
        command.add_argument("--document", default="lease.pdf")
        command.add_argument("--pages", type=int, default=100, help="only the first N")
        command.add_argument("--repeats", type=int, default=3, help="conversations")
        command.add_argument("--question", default="Summarise the duties of the tenant")
        command.set_defaults(measure=measure, run=lambda options: asyncio.run(samples(options)))
    for name, work in (("quality", quality), ("grounding", grounding)):
        command = commands.add_parser(name)
        command.add_argument("folder", type=Path)
        command.add_argument("--home", type=Path, required=True, help="where the indexes are kept")
        command.add_argument("--sets", type=lambda text: tuple(text.split(",")), default=SETS)
        command.add_argument("--seed", type=int, default=7)
        command.add_argument("--out", type=Path, required=name == "quality", help="a line each")
        command.add_argument("--limit", type=int, default=100, help="questions to ask")
        command.set_defaults(run=lambda options, work=work: asyncio.run(work(options)))
    command = commands.add_parser("report")
    command.add_argument("answers", type=Path, help="what quality wrote")
    command.set_defaults(
        run=lambda options: finish("answers", report(read(options.answers)), command="report")
    )
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
