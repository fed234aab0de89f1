"""The service: what it adds to the engine, what it bears, and whether an ingest disturbs it.

    uv run python -m benchmarks.serve [--scripted] [--clients 1,2,4,8,16] [--pages 500]

With --scripted, an engine without a model answers at once: what remains is the service's own cost.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import httpx2
import psutil

from benchmarks._report import finish, median, ratio, show, tell
from rag.config import Service, Settings
from rag.events import Delta
from rag.pipeline import AskOptions
from rag.runtime import Runtime
from rag.testing import FakeEngine
from service.app import create_app
from service.serving import Server, listen

QUESTION = "How many electric kilns may the tenant run?"
TEXT = "The tenant may run two electric kilns of at most 18 kilowatts each. "
PROBE_S = 0.005


@asynccontextmanager
async def service(settings: Settings, *, scripted: bool) -> AsyncIterator[tuple[Server, str]]:
    """The service in this very loop, so that its stalls can be measured."""
    engine = FakeEngine(TEXT * 4, context_tokens=32_768) if scripted else None
    told: asyncio.Queue[str] = asyncio.Queue()
    app = create_app(settings, Runtime(settings, engine=engine))
    server = Server(app, settings, told.put_nowait)
    serving = asyncio.create_task(server.serve([listen(settings)]))
    yield server, await told.get()
    server.should_exit = True
    await serving


async def ingest(client: httpx2.AsyncClient, pages: int) -> None:
    """Upload a PDF of so many pages and wait until it is in the index."""
    files = {"file": (f"{pages}.pdf", await asyncio.to_thread(make_pdf, pages))}
    job = (await client.post("/documents", files=files)).json()["job"]
    while job["status"] not in ("done", "failed"):
        await asyncio.sleep(0.5)
        job = (await client.get(f"/jobs/{job['id']}")).json()
    assert job["status"] == "done", job


def make_pdf(pages: int) -> bytes:
    import pymupdf

    document = pymupdf.open()
    for number in range(pages):
        page = document.new_page()
        text = "\n\n".join(f"{number}.{part} {TEXT * 4}" for part in range(6))
        page.insert_textbox(pymupdf.Rect(60, 60, 540, 780), text, fontsize=10)
    content: bytes = document.tobytes(deflate=True)
    return content


async def first_token_http(client: httpx2.AsyncClient, tokens: int) -> tuple[float, float]:
    """Seconds to the first token and to the end of one streamed answer."""
    body = {"question": QUESTION, "k": 1, "max_tokens": tokens, "stream": True}
    started, first = time.perf_counter(), 0.0
    async with client.stream("POST", "/query", json=body) as stream:
        async for event in httpx2.EventSource(stream):
            if event.event == "delta" and not first:
                first = time.perf_counter() - started
    return first, time.perf_counter() - started


async def first_token_direct(server: Server) -> float:
    """The same without HTTP, on the same pipeline."""
    pipeline = server._app.state.service.pipeline()
    started = time.perf_counter()
    async with aclosing(pipeline.ask(QUESTION, options=AskOptions(k=1, max_tokens=1))) as events:
        async for event in events:
            if isinstance(event, Delta):
                return time.perf_counter() - started
    return float("nan")


async def overhead(server: Server, client: httpx2.AsyncClient, times: int) -> dict[str, float]:
    """Medians in ms, taken in turns so that the machine's load meets both alike."""
    direct, served = [], []
    for _ in range(times):
        direct.append(1000 * await first_token_direct(server))
        served.append(1000 * (await first_token_http(client, 1))[0])
    return {
        "pipeline_ms": median(direct),
        "service_ms": median(served),
        "added_ms": median([s - d for s, d in zip(served, direct, strict=True)]),
    }


async def throughput(client: httpx2.AsyncClient, clients: int, tokens: int) -> float:
    """Answers a second with so many clients at once, two answers each."""

    async def one() -> None:
        for _ in range(2):
            await first_token_http(client, tokens)

    started = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(clients)))
    return 2 * clients / (time.perf_counter() - started)


async def stalls(work: asyncio.Task[None]) -> dict[str, float]:
    """How late the event loop is, in ms, until the work is done."""
    late = []
    while not work.done():
        started = time.perf_counter()
        await asyncio.sleep(PROBE_S)
        late.append(1000 * (time.perf_counter() - started - PROBE_S))
    await work
    return {"p50": median(late), "p99": statistics.quantiles(late, n=100)[-1], "max": max(late)}


async def memory(client: httpx2.AsyncClient, requests: int) -> dict[str, float]:
    """Resident MiB after a tenth of the requests and after all of them."""
    process, sizes = psutil.Process(), []
    for number in range(requests):
        await first_token_http(client, 8)
        if number + 1 in (max(1, requests // 10), requests):
            sizes.append(process.memory_info().rss / 2**20)
    return {"early_mb": sizes[0], "late_mb": sizes[-1]}


async def run(options: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as home:
        limits = Service(port=0, requests_per_minute=1_000_000)
        settings = Settings(home=Path(home), service=limits)
        async with (
            service(settings, scripted=options.scripted) as (server, url),
            httpx2.AsyncClient(base_url=url, timeout=600, trust_env=False) as client,
        ):
            await measure(options, server, client)


async def measure(options: argparse.Namespace, server: Server, client: httpx2.AsyncClient) -> None:
    tell("ingesting 20 pages, warming up")
    await ingest(client, 20)
    await first_token_http(client, 1)
    tell("time to first token")
    added = await overhead(server, client, options.times)
    show("Time to first token, ms (median)", list(added), [list(added.values())])
    rates: dict[int, float] = {}
    for clients in options.clients:
        tell(f"{clients} clients")
        rates[clients] = await throughput(client, clients, options.tokens)
    rows = [(str(n), rate, ratio(rate, rates[options.clients[0]])) for n, rate in rates.items()]
    show("Throughput", ["clients", "answers/s", "of the first"], rows)
    tell(f"{options.requests} requests")
    grown = await memory(client, options.requests)
    show("Resident memory, MiB", list(grown), [list(grown.values())])
    tell(f"ingesting {options.pages} pages")
    late = await stalls(asyncio.create_task(ingest(client, options.pages)))
    title = f"Event loop late while {options.pages} pages are ingested, ms"
    show(title, list(late), [list(late.values())])
    results = {"first_token": added, "answers_per_s": rates, "memory": grown, "stall_ms": late}
    finish("serve", results, scripted=options.scripted, pages=options.pages, tokens=options.tokens)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scripted", action="store_true")
    parser.add_argument("--clients", default="1,2,4,8,16", type=_numbers)
    parser.add_argument("--tokens", type=int, default=32)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--pages", type=int, default=500)
    asyncio.run(run(parser.parse_args()))


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


if __name__ == "__main__":
    main()
