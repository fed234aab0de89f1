"""How well the verifier tells what the passages say from what they do not, on labelled claims.

    uv run python -m benchmarks support --responses FILE… --wice FILE --pairs FILE

`--responses`: lines of {source_id, source, responses} with spans of what is not supported (the
form of RAGTruth); `--wice`: lines of {claim, evidence, label}; `--pairs`: lines of {id, lang, kind,
claim, passages, question, supported}; `--tables`: TAT-QA's form, of whose cells claims are made by
rule, true ones and with another row's or column's value. Every option may name several files.

"Cited" is a claim found supported, "flagged" one found contradicted or not said; between them is
what is worded differently. Intervals are 95%, over sources.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._claim_sets import Labelled, Source, is_held_out, pairs, responses, tables, wice
from benchmarks._report import finish, show, tell
from rag.compute.mlx_runtime import MLXThread
from rag.config import Settings
from rag.evaluation.bootstrap import Floats, Interval, bootstrap_statistic
from rag.types import Finding
from rag.verification.base import Verifier
from rag.verifiers.adapter import BUNDLED
from rag.verifiers.combined import CombinedVerifier
from rag.verifiers.factory import open_reader, open_verifier

_COUNT = 500  # sentences between two lines of progress


@dataclass(frozen=True, slots=True)
class Judged:
    """A claim and what was found of it."""

    source: Source
    labelled: Labelled
    finding: Finding | None  # None: it states nothing, and is not judged

    @property
    def cited(self) -> bool:
        return self.finding == "supported"

    @property
    def flagged(self) -> bool:
        return self.finding in ("contradicted", "not_said")


def judge(sources: Iterable[Source], by: Verifier) -> tuple[list[Judged], float]:
    """And the seconds a claim."""
    found: list[Judged] = []
    seconds = 0.0
    for source in sources:
        claims = [one for one in source.claims if one.claim]
        begin = time.perf_counter()
        texts = [text for text, one in zip(source.texts(), source.claims, strict=True) if one.claim]
        verdicts = by.verify(texts, source.evidence(), source.question)
        seconds += time.perf_counter() - begin
        told = {id(one): v.finding for one, v in zip(claims, verdicts, strict=True)}
        before = len(found) // _COUNT
        found += [Judged(source, one, told.get(id(one))) for one in source.claims]
        if len(found) // _COUNT > before:
            tell(f"{source.set}: {len(found)} claims")
    judged = sum(one.finding is not None for one in found)
    return found, seconds / max(1, judged)


# ── figures ───────────────────────────────────────────────────────────────────────────────────

Test = Callable[[Judged], bool]


def share(found: Sequence[Judged], of: Test, those: Test) -> Interval | None:
    """The share of `those` that are `of`, in percent."""
    chosen = [one for one in found if those(one)]
    values = np.array([100.0 * of(one) for one in chosen])
    return bootstrap_statistic(
        [one.source.id for one in chosen], partial(_mean, values), resamples=1000
    )


def balanced(found: Sequence[Judged], kept: Test) -> Interval | None:
    """The mean of the good ones kept and the bad ones not kept, in percent."""
    good = np.array([one.labelled.good for one in found], dtype=bool)
    hit = np.array([kept(one) for one in found], dtype=bool)
    return bootstrap_statistic(
        [one.source.id for one in found], partial(_balanced, good, hit), resamples=1000
    )


def _mean(values: Floats, weights: Floats) -> float:
    total = weights.sum()
    return float(weights @ values / total) if total else float("nan")


def _balanced(good: Any, kept: Any, weights: Floats) -> float:
    positives, negatives = weights @ good, weights @ ~good
    if not positives or not negatives:
        return float("nan")
    return float(50 * (weights @ (good & kept) / positives + weights @ (~good & ~kept) / negatives))


def _good(one: Judged) -> bool:
    return one.labelled.good


def _bad(one: Judged) -> bool:
    return not one.labelled.good


def _cited(one: Judged) -> bool:
    """What states nothing has no marker and no warning either: it counts as kept."""
    return one.cited or one.finding is None


def _unflagged(one: Judged) -> bool:
    return not one.flagged


def sentence_figures(found: Sequence[Judged]) -> dict[str, Interval | None]:
    return {
        "balanced_accuracy": balanced(found, _cited),
        "balanced_accuracy_flagged": balanced(found, _unflagged),
        "good_kept": share(found, _cited, _good),
        "good_unflagged": share(found, _unflagged, _good),
        "cited_free_of_label": share(found, _good, lambda one: one.cited),
        "flagged_precision": share(found, _bad, lambda one: one.flagged),
        "bad_flagged": share(found, lambda one: one.flagged, _bad),
    }


def pair_figures(found: Sequence[Judged]) -> dict[str, Interval | None]:
    return {
        "false_caught": share(found, lambda one: not one.cited, _bad),
        "false_flagged": share(found, lambda one: one.flagged, _bad),
        "false_contradicted": share(found, lambda one: one.finding == "contradicted", _bad),
        "true_kept": share(found, lambda one: one.cited, _good),
        "true_unflagged": share(found, _unflagged, _good),
    }


# ── report ────────────────────────────────────────────────────────────────────────────────────


def sentences(name: str, found: Sequence[Judged], seconds: float) -> dict[str, Any]:
    figures = sentence_figures(found)
    bad = sum(not one.labelled.good for one in found)
    results: dict[str, Any] = {
        "claims": len(found),
        "unsupported": bad,
        "no_claims": sum(one.finding is None for one in found),
        "ms_a_claim": round(1000 * seconds, 2),
    } | {key: _plain(value) for key, value in figures.items()}
    rows = [[key.replace("_", " "), _told(value)] for key, value in figures.items()]
    rows.append(["ms a claim", f"{1000 * seconds:.1f}"])
    show(f"{name}: {len(found)} sentences, {bad} not supported", ["", "% [95%]"], rows)
    return results


def falsified(name: str, sources: Sequence[Source], by: Verifier) -> dict[str, Any]:
    found, seconds = judge(sources, by)
    results: dict[str, Any] = {
        "claims": len(found),
        "false": sum(map(_bad, found)),
        "ms_a_claim": round(1000 * seconds, 2),
    } | {key: _plain(value) for key, value in pair_figures(found).items()}
    for field in ("language", "kind"):
        groups = sorted({getattr(one.labelled, field) for one in found} - {""})
        parts = {
            group: [one for one in found if getattr(one.labelled, field) == group]
            for group in groups
        }
        results[f"by_{field}"] = {
            group: {"claims": len(part)}
            | {key: _plain(value) for key, value in pair_figures(part).items()}
            for group, part in parts.items()
        }
        rows = [
            [group, len(part), *map(_told, pair_figures(part).values())]
            for group, part in {**parts, "all": found}.items()
        ]
        columns = ["caught", "flagged", "contradicted", "true kept", "true unflagged"]
        show(f"{name}, by {field}, % [95%]", [field, "n", *columns], rows)
    wrong = [one.labelled.id for one in found if one.cited != one.labelled.good]
    results["wrong"] = wrong[:200]
    return results


def _plain(value: Interval | None) -> dict[str, float] | None:
    if value is None:
        return None
    return {
        "value": round(value.value, 1),
        "low": round(value.low, 1),
        "high": round(value.high, 1),
    }


def _told(value: Interval | None) -> str:
    return "–" if value is None else f"{value.value:.1f} [{value.low:.0f}, {value.high:.0f}]"


def _verifier(name: str, adapter: Path) -> Verifier:
    if name == "auto":
        return CombinedVerifier(open_reader(Settings(), MLXThread(), adapter))
    return open_verifier(Settings(verifier=name), MLXThread())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    for option in ("responses", "wice", "pairs", "tables"):
        parser.add_argument(f"--{option}", type=Path, nargs="+", action="extend", default=[])
    parser.add_argument("--verifier", default="auto", help="as the setting: a classifier too")
    parser.add_argument("--adapter", type=Path, default=BUNDLED, help="other weights to read with")
    parser.add_argument(
        "--held-out", action="store_true", help="only what train_verifier.py held out"
    )
    given = parser.parse_args()
    if not (given.responses or given.wice or given.pairs or given.tables):
        parser.error("name a file: --responses, --wice, --pairs or --tables")
    by = _verifier(given.verifier, given.adapter)
    results: dict[str, Any] = {}
    prose: list[Judged] = []
    for path in given.responses:
        sources = [s for s in responses(path) if not given.held_out or is_held_out(s.id)]
        found, seconds = judge(sources, by)
        results[path.stem] = sentences(path.stem, found, seconds)
        prose += found if "data2txt" not in path.stem else []
    if len({one.source.set for one in prose}) > 1:
        results["prose"] = sentences("QA + summary", prose, seconds)
    if given.wice:
        sources = [
            source
            for path in given.wice
            for number, source in enumerate(wice(path))
            if not given.held_out or is_held_out(f"wice-{number}")
        ]
        results["wice"] = sentences("WiCE", *judge(sources, by))
    if given.pairs:
        sources = [source for path in given.pairs for source in pairs(path)]
        results["pairs"] = falsified("Pairs", sources, by)
    if given.tables:
        sources = [source for path in given.tables for source in tables(path)]
        results["tables"] = falsified("Tables", sources, by)
    finish("support", results, verifier=given.verifier)


if __name__ == "__main__":
    main()
