"""OCR beside the text layer: pages drawn as pictures, read back, and searched."""

from __future__ import annotations

import asyncio
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import aclosing, contextmanager
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from benchmarks._ingest_parts import Run, watched
from rag.config import Settings
from rag.evaluation.questions import Question, read_questions
from rag.evaluation.run import MeasuredPipeline, run_questions
from rag.evaluation.scoring import Scoring
from rag.evaluation.summary import summarise
from rag.runtime import Runtime

_MB = 2**20
_ENGINE = "RAG_EXTRACTION__OCR_ENGINE"
Texts = dict[tuple[str, int], str]  # (file, page) → text


def measure(
    folder: Path, work: Path, pages: int, engines: Sequence[str], dpis: Sequence[int]
) -> dict[str, Any]:
    """Figures of the text layer and of each engine at each resolution (dots an inch)."""
    files = _chosen(folder, pages)
    names = {file.name for file in files}
    questions = [q for q in read_questions(folder / "questions.jsonl") if _within(q, names)]
    layer, truth = _figures(work / "layer", files, questions, "auto")
    found: dict[str, Any] = {"text layer": layer | {"characters": 1.0}}
    for dpi in dpis:
        pictures = [_pictures(file, work / f"{dpi}dpi", dpi) for file in files]
        for engine in engines:
            figures, texts = _figures(work / f"{engine}-{dpi}", pictures, questions, engine)
            right = [_right(truth[place], texts.get(place, "")) for place in truth]
            found[f"{engine}, {dpi} dpi"] = figures | {"characters": fmean(right)}
    return found


def _chosen(folder: Path, pages: int) -> list[Path]:
    """Whole documents, those with most questions first, of so many pages together. Raises
    ValueError where each one has more."""
    import pymupdf

    asked = Counter(
        name for q in read_questions(folder / "questions.jsonl") for name in q.gold_documents
    )
    chosen: list[Path] = []
    for name, _ in asked.most_common():
        with pymupdf.open(folder / "pdfs" / name) as document:
            count = document.page_count
        if count <= pages:
            chosen.append(folder / "pdfs" / name)
            pages -= count
    if not chosen:
        raise ValueError(f"{folder.name}: no document with questions has {pages} pages or fewer")
    return chosen


def _within(question: Question, names: set[str]) -> bool:
    return question.answerable and question.gold_documents <= names


def _pictures(file: Path, folder: Path, dpi: int) -> Path:
    import pymupdf

    folder.mkdir(exist_ok=True)
    with pymupdf.open(file) as document, pymupdf.open() as drawn:
        for page in document:
            picture = page.get_pixmap(dpi=dpi, colorspace=pymupdf.csGRAY).tobytes("png")
            new = drawn.new_page(width=page.rect.width, height=page.rect.height)
            new.insert_image(new.rect, stream=picture)
        drawn.save(folder / file.name)
    return folder / file.name


def _figures(
    home: Path, files: Sequence[Path], questions: Sequence[Question], engine: str
) -> tuple[dict[str, Any], Texts]:
    with _environment(_ENGINE, engine):
        run = watched(home, 1, "real", list(files))
    texts, recall = asyncio.run(_read_and_ask(home, questions))
    return _costs(run) | {"page_recall@5": recall, "questions": len(questions)}, texts


def _costs(run: Run) -> dict[str, Any]:
    seconds = run.summary["stage_seconds"]["extract"]
    rate = 60 * run.summary["pages"] / seconds if seconds else float("nan")
    return {"pages_a_minute": rate, "workers_mb": round(run.peaks()["workers"] / _MB)}


async def _read_and_ask(home: Path, questions: Sequence[Question]) -> tuple[Texts, float]:
    settings = Settings(home=home)
    runtime = Runtime(settings)
    pipeline = MeasuredPipeline(settings, runtime)
    try:
        texts: Texts = {}
        store = await pipeline.store()
        for document in await pipeline.documents():
            for page in await store.pages(document.id):
                texts[document.path.name, page.number] = page.text
        async with aclosing(run_questions(pipeline, questions, Scoring())) as stream:
            records = [record async for record in stream]
        summary = summarise(questions, records)
        return texts, summary.groups["all"]["page_recall@5"].value
    finally:
        pipeline.close()
        await runtime.close()


def _right(truth: str, text: str) -> float:
    """Share of characters right: 1 less the edit distance by the length, marks of tables aside."""
    one, other = (" ".join(re.findall(r"[^\s|]+", each)) for each in (truth, text))
    return max(0.0, 1 - distance(one, other) / max(len(one), 1))


def distance(one: str, other: str) -> int:
    """Levenshtein's."""
    letters = np.array([ord(c) for c in other])
    places = np.arange(len(other) + 1)
    row = places
    for i, char in enumerate(one, 1):
        least = np.minimum(row[1:] + 1, row[:-1] + (letters != ord(char)))
        row = np.minimum.accumulate(np.concatenate(([i], least)) - places) + places
    return int(row[-1])


@contextmanager
def _environment(name: str, value: str) -> Iterator[None]:
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before
