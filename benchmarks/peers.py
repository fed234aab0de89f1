"""Ours beside other programs: same PDFs, same questions, same weights, one after the other.

    uv run python -m benchmarks peers [DEV_SETS] [--sets squad,financebench] [--repeats 3] …
    uv run python -m benchmarks peers --limit 5 --repeats 1          (a trial)

Each program runs with its documented defaults, in an environment of its own that is made under
--work and used again. Peers want PyTorch: --torch and --find-links name a CPU build, as
--torch torch==X --find-links FOLDER. Where the newest one would bring CUDA, nothing is installed.
haiku.rag wants Python 3.12 on the PATH.

Every round starts each program once: it makes an index of all PDFs, then answers all questions
that have an answer, one at a time, by ten passages. Figures are medians of the rounds. CPU-seconds
and memory are of a program with all its processes. Follow-ups are asked without their history,
which peers have no place for. --limit N asks the first N questions only, of the documents that they
need. What the programs say goes to files under --work. Prints tables, then one JSON line.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import platformdirs
import psutil

from benchmarks._peer import Place
from benchmarks._peer_environments import ROOT, SYSTEMS, Environments, System
from benchmarks._report import finish, median, show, tell
from rag.config import Settings
from rag.evaluation.metrics import recall_at, reciprocal_rank
from rag.evaluation.questions import Question, read_questions
from rag.evaluation.records import percentile
from rag.models import registry

SETS = ("squad",)
K = 10
MB = 2**20
_SAMPLE_SECONDS = 0.05


class PeerFailed(Exception):
    """A program ended before it had answered."""


class Watched:
    """A peer's process with its children: requests, and what they cost."""

    def __init__(self, command: Sequence[str], log: Path) -> None:
        environment = os.environ | {"HF_HUB_OFFLINE": "1", "LOGFIRE_IGNORE_NO_CONFIG": "1"}
        environment.pop("VIRTUAL_ENV", None)
        with log.open("w") as errors:
            self._process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        self._log = log
        self._tree = psutil.Process(self._process.pid)
        self.peak = 0
        self._sampler = threading.Thread(target=self._sample, daemon=True)
        self._sampler.start()

    def ask(self, request: dict[str, Any]) -> tuple[Any, float]:
        """The answer, and the seconds until it came."""
        assert self._process.stdin is not None
        begun = time.perf_counter()
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError as error:
            raise PeerFailed(f"see {self._log}") from error
        return self.answer(), time.perf_counter() - begun

    def answer(self) -> Any:
        """Its next line; the first one comes unasked, when it has started."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise PeerFailed(f"see {self._log}")
        return json.loads(line)

    def cpu(self) -> float:
        """CPU-seconds of all its processes, also of those that have ended."""
        seconds = 0.0
        for process in self._processes():
            with suppress(psutil.NoSuchProcess):
                t = process.cpu_times()
                seconds += t.user + t.system + t.children_user + t.children_system
        return seconds

    def _processes(self) -> list[psutil.Process]:
        """The first one last: what a child did that ends meanwhile stands there."""
        return [*self._tree.children(recursive=True), self._tree]

    def _sample(self) -> None:
        while self._process.poll() is None:
            with suppress(psutil.NoSuchProcess):  # a worker that ended meanwhile
                self.peak = max(self.peak, sum(p.memory_info().rss for p in self._processes()))
            time.sleep(_SAMPLE_SECONDS)

    def close(self) -> None:
        """Let it end by itself: an end of its stdin tells it to."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.stdout.close()
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._sampler.join()


@dataclass(slots=True)
class Found:
    """What one round of one program gave."""

    seconds_to_start: float
    ingest_seconds: float
    ingest_cpu_seconds: float
    chunks: int
    versions: dict[str, str]
    query_seconds: list[float] = field(default_factory=list)
    query_cpu_seconds: float = 0.0
    peak_mb: float = 0.0
    places: list[list[Place]] = field(default_factory=list)


def run(command: Sequence[str], log: Path, pdfs: list[Path], questions: list[Question]) -> Found:
    """One program from its start to its last question. Raises PeerFailed."""
    begun = time.perf_counter()
    process = Watched(command, log)
    try:
        versions = process.answer()
        started = time.perf_counter() - begun
        before = process.cpu()
        chunks, seconds = process.ask({"ingest": [str(pdf) for pdf in pdfs]})
        found = Found(started, seconds, process.cpu() - before, chunks, versions)
        process.ask({"search": "warm up", "k": K})
        before = process.cpu()
        for question in questions:
            places, seconds = process.ask({"search": question.question, "k": K})
            found.places.append([(doc, page) for doc, page in places])
            found.query_seconds.append(seconds)
        found.query_cpu_seconds = process.cpu() - before
    finally:
        process.close()
    found.peak_mb = process.peak / MB
    return found


def measure(
    environments: Environments, folder: Path, work: Path, args: argparse.Namespace
) -> dict[str, Any]:
    """All rounds of all programs on one set."""
    questions = [q for q in read_questions(folder / "questions.jsonl") if q.answerable]
    questions = questions[: args.limit]
    pdfs = sorted((folder / "pdfs").glob("*.pdf"))
    if args.limit:
        needed = frozenset[str]().union(*(question.documents for question in questions))
        pdfs = [pdf for pdf in pdfs if pdf.name in needed]
    rounds: dict[str, list[Found]] = {}
    failed: dict[str, str] = {}
    for number in range(args.repeats):
        for system in args.systems:
            tell(f"{folder.name}, round {number + 1}: {system.name}")
            log = work / f"{folder.name}-{system.key}.log"
            with tempfile.TemporaryDirectory(dir=work) as store:
                command = environments.command(system, args.model, Path(store))
                try:
                    rounds.setdefault(system.name, []).append(run(command, log, pdfs, questions))
                except PeerFailed as error:
                    failed[system.name] = str(error)
                    tell(f"  failed: {error}")
    figures = {name: summed(found, questions) for name, found in rounds.items() if found}
    print_set(f"{folder.name}: {len(pdfs)} PDFs, {len(questions)} questions", figures)
    return {"pdfs": len(pdfs), "questions": len(questions), "systems": figures, "failed": failed}


def summed(rounds: Sequence[Found], questions: Sequence[Question]) -> dict[str, Any]:
    """The figures of one program: medians of its rounds; the passages are those of the first."""
    milliseconds = [1000 * seconds for found in rounds for seconds in found.query_seconds]
    ranked = list(zip(rounds[0].places, (q.gold for q in questions), strict=True))
    return {
        "start_s": median([found.seconds_to_start for found in rounds]),
        "ingest_s": median([found.ingest_seconds for found in rounds]),
        "ingest_cpu_s": median([found.ingest_cpu_seconds for found in rounds]),
        "chunks": rounds[0].chunks,
        "peak_mb": median([found.peak_mb for found in rounds]),
        "query_ms": {"median": median(milliseconds), "p95": percentile(milliseconds, 0.95)},
        "query_cpu_ms": 1000
        * median([found.query_cpu_seconds for found in rounds])
        / len(questions),
        "page@1": _mean([recall_at(places, gold, 1) for places, gold in ranked]),
        "page@5": _mean([recall_at(places, gold, 5) for places, gold in ranked]),
        "mrr@10": _mean([reciprocal_rank(places, gold) for places, gold in ranked]),
        "versions": rounds[0].versions,
    }


def _mean(values: Sequence[float]) -> float:
    return 100 * sum(values) / len(values)


def print_set(title: str, figures: dict[str, dict[str, Any]]) -> None:
    columns = ["program", "start s", "ingest s", "ingest CPU s", "chunks", "peak MB", "query ms",
               "p95", "query CPU ms", "page@1", "page@5", "MRR@10"]  # fmt: skip
    rows = [
        [
            name,
            *(f[key] for key in ("start_s", "ingest_s", "ingest_cpu_s", "chunks", "peak_mb")),
            *(f["query_ms"][key] for key in ("median", "p95")),
            *(f[key] for key in ("query_cpu_ms", "page@1", "page@5", "mrr@10")),
        ]
        for name, f in figures.items()
    ]
    show(title, columns, rows)


def main() -> None:
    work = Path(platformdirs.user_cache_dir("rag", appauthor=False), "benchmarks", "peers")
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, default=Path("../shared/eval/dev"))
    parser.add_argument("--work", type=Path, default=work, help="where environments are kept")
    parser.add_argument("--sets", type=_names, default=SETS, help="a,b: folders of DEV_SETS")
    parser.add_argument("--systems", type=_systems, default=SYSTEMS, help="a,b: default all")
    parser.add_argument("--repeats", type=int, default=3, help="rounds")
    parser.add_argument("--limit", type=int, help="only the first N questions")
    parser.add_argument("--torch", default="torch", help="what to install of PyTorch")
    parser.add_argument("--find-links", help="where a CPU build of PyTorch lies")
    args = parser.parse_args()
    args.model = registry.embedding_folder(Settings(embedding_model=registry.BUNDLED_EMBEDDING))
    args.work.mkdir(parents=True, exist_ok=True)
    environments = Environments(args.work.absolute(), args.torch, args.find_links)
    sizes = {system.name: environments.make(system) / MB for system in args.systems}
    rows = [[system.name, sizes[system.name], system.settings] for system in args.systems]
    show("Installed", ["program", "MB", "what runs"], rows)
    sets = {name: measure(environments, args.folder / name, args.work, args) for name in args.sets}
    about = {"repeats": args.repeats, "limit": args.limit}
    finish("peers", {"installed_mb": sizes, "sets": sets}, **about)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name for name in text.split(",") if name)


def _systems(text: str) -> tuple[System, ...]:
    known = {system.key: system for system in SYSTEMS}
    unknown = [name for name in _names(text) if name not in known]
    if unknown:
        raise argparse.ArgumentTypeError(f"no {', '.join(unknown)}: there are {', '.join(known)}")
    return tuple(known[name] for name in _names(text))


if __name__ == "__main__":
    main()
