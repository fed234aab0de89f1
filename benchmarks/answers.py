"""Answers: how much of a chat's prompts the prefix cache has, and what mapping at once is worth.

    uv run python -m benchmarks.answers chat PDFS --home HOME
    uv run python -m benchmarks.answers whole PDFS --home HOME --document lease.pdf

`chat` holds one conversation of ten turns and reports, for each, the tokens of the prompt, the
share that came from the cache, and the time to the first token; then some prompts once more with a
beginning that no cache has. `whole` reads one document from the first page to the last, its parts
at once and one after the other. PDFS (data/ holds samples) are ingested into HOME first.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks._report import finish, ratio, show, tell
from rag.ask.prompting import Budget
from rag.ask.reading import Reading, Texts
from rag.config import load_settings
from rag.engine import Engine
from rag.events import Done
from rag.pipeline import AskOptions, Conversation, Pipeline
from rag.runtime import Runtime
from rag.types import Answer, Message, Piece

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
PART = 512  # tokens, so that a short document has several parts
COLD_TURNS = (2, 6, 10)


class HeardEngine:
    """An engine that notes each prompt, and the seconds to its first piece."""

    def __init__(self, inner: Engine) -> None:
        self._inner = inner
        self.model, self.context_tokens = inner.model, inner.context_tokens
        self.prompts: list[Sequence[Message]] = []
        self.first_s: list[float] = []

    def count_tokens(self, messages: Sequence[Message]) -> int:
        return self._inner.count_tokens(messages)

    async def stream(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        temperature: float,
        schema: Mapping[str, object] | None = None,
    ) -> AsyncGenerator[Piece]:
        self.prompts.append(messages)
        started, heard = time.perf_counter(), False
        stream = self._inner.stream(
            messages, max_tokens=max_tokens, temperature=temperature, schema=schema
        )
        async with aclosing(stream) as pieces:
            async for piece in pieces:
                if not heard:
                    self.first_s.append(time.perf_counter() - started)
                    heard = True
                yield piece

    async def close(self) -> None:
        await self._inner.close()


async def chat(pipeline: Pipeline, engine: HeardEngine, options: argparse.Namespace) -> Any:
    conversation, rows = Conversation(), []
    asking = AskOptions(k=options.k, max_tokens=options.max_tokens, temperature=0.0)
    for number, question in enumerate(TALK, 1):
        events = pipeline.ask(question, options=asking, conversation=conversation)
        done = await last(events)
        ended = done.finish
        assert ended is not None
        share = 100 * ended.cached_tokens / ended.prompt_tokens
        condensed = conversation.turns[-1].condensed
        rows.append([number, ended.prompt_tokens, ended.cached_tokens, share,
                     condensed, engine.first_s[-1]])  # fmt: skip
        tell(
            f"  turn {number}: {share:.0f}% of {ended.prompt_tokens} tokens from the cache,"
            f" first after {engine.first_s[-1]:.1f} s"
        )
    warm_prompts = list(engine.prompts)
    for row in rows:
        row.append(await cold(engine, warm_prompts[row[0] - 1]) if row[0] in COLD_TURNS else None)
    later = rows[1:]
    share = 100 * sum(row[2] for row in later) / sum(row[1] for row in later)
    columns = ["turn", "prompt", "cached", "cached %", "condensed", "first s", "cold s"]
    show(f"ten turns: {share:.1f}% of the tokens from turn 2 on were cached", columns, rows)
    return {"share_from_turn_2": share, "columns": columns, "turns": rows}


async def whole(pipeline: Pipeline, engine: HeardEngine, options: argparse.Namespace) -> Any:
    """One document in parts of PART tokens, eight at once and one after the other."""
    store, documents = await pipeline.store(), await pipeline.find(options.document)
    budget = Budget(PART, PART, engine.count_tokens)
    texts = await Texts.load(documents, store, (1, options.pages), budget)
    rows = []
    for at_once in (8, 1):
        reading = Reading(engine, options.question, texts)
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


async def cold(engine: HeardEngine, messages: Sequence[Message]) -> float:
    """Seconds to the first token of a prompt whose very beginning is new."""
    head = replace(messages[0], content=f"{time.time_ns()} {messages[0].content}")
    async with aclosing(engine.stream([head, *messages[1:]], max_tokens=1, temperature=0.0)) as s:
        async for _ in s:
            pass
    return engine.first_s[-1]


async def last(events: AsyncGenerator[Any]) -> Answer:
    async with aclosing(events):
        async for event in events:
            if isinstance(event, Done):
                return event.answer
    raise AssertionError("no answer")


async def run(options: argparse.Namespace) -> None:
    settings = load_settings(home=options.home, collection="samples", refusal_threshold=0.0)
    own = Runtime(settings)
    engine = HeardEngine(await own.engine())
    runtime = Runtime(settings, engine=engine, embedder=await own.embedder("all-MiniLM-L6-v2"))
    pipeline = Pipeline(settings, runtime)
    try:
        async with aclosing(pipeline.ingest([options.pdfs])) as events:
            async for _ in events:
                pass
        results = await options.measure(pipeline, engine, options)
    finally:
        pipeline.close()
        await runtime.close()
        await own.close()
    finish("answers", results, command=options.command, model=engine.model)


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
        command.add_argument("--question", default="Summarise the duties of the tenant")
        command.set_defaults(measure=measure)
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
