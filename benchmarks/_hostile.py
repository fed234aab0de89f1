"""Clients that leave in mid-upload, mid-stream and mid-tool, beside those that stay: for
benchmarks/serve.py --hostile."""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import signal
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2

from benchmarks._report import show, tell
from benchmarks._serve_texts import make_pdf

PROBE_S = 0.25
IDLE_S = 20  # of probes alone, to know what the machine itself does to them
ANSWER_BYTES = 4000  # heard of a stream before its client goes
FILE_BYTES = 2 << 20  # that an upload says it has
_JSON = "application/json"
_FORM = "multipart/form-data; boundary=xx"
_PART = b'--xx\r\nContent-Disposition: form-data; name="file"; filename="a.pdf"\r\n\r\n%PDF-1.7 '
_RAW = b"%PDF-1.7" + bytes(99_000)
_ASK = json.dumps({"question": "How many kilns may the tenant run?", "stream": True}).encode()
_TOOL = json.dumps(
    {
        "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {"name": "ask", "arguments": {"question": "How many kilns?"}},
    }
).encode()  # fmt: skip


@dataclass(slots=True)
class Hostile:
    """A running service, what was done to it, and how it answered meanwhile."""

    url: str
    process: asyncio.subprocess.Process
    done: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    idle_ms: list[float] = field(default_factory=list)  # before anything was done to it
    health_ms: list[float] = field(default_factory=list)
    memory_mb: list[float] = field(default_factory=list)

    async def leave(self, kind: str) -> None:
        """One client that goes away in the middle, cutting the connection off."""
        head, body, heard = LEAVING[kind]
        place = urlsplit(self.url)
        reader, writer = await asyncio.open_connection(place.hostname, place.port)
        try:
            writer.write(head.replace("\n", "\r\n").encode() + b"\r\n" + body)
            await writer.drain()
            await asyncio.sleep(random.random() / 5)
            if heard:
                await reader.read(heard)
        finally:
            writer.transport.abort()

    async def probe(self) -> None:
        """Health and memory, four times a second."""
        import psutil

        service = psutil.Process(self.process.pid)
        async with httpx2.AsyncClient(base_url=self.url, timeout=60, trust_env=False) as client:
            while True:
                started = time.perf_counter()
                await client.get("/health")
                took = self.health_ms if self.done else self.idle_ms
                took.append(1000 * (time.perf_counter() - started))
                self.memory_mb.append(service.memory_info().rss / 2**20)
                await asyncio.sleep(PROBE_S)


def _head(path: str, length: int, kind: str) -> str:
    lines = f"POST {path} HTTP/1.1\nHost: localhost\nContent-Type: {kind}\n"
    return f"{lines}Content-Length: {length}\nAccept: application/json, text/event-stream\n"


# What is said, its body, and how many bytes are heard before the client goes.
LEAVING: dict[str, tuple[str, bytes, int]] = {
    "raw upload": (_head("/documents?name=a.pdf", FILE_BYTES, "application/pdf"), _RAW, 0),
    "form upload": (_head("/documents", FILE_BYTES, _FORM), _PART + bytes(99_000), 0),
    "stream": (_head("/query", len(_ASK), _JSON), _ASK, ANSWER_BYTES),
    "tool": (_head("/mcp", len(_TOOL), _JSON), _TOOL, 0),
    "half a question": (_head("/query", 9_999, _JSON), _ASK, 0),
    "no HTTP": ("\x16\x03\x01", bytes(300), 0),
}  # fmt: skip


async def hostile(options: argparse.Namespace) -> dict[str, Any]:
    """The mix for so many minutes, then SIGTERM while 200 clients are leaving."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "log.jsonl")
        async with _service(Path(folder, "home"), log) as service:
            await _prepare(service)
            tasks = [asyncio.ensure_future(service.probe())]
            await asyncio.sleep(IDLE_S)
            visitors = (_visitor(service) for _ in range(options.visitors))
            tasks += [asyncio.ensure_future(each) for each in visitors]
            await asyncio.wait(tasks, timeout=60 * options.minutes)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            tell("SIGTERM under 200 clients that leave")
            ended = await _end(service)
        left = len([*Path(folder, "home/files").rglob(".incoming/*")])
        return _told(service, log.read_text(), ended, left)


@asynccontextmanager
async def _service(home: Path, log: Path) -> AsyncIterator[Hostile]:
    with log.open("w") as errors:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "benchmarks._hostile_service", str(home)),
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
        )
    assert process.stdout is not None
    try:
        yield Hostile((await process.stdout.readline()).decode().strip(), process)
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _prepare(service: Hostile) -> None:
    async with httpx2.AsyncClient(base_url=service.url, timeout=300, trust_env=False) as client:
        sent = await client.post("/documents", files={"file": ("a.pdf", make_pdf(20))})
        job = sent.json()["job"]
        while job["status"] not in ("done", "failed"):
            await asyncio.sleep(0.5)
            job = (await client.get(f"/jobs/{job['id']}")).json()
        assert job["status"] == "done", job


async def _visitor(service: Hostile) -> None:
    """One client after the other: three of four leave, the fourth stays and is served."""
    async with httpx2.AsyncClient(base_url=service.url, timeout=300, trust_env=False) as client:
        staying = {"search": _search, "answer": _answer, "refused upload": _refused}
        while True:
            kind = random.choice([*LEAVING] * 3 + [*staying] * 2)
            try:
                await (staying[kind](client) if kind in staying else service.leave(kind))
                service.done[kind] += 1
            except (httpx2.HTTPError, OSError, AssertionError):
                service.failed[kind] += 1
            await asyncio.sleep(random.random() / 5)


async def _search(client: httpx2.AsyncClient) -> None:
    found = await client.post("/search", json={"question": "kilns of the tenant"})
    assert found.status_code == 200, found.text


async def _answer(client: httpx2.AsyncClient) -> None:
    asked = {"question": "How many kilns may the tenant run?", "max_tokens": 20}
    answer = await client.post("/query", json=asked)
    assert answer.status_code in (200, 429), answer.text


async def _refused(client: httpx2.AsyncClient) -> None:
    sent = await client.post("/documents", files={"file": ("a.pdf", b"<html>" + bytes(99_000))})
    assert sent.status_code == 422, sent.text


async def _end(service: Hostile) -> float:
    """Seconds from SIGTERM to the end of the process."""
    kinds = ["raw upload", "form upload", "stream", "tool"]
    leaving = [asyncio.ensure_future(service.leave(kinds[n % 4])) for n in range(200)]
    await asyncio.sleep(0.1)
    started = time.perf_counter()
    service.process.send_signal(signal.SIGTERM)
    await service.process.wait()
    seconds = time.perf_counter() - started
    await asyncio.gather(*leaving, return_exceptions=True)
    return seconds


def _told(service: Hostile, log: str, ended: float, left: int) -> dict[str, Any]:
    levels: Counter[str] = Counter()
    for line in log.splitlines():
        levels[str(json.loads(line).get("level")) if line.startswith("{") else "no JSON"] += 1
    rows = [(kind, count, service.failed[kind]) for kind, count in sorted(service.done.items())]
    show("What was done", ["kind", "times", "failed for the client"], rows)
    health, memory = sorted(service.health_ms), service.memory_mb
    tenth = max(1, len(memory) // 10)
    found = {
        "idle_health_p99_ms": statistics.quantiles(service.idle_ms, n=100)[-1],
        "health_p50_ms": statistics.median(health),
        "health_p99_ms": statistics.quantiles(health, n=100)[-1],
        "health_max_ms": health[-1],
        "errors_logged": levels["ERROR"] + levels["no JSON"],
        "files_left": left,
        "memory_second_tenth_mb": statistics.median(memory[tenth : 2 * tenth] or memory),
        "memory_last_tenth_mb": statistics.median(memory[-tenth:]),
        "sigterm_s": ended,
    }
    cells = [f"{value:.1f}" if isinstance(value, float) else str(value) for value in found.values()]
    show("The service meanwhile", ["what", "value"], list(zip(found, cells, strict=True)))
    return {**found, "done": dict(service.done), "failed": dict(service.failed)}
