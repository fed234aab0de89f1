"""What an ingest costs and what it survives.

    uv run python -m benchmarks.ingest stages --files DEV_SET/pdfs --limit 4
    uv run python -m benchmarks.ingest large growth unchanged
    uv run python -m benchmarks.ingest kills --kills 100
    uv run python -m benchmarks.ingest hostile --hostile FOLDER_WITH_MANIFEST

stages     pages and chunks a second of each stage alone, and end to end with one and two workers,
           set against the embedder alone on the same texts in the same process
large      peak memory with one PDF of 500 pages
growth     memory over many documents (fake embedder, so that it shows within minutes)
unchanged  a second ingest of 10,000 files of which none changed
kills      ends the process at random moments; the index must become that of an undisturbed run
hostile    each file of a folder with manifest.jsonl: how it ended, and after how long

Memory is the resident set of the process and its workers, looked at ten times a second. Stages
alone are told in CPU-seconds, which stay comparable on a busy machine. Prints tables, then one JSON
line.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import tempfile
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks._ingest_parts import (
    Run,
    contents,
    fill,
    killed,
    stages_alone,
    synthetic_pdf,
    watched,
    words,
)
from benchmarks._report import finish, show, tell
from rag.config import Extraction, Settings
from rag.errors import ExtractionError
from rag.ingest.extractor_pool import ExtractorPool
from rag.ingest.messages import Setup

MB = 2**20


def stages(args: argparse.Namespace, work: Path) -> dict[str, Any]:
    files = list(islice(sorted(args.files.rglob("*.pdf")), args.limit))
    alone = asyncio.run(stages_alone(files, work / "alone"))
    rows = [[name, *_rates(alone, seconds)] for name, seconds in alone["seconds"].items()]
    columns = ["stage alone (one process)", "seconds", "pages/s", "chunks/s"]
    show(f"{len(files)} files, {alone['pages']} pages, {alone['chunks']} chunks", columns, rows)
    runs = {n: watched(work / f"w{n}", n, "real", files) for n in (1, 2)}
    rows = [[f"{n} workers", *_end_to_end(run)] for n, run in runs.items()]
    columns = ["end to end", "seconds", "pages/s", "chunks/s", "of embedder alone",
               "embedder busy", "main MB", "worker MB", "all MB"]  # fmt: skip
    show("End to end", columns, rows)
    return {"alone": alone, "end_to_end": {n: _figures(run) for n, run in runs.items()}}


def _rates(alone: dict[str, Any], seconds: float) -> list[float]:
    return [round(seconds, 2), alone["pages"] / seconds, alone["chunks"] / seconds]


def _figures(run: Run) -> dict[str, Any]:
    summary, alone = run.summary, run.alone or {}
    figures: dict[str, Any] = {
        "seconds": summary["seconds"],
        "pages": summary["pages"],
        "chunks": summary["chunks"],
        "stage_seconds": summary["stage_seconds"],
        "peak_mb": {name: round(peak / MB) for name, peak in run.peaks().items()},
    }
    if alone:
        rate = alone["chunks"] / alone["seconds"]
        figures["embedder_chunks_per_s"] = rate
        figures["ratio_to_embedder"] = summary["chunks"] / summary["seconds"] / rate
        figures["embedder_busy"] = summary["stage_seconds"]["embed"] / summary["seconds"]
    return figures


def _end_to_end(run: Run) -> list[object]:
    f = _figures(run)
    shares = [f"{100 * f[name]:.0f} %" for name in ("ratio_to_embedder", "embedder_busy")]
    rates = [f["seconds"], f["pages"] / f["seconds"], f["chunks"] / f["seconds"]]
    return [*rates, *shares, *f["peak_mb"].values()]


def large(args: argparse.Namespace, work: Path) -> dict[str, Any]:
    file = synthetic_pdf(work / "large.pdf", args.pages, 0)
    figures = _figures(watched(work / "home", 2, "real", [file]))
    columns = ["one PDF", "seconds", "chunks", *(f"{name} MB" for name in figures["peak_mb"])]
    row = [figures["seconds"], figures["chunks"], *figures["peak_mb"].values()]
    show("Peak memory", columns, [[f"{args.pages} pages", *row]])
    return figures


def growth(args: argparse.Namespace, work: Path) -> dict[str, Any]:
    (work / "docs").mkdir()
    for number in range(args.documents):
        synthetic_pdf(work / "docs" / f"{number}.pdf", 8, number)
    run = watched(work / "home", 1, "fake", [work / "docs"])
    marks = (0.1, 0.25, 0.5, 0.75, 1.0)
    main = {f"{mark:.0%}": round(run.main_at(mark) / MB) for mark in marks}
    show(f"Main process over {args.documents} documents", ["files done", *main],
         [["resident MB", *main.values()]])  # fmt: skip
    return {"main_mb": main, **_figures(run)}


def unchanged(args: argparse.Namespace, work: Path) -> dict[str, Any]:
    chance = random.Random(0)
    for number in range(args.unchanged):
        folder = work / "docs" / f"{number // 100}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number}.txt").write_text(f"File {number}. {words(chance, 30)}")
    asyncio.run(fill(work / "home", work / "docs"))
    again = watched(work / "home", 2, "fake", [work / "docs"])
    figures = {
        "files": again.summary["unchanged"],
        "seconds": round(again.seconds, 2),  # with the plan, which the summary's leave out
        "with imports": round(again.seconds + again.started, 2),
        "main MB": round(again.peaks()["main"] / MB),
    }
    show("Files that did not change", list(figures), [[str(v) for v in figures.values()]])
    return figures


def kills(args: argparse.Namespace, work: Path) -> dict[str, Any]:
    (work / "docs").mkdir()
    for number in range(12):
        synthetic_pdf(work / "docs" / f"{number}.pdf", 3, number)
    calm = watched(work / "calm", 1, "slow", [work / "docs"])
    wanted = asyncio.run(contents(work / "calm"))
    chance, wrong, rounds, home = random.Random(args.seed), 0, 0, work / "killed"
    for number in range(args.kills):
        killed(home, work / "docs", chance.uniform(0, 1.2 * calm.seconds))
        if number % 10 == 9 or number == args.kills - 1:  # let it complete, compare, begin anew
            watched(home, 1, "slow", [work / "docs"])
            rounds += 1
            wrong += asyncio.run(contents(home)) != wanted
            tell(f"{number + 1} kills, {rounds} runs completed after them, {wrong} differ")
            home = work / f"killed{number}"
    figures = {"kills": args.kills, "completed": rounds, "different": wrong, "chunks": len(wanted)}
    show("Random kills", list(figures), [[str(v) for v in figures.values()]])
    return figures


def hostile(args: argparse.Namespace, work: Path) -> dict[str, Any]:
    lines = (args.hostile / "manifest.jsonl").read_text().splitlines()
    return asyncio.run(_hostile(args.hostile, [json.loads(line) for line in lines], work))


async def _hostile(folder: Path, entries: list[dict[str, str]], work: Path) -> dict[str, Any]:
    from rag.models.registry import embedding_folder

    settings = Settings(home=work / "home", extraction=Extraction(timeout_s=8, ocr=False))
    tokenizer = embedding_folder(settings) / "tokenizer.json"
    rows: list[list[object]] = []
    setup = Setup(settings.extraction, tokenizer, settings.chunk_tokens)
    async with ExtractorPool(setup, workers=1) as extractor:
        for entry in entries:
            started = time.perf_counter()
            try:
                await extractor.extract(folder / entry["file"])
                got = "ok"
            except ExtractionError as error:
                got = error.kind
            right = "yes" if got in entry["expected"].split("-or-") else "NO"
            seconds = time.perf_counter() - started
            rows.append([entry["file"], entry["expected"], got, right, seconds])
    show("Hostile files (limit 8 CPU-seconds, no OCR)",
         ["file", "expected", "got", "as expected", "seconds"], rows)  # fmt: skip
    wrong = [row[0] for row in rows if row[3] != "yes"]
    return {"files": len(rows), "wrong": wrong, "slowest_s": max(float(str(r[4])) for r in rows)}


PARTS: dict[str, Callable[[argparse.Namespace, Path], dict[str, Any]]] = {
    "stages": stages, "large": large, "growth": growth, "unchanged": unchanged, "kills": kills,
    "hostile": hostile,
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("parts", nargs="*", default=[p for p in PARTS if p != "hostile"])
    parser.add_argument(
        "--files", type=Path, default=Path("data"), help="a folder of PDFs, for stages"
    )
    parser.add_argument("--limit", type=int, default=4, help="PDFs of --files to take")
    parser.add_argument("--pages", type=int, default=500)
    parser.add_argument("--documents", type=int, default=300)
    parser.add_argument("--unchanged", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--hostile", type=Path, help="a folder with manifest.jsonl")
    args = parser.parse_args()
    results = {}
    for part in args.parts:
        with tempfile.TemporaryDirectory() as work:
            tell(part)
            results[part] = PARTS[part](args, Path(work))
    finish("ingest", results)


if __name__ == "__main__":
    main()
