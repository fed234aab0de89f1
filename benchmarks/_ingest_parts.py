"""What benchmarks/ingest.py is made of: watched and killed processes, synthetic files."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from rag.config import Settings
from rag.pipeline import open_pipeline
from rag.runtime import Runtime
from rag.store import Addition, Store, StoreWriter
from rag.store.checks import check
from rag.testing import FakeEmbedder
from rag.types import Chunk, Coverage, Document, Page

_SAMPLE_SECONDS = 0.1
_WORDS = Path(__file__).read_text(encoding="utf-8").split()


@dataclass(slots=True)
class Run:
    """An ingest that was watched. `samples` are (files done, bytes of main, of its workers)."""

    started: float = 0.0  # seconds until everything was imported
    seconds: float = 0.0
    summary: dict[str, Any] = field(default_factory=dict)
    alone: dict[str, Any] | None = None
    samples: list[tuple[int, int, int]] = field(default_factory=list)

    def peaks(self) -> dict[str, int]:
        return {
            "main": max(main for _, main, _ in self.samples),
            "workers": max(workers for _, _, workers in self.samples),
            "all": max(main + workers for _, main, workers in self.samples),
        }

    def main_at(self, share: float) -> int:
        """The main process's memory when that share of its files was done."""
        total = max(done for done, _, _ in self.samples)
        return next(main for done, main, _ in self.samples if done >= share * total)


def start(home: Path, workers: int, kind: str, paths: list[Path]) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "benchmarks._ingest_process"]
    return subprocess.Popen(
        [*command, home, str(workers), kind, *paths],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def watched(home: Path, workers: int, kind: str, paths: list[Path]) -> Run:
    """Run an ingest to its end."""
    run, begun = Run(), time.perf_counter()
    done = [0]
    with start(home, workers, kind, paths) as process:
        sampler = threading.Thread(target=_sample, args=(process.pid, run, done), daemon=True)
        assert process.stdout is not None
        for line in process.stdout:
            if line == "ready\n":
                run.started = time.perf_counter() - begun
                sampler.start()
                continue
            event = json.loads(line)
            if event["kind"] == "progress":
                done[0] = event["files_done"]
            elif event["kind"] == "summary":
                run.summary, run.seconds = event, time.perf_counter() - begun - run.started
            elif event["kind"] == "alone":
                run.alone = event
    if process.returncode or not run.summary:
        raise SystemExit("the ingest failed")
    sampler.join()
    return run


def _sample(pid: int, run: Run, done: list[int]) -> None:
    """Until the summary has come: what follows it is not the ingest."""
    try:
        process = psutil.Process(pid)
        while not run.summary:
            workers = sum(child.memory_info().rss for child in process.children(recursive=True))
            run.samples.append((done[0], process.memory_info().rss, workers))
            time.sleep(_SAMPLE_SECONDS)
    except psutil.NoSuchProcess:
        pass


def killed(home: Path, folder: Path, seconds: float) -> None:
    """Start an ingest; kill it with its workers, so many seconds after it has loaded."""
    with start(home, 1, "slow", [folder]) as process:
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(seconds)
        os.killpg(process.pid, signal.SIGKILL)


async def contents(home: Path) -> dict[str, tuple[str, tuple[float, ...]]]:
    """Chunk id → (text, vector); that each stands once, and that the index is sound."""
    store = await Store.open(home / "collections" / "default")
    rows = (await store.chunks_table.query().to_arrow()).to_pylist()
    found = {row["id"]: (row["text"], tuple(row["vector"])) for row in rows}
    if len(found) != len(rows) or await check(store):
        raise SystemExit("the index is not sound")
    store.close()
    return found


async def fill(home: Path, folder: Path) -> None:
    """The index as an ingest of these text files leaves it, one chunk each, without reading them:
    that is not what is measured."""
    embedder = FakeEmbedder()
    settings = Settings(home=home)
    async with open_pipeline(settings, Runtime(settings, embedder=embedder)) as pipeline:
        store, _ = await pipeline.writer()
        plan = await pipeline.plan_ingest([folder])
        vectors = await embedder.embed_documents(["any"])
        additions = []
        for job in plan.jobs:
            source, text = job.sources[0], job.sources[0].path.read_text()
            page = Page(1, "1", text, (), (), 0, 0, "text")
            document = Document(
                job.document_id, source.path, source.path.stem, source.sha256, source.size,
                source.mtime_ns, 1, 1, "en", Coverage.of([page]), {}, "",
            )  # fmt: skip
            chunk = Chunk(text, "", 0, len(text), 1, 1, "text", 40)
            additions.append(Addition(document, pipeline.recipe, [page], [chunk], vectors))
        for start in range(0, len(additions), 2000):
            await store.commit(additions[start : start + 2000])
        await store.optimize()


def words(chance: random.Random, count: int) -> str:
    return " ".join(chance.choices(_WORDS, k=count))


def synthetic_pdf(path: Path, pages: int, seed: int) -> Path:
    """Pages of 150 random words."""
    import pymupdf

    chance = random.Random(seed)
    with pymupdf.open() as document:
        for _ in range(pages):
            page = document.new_page()
            page.insert_textbox(pymupdf.Rect(60, 60, 530, 780), words(chance, 150), fontsize=10)
        document.save(path)
    return path


async def stages_alone(files: list[Path], home: Path) -> dict[str, Any]:
    """Each stage by itself, in this process: its CPU seconds; of the store, which waits, by the
    clock."""
    from rag.ingest.chunking import chunk_document
    from rag.readers.document import parse_document

    settings = Settings(home=home)
    runtime = Runtime(settings)
    embedder = await runtime.embedder(settings.embedding_model)
    await embedder.embed_documents(["loads the weights"])
    store = await StoreWriter.create(home, embedder.id, embedder.dimensions, "benchmark")
    seconds = dict.fromkeys(("extract", "chunk", "embed", "store"), 0.0)
    pages = count = 0
    for number, file in enumerate(files):
        clock = _Clock(seconds)
        parsed = parse_document(file, settings.extraction, password=None)
        clock.stop("extract")
        chunks = chunk_document(
            parsed, limit=settings.chunk_tokens, count_tokens=embedder.count_tokens
        )
        clock.stop("chunk")
        vectors = await embedder.embed_documents([chunk.content for chunk in chunks])
        clock.stop("embed")
        document = Document(
            str(number), file, "", "", 0, 0, len(parsed.pages), len(chunks), parsed.language,
            Coverage.of(parsed.pages), {}, "",
        )  # fmt: skip
        wall = time.perf_counter()
        await store.commit([Addition(document, "", parsed.pages, chunks, vectors)])
        seconds["store"] += time.perf_counter() - wall
        pages, count = pages + len(parsed.pages), count + len(chunks)
    wall = time.perf_counter()
    await store.optimize()
    seconds["store"] += time.perf_counter() - wall
    await runtime.close()
    return {"pages": pages, "chunks": count, "seconds": seconds}


class _Clock:
    """Adds the CPU time since the last stop to a stage."""

    def __init__(self, seconds: dict[str, float]) -> None:
        self._seconds = seconds
        self._last = time.process_time()

    def stop(self, stage: str) -> None:
        now = time.process_time()
        self._seconds[stage] += now - self._last
        self._last = now
