"""What each list and rule of retrieval is worth: all of them, then each one off in turn.

    uv run python -m benchmarks.retrieval DEV_SETS --sets squad,mtrag --variants full,dense-only

DEV_SETS holds SET/pdfs and SET/questions.jsonl (docs/evaluation.md). Each set is ingested once, by
an ordinary ingest, into a collection of its own under --home, and kept: a second run finds it
unchanged. Questions are embedded once for all variants. --misspelt swaps two letters in the longest
word of each question, which is what the corrected list is for. Prints a table a set, then one JSON
line.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import asdict, fields, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import platformdirs

from benchmarks._report import finish, show, tell
from rag.config import Settings, load_settings
from rag.evaluation.compare import compare
from rag.evaluation.questions import Question, read_questions
from rag.evaluation.records import Record
from rag.evaluation.run import MeasuredPipeline, run_questions
from rag.evaluation.scoring import Scoring
from rag.evaluation.summary import Base, latency_of, summarise
from rag.retrieval.fusion import RetrievalPlan
from rag.runtime import Runtime
from rag.store import Searcher, Store

SETS = ("squad", "mtrag", "mmlong", "financebench")
COLUMNS = ("page_recall@1", "page_recall@5", "page_recall@10", "document_recall@5", "mrr@10",
           "ndcg@10", "context_coverage")  # fmt: skip
Plans = Mapping[str, RetrievalPlan]


def variants(full: RetrievalPlan) -> dict[str, RetrievalPlan]:
    """The plan as it ships; without each of its lists; without each of its rules (every field that
    is a switch); textbook baselines without any rule; and the whole fused by ranks."""
    plans = {"full": full}
    for name in full.weights:
        plans[f"no-{name}"] = with_lists(full, [other for other in full.weights if other != name])
    switches = [f.name for f in fields(full) if getattr(full, f.name) is True]
    for name in switches:
        plans[f"no-{name}"] = without(full, [name])
    bare = without(full, switches)
    plans["dense-only"] = with_lists(bare, ["dense"])
    plans["full-text-only"] = with_lists(bare, ["full_text"])
    both = MappingProxyType({"dense": 1.0, "full_text": 1.0})
    plans["hybrid-scores"] = replace(bare, weights=both, fusion="scores")
    plans["hybrid-rrf"] = replace(bare, weights=both, fusion="ranks")
    plans["by-ranks"] = replace(full, fusion="ranks")
    return plans


def with_lists(plan: RetrievalPlan, names: Sequence[str]) -> RetrievalPlan:
    return replace(plan, weights=MappingProxyType({n: plan.weights[n] for n in names}))


def without(plan: RetrievalPlan, switches: Sequence[str]) -> RetrievalPlan:
    off: dict[str, Any] = dict.fromkeys(switches, False)
    return replace(plan, **off)


# ── stages ────────────────────────────────────────────────────────────────────────────────────


class Timed:
    """A store or a searcher that notes how long each call took, in milliseconds by method."""

    def __init__(self, inner: Store | Searcher, times: dict[str, list[float]]) -> None:
        self._inner = inner
        self._times = times

    def __getattr__(self, name: str) -> Any:
        method: Callable[..., Any] = getattr(self._inner, name)
        if not asyncio.iscoroutinefunction(method):
            return method

        async def timed(*args: Any, **named: Any) -> Any:
            started = time.perf_counter()
            try:
                result = await method(*args, **named)
            finally:
                self._times.setdefault(name, []).append((time.perf_counter() - started) * 1000)
            return Timed(result, self._times) if isinstance(result, Searcher) else result

        return timed


class TimedPipeline(MeasuredPipeline):
    """A pipeline whose searches are timed."""

    times: dict[str, list[float]]

    def __init__(self, settings: Settings, runtime: Runtime) -> None:
        super().__init__(settings, runtime)
        self.times = {}

    async def store(self) -> Any:
        return Timed(await super().store(), self.times)

    def stages(self) -> dict[str, Any]:
        """Median and 95th percentile by method of the store, since the last call."""
        found = {f"store.{name}": latency_of(values) for name, values in self.times.items()}
        self.times.clear()
        return {name: asdict(latency) for name, latency in found.items() if latency}


# ── a set ─────────────────────────────────────────────────────────────────────────────────────


async def ingest(settings: Settings, runtime: Runtime, pdfs: Path) -> None:
    """Bring the set's collection in step with its PDFs."""
    pipeline = MeasuredPipeline(settings, runtime)
    told = time.monotonic()
    async with aclosing(pipeline.ingest([pdfs])) as events:
        async for event in events:
            if event.kind == "progress" and time.monotonic() - told > 15:
                told = time.monotonic()
                done = f"{event.files_done}/{event.files_total} files"
                tell(f"  {done}, {event.pages} pages, {event.chunks_embedded} chunks")
            elif event.kind == "failed":
                tell(f"  failed: {event.failure.path.name}: {event.failure.reason}")
            elif event.kind == "summary":
                tell(f"  {event.ingested} ingested, {event.unchanged} unchanged,"
                     f" {event.chunks} chunks in {event.seconds:.0f} s")  # fmt: skip
    pipeline.close()


async def run_set(
    settings: Settings, runtime: Runtime, questions: Sequence[Question], wanted: Sequence[str]
) -> dict[str, Any]:
    """Every wanted variant over the questions: figures, difference to the first one, times.

    Where a set marks the questions whose answer stands in plain text, only they are counted.
    """
    pipeline = TimedPipeline(settings, runtime)
    plans = variants(pipeline.retrieval_plan)
    if unknown := sorted({*wanted} - {*plans}):
        raise SystemExit(f"no variant {', '.join(unknown)}: there are {', '.join(plans)}")
    names = [name for name in plans if not wanted or name in wanted]
    found: dict[str, Any] = {}
    base: Base | None = None
    in_text = [question for question in questions if question.in_text]
    for name in names:
        pipeline.retrieval_plan = plans[name]
        pipeline.stages()
        async with aclosing(run_questions(pipeline, questions, Scoring())) as stream:
            records = [record async for record in stream]
        counted = summarise(in_text or questions, records)
        base = base or Base(counted.clusters, counted.scores)
        found[name] = {
            "counted": {key: asdict(value) for key, value in counted.groups["all"].items()},
            "change": {d.metric: asdict(d.change) for d in compare(base, counted).differences},
            **of_all(questions, records),
            "stages_ms": pipeline.stages(),
        }
        tell(f"  {name}: {found[name]['latency_ms']['search']['median']:.1f} ms")
    pipeline.close()
    return found


def of_all(questions: Sequence[Question], records: Sequence[Record]) -> dict[str, Any]:
    """Figures over all questions of a set, also those that its table does not count."""
    summary = summarise(questions, records)
    return {
        "all": {name: interval.value for name, interval in summary.groups["all"].items()},
        "answerability": summary.answerability and asdict(summary.answerability),
        "latency_ms": {name: asdict(latency) for name, latency in summary.latency_ms.items()},
    }


def print_set(name: str, found: Mapping[str, Any]) -> None:
    rows = []
    for variant, result in found.items():
        cells = [interval(result["counted"].get(column)) for column in COLUMNS]
        change = interval(result["change"].get("mrr@10"), sign="+")
        rows.append([variant, *cells, change, result["latency_ms"]["search"]["median"]])
    first = next(iter(found))
    show(name, ["variant", *COLUMNS, f"mrr − {first}", "ms"], rows)
    stages = found[first]["stages_ms"] | {"embed": found[first]["latency_ms"].get("embed")}
    times = [[k, v["median"], v["p95"]] for k, v in stages.items() if v]
    show(f"{name}: stages of {first}, ms", ["stage", "median", "p95"], times)


def interval(given: Mapping[str, float] | None, sign: str = "") -> str:
    if given is None:
        return "–"
    value, low, high = (100 * given[key] for key in ("value", "low", "high"))
    return f"{value:{sign}.1f} [{low:{sign}.0f}, {high:{sign}.0f}]"


def misspelt(question: Question) -> Question:
    """With the two letters in the middle of its longest word changed about."""
    word = max(re.findall(r"\w+", question.question), key=len)
    middle = len(word) // 2
    wrong = word[: middle - 1] + word[middle] + word[middle - 1] + word[middle + 1 :]
    return replace(question, question=question.question.replace(word, wrong))


async def run(options: argparse.Namespace) -> None:
    results: dict[str, Any] = {}
    settings = load_settings(home=options.home)
    runtime = Runtime(settings)
    try:
        for name in options.sets:
            tell(name)
            of_set = settings.model_copy(update={"collection": name})
            folder = options.folder / name
            await ingest(of_set, runtime, folder / "pdfs")
            questions = read_questions(folder / "questions.jsonl")[: options.questions]
            if options.misspelt:
                questions = [misspelt(question) for question in questions]
            if questions:
                results[name] = await run_set(of_set, runtime, questions, options.variants)
                print_set(f"{name}, {len(questions)} questions", results[name])
    finally:
        await runtime.close()
    finish("retrieval", results, questions=options.questions, misspelt=options.misspelt)


def main() -> None:
    home = Path(platformdirs.user_cache_dir("rag", appauthor=False), "benchmarks")
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, default=Path("../shared/eval/dev"))
    parser.add_argument("--home", type=Path, default=home, help="where the indexes are kept")
    parser.add_argument("--sets", type=_names, default=SETS, help="a,b: default all")
    parser.add_argument("--variants", type=_names, default=(), help="a,b: default all")
    parser.add_argument("--questions", type=int, help="only the first N; 0 only ingests")
    parser.add_argument("--misspelt", action="store_true", help="a word of each question wrong")
    asyncio.run(run(parser.parse_args()))


def _names(text: str) -> tuple[str, ...]:
    return tuple(name for name in text.split(",") if name)


if __name__ == "__main__":
    main()
