"""Refusing before a word is written: fits and measures rag/answering/answerability.py.

    uv run python -m benchmarks.refusal measure DEV_SETS --home HOME --out signals.jsonl
    uv run python -m benchmarks.refusal fit signals.jsonl
    uv run python -m benchmarks.refusal shipped signals.jsonl

`measure` asks every question of the sets (already ingested under HOME: benchmarks/retrieval.py)
and writes the signals. Each answerable one is asked a second time with its documents left out of
the scope, which makes it unanswerable ("removed"); those that the sets themselves call unanswerable
("near") are about what the documents do tell. `fit` fits on one half, divided by document, and
reports on the other; `shipped` reports on the rule as it is. Both tell AUROC with its interval,
precision and recall at thresholds, also of the follow-ups alone, and what search and evidence cost.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
import zlib
from collections.abc import AsyncGenerator, Sequence
from dataclasses import astuple, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._report import finish, show, tell
from rag.answering.answerability import BIAS, SIGNALS, WEIGHTS
from rag.answering.question_match import match_question
from rag.config import Settings, load_settings
from rag.evaluation.bootstrap import Floats, bootstrap_ratio, bootstrap_statistic
from rag.evaluation.metrics import auroc
from rag.evaluation.questions import Question, read_questions
from rag.evaluation.run import MeasuredPipeline
from rag.pipeline import Scope
from rag.runtime import Runtime

SETS = ("squad", "mtrag", "mmlong", "financebench")
THRESHOLDS = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
PARTS = ("search", "evidence")
RIDGE = 1e-3  # of the sum of squares, per question: near-collinear signals share their weight


@dataclass(frozen=True, slots=True)
class Row:
    """The signals of one question. `kind`: answerable, near or removed; `cpu_ms`: of the search
    and of the evidence, on all threads."""

    set: str
    kind: str
    cluster: str
    signals: tuple[float, ...]
    follow_up: bool = False
    cpu_ms: tuple[float, float] = (0.0, 0.0)


# ── measure ───────────────────────────────────────────────────────────────────────────────────


async def rows_of(settings: Settings, runtime: Runtime, folder: Path) -> AsyncGenerator[Row]:
    pipeline = MeasuredPipeline(settings, runtime)
    stored = await pipeline.documents()
    for question in read_questions(folder / "questions.jsonl"):
        inside = Scope((question.scope,) if question.scope else ())
        kind = "answerable" if question.answerable else "near"
        yield await row(pipeline, question, inside, kind)
        if question.answerable:
            others = tuple(d.id for d in stored if d.name not in question.documents)
            yield await row(pipeline, question, Scope(others), "removed")
    pipeline.close()


async def row(pipeline: MeasuredPipeline, question: Question, scope: Scope, kind: str) -> Row:
    embedder = await pipeline.runtime.embedder(pipeline.embedding_model)  # one that keeps nothing
    began = time.process_time()
    retrieved = await pipeline.search(question.question, question.history, scope=scope)
    found = time.process_time()
    searched = retrieved.search_text
    calibration = await pipeline.calibration()
    match = await match_question(
        question.question, searched, retrieved.hits, embedder, calibration=calibration
    )
    signals = tuple(round(signal(match), 4) for signal in SIGNALS.values())
    cpu_ms = (1000 * (found - began), 1000 * (time.process_time() - found))
    follow_up = searched != question.question
    return Row(pipeline.settings.collection, kind, question.cluster, signals, follow_up, cpu_ms)


async def measure(options: argparse.Namespace) -> None:
    settings = load_settings(home=options.home)
    runtime = Runtime(settings)
    try:
        with options.out.open("w", encoding="utf-8") as file:
            for name in options.sets:
                of_set = settings.model_copy(update={"collection": name})
                async for one in rows_of(of_set, runtime, options.folder / name):
                    file.write(json.dumps(astuple(one)) + "\n")
                tell(name)
    finally:
        await runtime.close()


# ── fit ───────────────────────────────────────────────────────────────────────────────────────


def shipped(options: argparse.Namespace) -> None:
    """What the rule as it ships gives on signals that it was not fitted to: of another embedder."""
    weights = np.array([BIAS, *(WEIGHTS[name] for name in SIGNALS)])
    rows = rows_in(options.signals)
    held = list(zip(rows, scored(weights, rows).tolist(), strict=True))
    finish("refusal", report(held), command="shipped")


def rows_in(file: Path) -> list[Row]:
    return [Row(*json.loads(line)) for line in file.read_text(encoding="utf-8").splitlines()]


def fit(options: argparse.Namespace) -> None:
    rows = rows_in(options.signals)
    first = [zlib.crc32(row.cluster.encode()) % 2 == 0 for row in rows]
    held: list[tuple[Row, float]] = []
    for half in (True, False):  # each half is judged by what was fitted on the other
        weights = fitted(
            [row for row, in_first in zip(rows, first, strict=True) if in_first != half]
        )
        held += [
            (row, float(scored(weights, [row])[0]))
            for row, in_first in zip(rows, first, strict=True)
            if in_first == half
        ]
    weights = fitted(rows)
    print("BIAS: Final =", round(float(weights[0]), 2))
    named = dict(zip(SIGNALS, (round(float(w), 2) for w in weights[1:]), strict=True))
    print("WEIGHTS: Final[Mapping[str, float]] = MappingProxyType(", named, ")")
    results = {"weights": [round(float(w), 3) for w in weights], **report(held)}
    finish("refusal", results, command="fit")


def fitted(rows: Sequence[Row]) -> Floats:
    """Bias and weights of a logistic regression with a little ridge, by Newton's method."""
    matrix, target = _matrix(rows), np.array([row.kind == "answerable" for row in rows], float)
    weights = np.zeros(matrix.shape[1])
    ridge = RIDGE * len(rows) * np.eye(len(weights))
    ridge[0, 0] = 0
    for _ in range(30):
        share = 1 / (1 + np.exp(-matrix @ weights))
        slope = matrix.T @ (share - target) + ridge @ weights
        bend = (matrix * (share * (1 - share))[:, None]).T @ matrix + ridge
        weights = weights - np.linalg.solve(bend, slope)
    return weights


def scored(weights: Floats, rows: Sequence[Row]) -> Floats:
    return np.asarray(1 / (1 + np.exp(-_matrix(rows) @ weights)), float)


def _matrix(rows: Sequence[Row]) -> Floats:
    return np.array([[1.0, *row.signals] for row in rows])


# ── report ────────────────────────────────────────────────────────────────────────────────────


def report(held: Sequence[tuple[Row, float]]) -> dict[str, Any]:
    cosine = [(row, row.signals[0]) for row, _ in held]
    lines, found = [], {}
    for name, kinds in (
        ("all", ("near", "removed")),
        ("near", ("near",)),
        ("removed", ("removed",)),
    ):
        ours, plain = _area(held, kinds), _area(cosine, kinds)
        lines.append([name, sum(row.kind in kinds for row, _ in held), ours, plain])
        found[name] = {"auroc": ours, "auroc_cosine": plain}
    answerable = sum(row.kind == "answerable" for row, _ in held)
    show(f"AUROC against {answerable} answerable", ["unanswerable", "n", "rule", "cosine"], lines)
    curve = [_at(held, threshold) for threshold in THRESHOLDS]
    columns = ["threshold", "precision", "recall", "recall near", "recall removed", "kept"]
    show(
        "refused below", columns, [[f"{t:.2f}", *c] for t, c in zip(THRESHOLDS, curve, strict=True)]
    )
    follow_ups = [pair for pair in held if pair[0].follow_up]
    if follow_ups:
        curve_of = [_at(follow_ups, threshold) for threshold in THRESHOLDS[:5]]
        rows = [[f"{t:.2f}", *c] for t, c in zip(THRESHOLDS, curve_of, strict=False)]
        show(f"{len(follow_ups)} follow-ups, refused below", columns, rows)
    median, most = np.percentile([row.cpu_ms for row, _ in held], (50, 95), axis=0)
    costs = [[name, f"{m:.1f}", f"{p:.1f}"] for name, m, p in zip(PARTS, median, most, strict=True)]
    show("CPU ms a question", ["part", "median", "p95"], costs)
    return {
        **found,
        "curve": dict(zip(map(str, THRESHOLDS), curve, strict=True)),
        "cpu_ms": dict(zip(PARTS, median.round(1).tolist(), strict=True)),
    }


def _area(held: Sequence[tuple[Row, float]], kinds: Sequence[str]) -> str:
    some = [(row, s) for row, s in held if row.kind == "answerable" or row.kind in kinds]
    kind = [row.kind == "answerable" for row, _ in some]
    area = partial(auroc, [s for _, s in some], kind)
    interval = bootstrap_statistic([row.cluster for row, _ in some], area)
    return "–" if interval is None else _interval(interval)


def _at(held: Sequence[tuple[Row, float]], threshold: float) -> list[str]:
    clusters = [row.cluster for row, _ in held]
    refused = np.array([score < threshold for _, score in held], float)
    kinds = np.array([row.kind for row, _ in held])
    bad = kinds != "answerable"
    shares = [(refused * bad, refused), (refused * bad, bad)]
    shares += [(refused * (kinds == kind), kinds == kind) for kind in ("near", "removed")]
    shares.append(((1 - refused) * ~bad, ~bad))
    found = [bootstrap_ratio(clusters, list(a), list(b)) for a, b in shares]
    return ["–" if interval is None else _interval(interval) for interval in found]


def _interval(given: Any) -> str:
    return f"{100 * given.value:.1f} [{100 * given.low:.0f}, {100 * given.high:.0f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    commands = parser.add_subparsers(required=True)
    first = commands.add_parser("measure")
    first.add_argument("folder", type=Path)
    first.add_argument("--home", type=Path, required=True, help="where the sets are ingested")
    first.add_argument("--sets", type=lambda text: tuple(text.split(",")), default=SETS)
    first.add_argument("--out", type=Path, required=True)
    first.set_defaults(run=lambda options: asyncio.run(measure(options)))
    second = commands.add_parser("fit")
    second.add_argument("signals", type=Path)
    second.set_defaults(run=fit)
    third = commands.add_parser("shipped")
    third.add_argument("signals", type=Path)
    third.set_defaults(run=shipped)
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
