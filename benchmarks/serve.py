"""The service: what it adds to the engine, what it bears, and whether an ingest disturbs it.

    uv run python -m benchmarks serve [--only first-token,clients,memory,…] [--scripted]
    uv run python -m benchmarks serve --hostile [--minutes 10]

The model is the settings' (RAG_CHAT_MODEL=FOLDER), or with --random one of random weights in the
shape of Llama-3.2-3B (--tiny: in small), which needs no download. With --scripted, an engine
without a model answers at once: what remains is the service's own cost. --hostile: clients that
leave in the middle of uploads, streams and tools beside others that stay, then SIGTERM; the
service is a process of its own with such an engine. `memory` and --hostile need psutil;
`streams` wants --scripted.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import statistics
import tempfile
import time
from contextlib import aclosing
from pathlib import Path
from typing import Any

from benchmarks._hostile import hostile
from benchmarks._report import finish, median, ratio, show, tell
from benchmarks._serve_bench import Asked, Bench, Overheard, service
from rag.config import Service, Settings, load_settings
from rag.events import Delta
from rag.pipeline import AskOptions

PARTS = ("first-token", "clients", "memory", "stalls", "streams")
PROBE_S = 0.005
SAMPLES = 10
TURNS = 10  # of a session
MEMORY_TOKENS = 8  # of an answer: what the service keeps of it does not grow with its length


# ── what is measured ──────────────────────────────────────────────────────────────────────────


async def first_token(bench: Bench, options: argparse.Namespace) -> dict[str, Any]:
    """In turns, so that the machine's load meets all alike; one question, so that the engine has
    read the prompt before and does as little as it can."""
    question = next(bench.questions)
    await bench.ask(question, 1)
    took: dict[str, list[float]] = {"engine": [], "pipeline": [], "service": []}
    for _ in range(options.times):
        took["engine"].append(1000 * await _engine_first_token(bench.engines[-1]))
        took["pipeline"].append(1000 * await _pipeline_first_token(bench, question))
        took["service"].append(1000 * (await bench.ask(question, 1)).first)
    base = took["engine"]
    more = {name: [a - b for a, b in zip(took[name], base, strict=True)] for name in took}
    http = [s - p for s, p in zip(took["service"], took["pipeline"], strict=True)]
    rows = [(name, median(took[name]), median(more[name])) for name in took]
    show("Time to first token, ms (medians)", ["by", "ms", "over the engine"], rows)
    print(f"HTTP, session and stream alone (service over pipeline): {median(http):.1f} ms")
    medians = {f"{name}_ms": value for name, value, _ in rows}
    added = median(more["service"])
    return {**medians, "over_engine_ms": added, "over_pipeline_ms": median(http)}


async def _engine_first_token(engine: Overheard) -> float:
    started = time.perf_counter()
    async with aclosing(engine.again()) as pieces:
        async for piece in pieces:
            if piece.text:
                return time.perf_counter() - started
    return float("nan")


async def _pipeline_first_token(bench: Bench, question: str) -> float:
    pipeline = bench.server._app.state.service.pipeline()
    asked = AskOptions(max_tokens=1, **bench.options)
    started = time.perf_counter()
    async with aclosing(pipeline.ask(question, options=asked)) as events:
        async for event in events:
            if isinstance(event, Delta):
                return time.perf_counter() - started
    return float("nan")


async def clients(bench: Bench, options: argparse.Namespace) -> dict[str, Any]:
    """So many clients at once, each with one question after the other.

    A first round of each number does not count: on a GPU a size of batch that is new costs seconds,
    once in a process.
    """
    found: dict[str, dict[str, float]] = {}
    for many in options.clients:
        tell(f"{many} clients")
        await _throughput(bench, many, options)
        found[str(many)] = await _throughput(bench, many, options)
    base = next(iter(found.values()))["answers_per_s"]
    rows = [[many, *row.values(), ratio(row["answers_per_s"], base)] for many, row in found.items()]
    columns = ["clients", "answers/s", "tokens/s", "first token ms", "p95 ms", "answers/s of first"]
    show(f"Clients at once, answers of at most {options.tokens} tokens", columns, rows)
    return found


async def _throughput(bench: Bench, many: int, options: argparse.Namespace) -> dict[str, float]:
    async def one() -> list[Asked]:
        asked = itertools.islice(bench.questions, options.each)
        return [await bench.ask(question, options.tokens) for question in asked]

    started = time.perf_counter()
    answers = [
        each for some in await asyncio.gather(*(one() for _ in range(many))) for each in some
    ]
    seconds = time.perf_counter() - started
    waits = sorted(answer.first for answer in answers)
    return {
        "answers_per_s": len(answers) / seconds,
        "tokens_per_s": sum(answer.tokens for answer in answers) / seconds,
        "first_ms": 1000 * median(waits),
        "first_p95_ms": 1000 * waits[min(len(waits) - 1, round(0.95 * len(waits)))],
    }


async def memory(bench: Bench, options: argparse.Namespace) -> dict[str, Any]:
    """Resident MiB after each tenth of the requests; the first tenth is the warming up."""
    import psutil

    process, sizes, session = psutil.Process(), list[float](), ""
    for number in range(options.requests):
        if number % TURNS == 0:
            session = (await bench.client.post("/sessions", json={})).json()["id"]
        await bench.ask(next(bench.questions), MEMORY_TOKENS, session)
        if (number + 1) * SAMPLES // options.requests > len(sizes):
            sizes.append(process.memory_info().rss / 2**20)
            tell(f"  {number + 1} requests: {sizes[-1]:.0f} MiB")
    found = {"min_mb": min(sizes), "max_mb": max(sizes), "last_to_first": sizes[-1] / sizes[0]}
    title = f"Resident memory at {len(sizes)} points of {options.requests} requests, MiB"
    cells = [f"{value:.2f}" if value < 10 else value for value in found.values()]
    show(title, ["min", "max", "last/first"], [cells])
    return {**found, "samples_mb": sizes}


async def stalls(bench: Bench, options: argparse.Namespace) -> dict[str, Any]:
    """How late the event loop is, in ms, while a large PDF is uploaded and ingested."""
    late = []
    work = asyncio.create_task(bench.ingest(options.pages))
    while not work.done():
        started = time.perf_counter()
        await asyncio.sleep(PROBE_S)
        late.append(1000 * (time.perf_counter() - started - PROBE_S))
    await work
    found = {"p50": median(late), "p99": statistics.quantiles(late, n=100)[-1], "max": max(late)}
    title = f"Event loop late while {options.pages} pages are ingested, ms"
    show(title, list(found), [list(found.values())])
    return found


async def streams(bench: Bench, options: argparse.Namespace) -> dict[str, Any]:
    """A scripted answer of 48 kB with and without HTML: what its rendering costs, as ratios."""
    if not options.scripted:
        tell("  only with --scripted")
        return {}
    await bench.weigh(render=True)
    plain, rendered = [], []
    for _ in range(2):
        plain.append(await bench.weigh(render=False))
        rendered.append(await bench.weigh(render=True))
    rows, found = [], {}
    for name, of in (("cpu_s", 0), ("bytes", 1)):
        a, b = (median([each[of] for each in some]) for some in (plain, rendered))
        rows.append([name, a, b, ratio(b, a)])
        found[name] = {"plain": a, "rendered": b, "ratio": b / a}
    show("A streamed answer of 48 kB (medians of 2)", ["", "plain", "rendered", "ratio"], rows)
    return found


# ── run ───────────────────────────────────────────────────────────────────────────────────────


async def run(options: argparse.Namespace) -> None:
    if options.hostile:
        results = {"hostile": await hostile(options)}
        finish("serve", results, model="scripted", minutes=options.minutes)
        return
    measures = dict(zip(PARTS, (first_token, clients, memory, stalls, streams), strict=True))
    with tempfile.TemporaryDirectory() as home:
        async with service(settings(options, Path(home)), options) as bench:
            tell("ingesting 20 pages, warming up")
            await bench.ingest(20)
            await bench.ask(next(bench.questions), 1)
            results = {}
            for part in options.only:
                tell(part)
                results[part] = await measures[part](bench, options)
            model = bench.engines[-1].model
    about = {name: getattr(options, name) for name in ("k", "tokens", "requests", "pages")}
    finish("serve", results, model=model, **about)


def settings(options: argparse.Namespace, home: Path) -> Settings:
    limits = Service(port=0, requests_per_minute=1_000_000)
    model = str(random_model(home / "random", options)) if options.random else None
    # The model that verifies costs the same with and without HTML, and far more than either.
    verifier = {"verifier": "lexical"} if options.scripted else {}
    return load_settings(home=home, service=limits, chat_model=model, **verifier)


def random_model(folder: Path, options: argparse.Namespace) -> Path:
    from benchmarks._gpu_models import LLAMA_3B, TINY, write_llama
    from benchmarks.gpu import chat_tokenizer

    tell("writing a model of random weights")
    shape = TINY if options.tiny else LLAMA_3B
    return write_llama(folder, shape, chat_tokenizer(None), options.bits)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default=list(PARTS), type=_parts, help=", ".join(PARTS))
    parser.add_argument("--scripted", action="store_true", help="an engine without a model")
    parser.add_argument("--random", action="store_true", help="a 3B model of random weights")
    parser.add_argument("--tiny", action="store_true", help="with --random: in small, for a CPU")
    parser.add_argument("--bits", type=int, default=16, help="of --random; 16: not quantised")
    parser.add_argument("--clients", default="1,2,4,8,16", type=_numbers)
    parser.add_argument("--each", type=int, default=2, help="questions of each client")
    parser.add_argument("--k", type=int, default=1, help="passages of a question")
    parser.add_argument("--temperature", type=float, help="default: the settings'; 1 for --random")
    parser.add_argument("--tokens", type=int, default=32, help="at most, of a client's answer")
    parser.add_argument("--times", type=int, default=20, help="turns of first-token")
    parser.add_argument(
        "--requests", type=int, default=600, help="of memory; 600: an hour of a lab at 10 a minute"
    )
    parser.add_argument("--pages", type=int, default=500, help="of the PDF of stalls")
    parser.add_argument("--hostile", action="store_true", help="clients that leave, alone")
    parser.add_argument("--minutes", type=float, default=10, help="of --hostile")
    parser.add_argument("--visitors", type=int, default=20, help="of --hostile, at once")
    asyncio.run(run(parser.parse_args()))


def _parts(text: str) -> list[str]:
    wanted = text.split(",")
    if unknown := set(wanted) - set(PARTS):
        raise argparse.ArgumentTypeError(f"no part {', '.join(sorted(unknown))}")
    return wanted


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


if __name__ == "__main__":
    main()
