"""How much words count beside the model's reading: a logistic regression on held-out claims."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks._claim_sets import Source, is_held_out, responses, wice
from benchmarks._report import show
from rag.compute.mlx_runtime import MLXThread
from rag.config import Settings
from rag.verification.evidence_windows import field_share, window
from rag.verification.support import Judge
from rag.verifiers.combined import DATA_SHARE
from rag.verifiers.entailment import EntailmentReader
from rag.verifiers.factory import open_reader

Floats = npt.NDArray[np.float64]
_PENALTY = 2.0  # of the squared weights
_STEPS = 30


def weigh(adapter: Path, claims: Path) -> dict[str, Any]:
    """Weights of reading, share and bias, for prose and for data."""
    reader = open_reader(Settings(), MLXThread(), adapter)
    rows = [row for source in _held_out(claims) for row in _rows(source, reader)]
    found: dict[str, Any] = {}
    for name, data in (("prose", False), ("data", True)):
        own = [(x, good, group) for x, good, group, is_data in rows if is_data == data]
        x = np.array([row[0] for row in own])
        good = np.array([row[1] for row in own])
        weights = fitted(x, good, _balance(good, [row[2] for row in own]))
        found[name] = {"claims": len(own), "false": int((~good).sum())} | dict(
            zip(("reading", "share", "bias"), weights.round(2).tolist(), strict=True)
        )
    columns = ["claims", "false", "reading", "share", "bias"]
    rows_shown = [[name, *(found[name][column] for column in columns)] for name in found]
    show("Weights of combined.py", ["passages", *columns], rows_shown)
    return found


def _held_out(claims: Path) -> Iterator[Source]:
    for file in sorted(claims.glob("ragtruth_*.jsonl")):
        yield from (source for source in responses(file) if is_held_out(source.id))
    for number, source in enumerate(wice(claims / "wice_dev.jsonl")):
        if is_held_out(f"wice-{number}"):
            yield source


def _rows(
    source: Source, reader: EntailmentReader
) -> Iterator[tuple[tuple[float, float, float], bool, str, bool]]:
    evidence = source.evidence()
    judge, data = Judge(evidence, source.question), field_share(evidence) > DATA_SHARE
    said = [
        (text.text, one.good)
        for text, one in zip(source.texts(), source.claims, strict=True)
        if one.claim
    ]
    readings = reader.read([(text, window(text, evidence).text) for text, _ in said])
    for (text, good), reading in zip(said, readings, strict=True):
        yield (reading.log_odds, judge.verdict_and_share(text)[1], 1.0), good, source.set, data


def _balance(good: npt.NDArray[np.bool_], sets: list[str]) -> Floats:
    """True and false claims of each set count the same together."""
    weights = np.zeros(len(good))
    for name in set(sets):
        inside = np.array([one == name for one in sets])
        for side in (good, ~good):
            if (inside & side).any():
                weights[inside & side] = 1 / (inside & side).sum()
    return weights * len(good) / weights.sum()


def fitted(x: Floats, good: npt.NDArray[np.bool_], weights: Floats) -> Floats:
    """The weights of a logistic regression, by Newton's method; the last column is the bias."""
    penalty = _PENALTY * np.eye(x.shape[1])
    penalty[-1, -1] = 0
    found = np.zeros(x.shape[1])
    for _ in range(_STEPS):
        likely = 1 / (1 + np.exp(-(x @ found)))
        slope = x.T @ (weights * (good - likely)) - penalty @ found
        curve = (x * (weights * likely * (1 - likely))[:, None]).T @ x + penalty
        found += np.linalg.solve(curve, slope)
    return found
