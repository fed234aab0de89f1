"""Two kinds of run side by side: the ratio of every figure that both have, with its spread.

    uv run python -m benchmarks compare before.json after.json
    uv run python -m benchmarks compare before1.json,before2.json after1.json,after2.json

A file holds what a benchmark printed; its last line is read. Several runs of one kind, with commas
between, give their median, and the spread of the ratio: its extremes over all pairs of runs. One
run of each has no spread, and on a busy machine no meaning either.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any

from benchmarks._report import finish, median, show

Figures = dict[str, list[float]]


def leaves(value: Any, name: str = "") -> Iterator[tuple[str, float]]:
    """Every number in a result, by its path: "100000.searches.dense.p50_ms"."""
    if isinstance(value, bool):
        return
    if isinstance(value, int | float):
        yield name, float(value)
    parts = value.items() if isinstance(value, dict) else ()
    parts = enumerate(value) if isinstance(value, list) else parts
    for key, part in parts:
        yield from leaves(part, f"{name}.{key}" if name else str(key))


def read(files: Sequence[Path]) -> tuple[str, Figures]:
    """The benchmark's name, and the figures of all runs. Raises SystemExit if names differ."""
    runs = [json.loads(file.read_text(encoding="utf-8").splitlines()[-1]) for file in files]
    names = {run["benchmark"] for run in runs}
    if len(names) != 1:
        raise SystemExit(f"runs of different benchmarks: {', '.join(sorted(names))}")
    figures: Figures = {}
    for run in runs:
        for name, value in leaves(run["results"]):
            figures.setdefault(name, []).append(value)
    return names.pop(), figures


def ratios(before: Sequence[float], after: Sequence[float]) -> tuple[float, float, float] | None:
    """Ratio of the medians, and the least and greatest of any pair; None where one is zero."""
    if not all(before):
        return None
    pairs = [new / old for old, new in product(before, after)]
    return median(after) / median(before), min(pairs), max(pairs)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("before", type=_files)
    parser.add_argument("after", type=_files)
    args = parser.parse_args()
    (name, before), (other, after) = read(args.before), read(args.after)
    if name != other:
        raise SystemExit(f"runs of different benchmarks: {name}, {other}")
    rows, results = [], {}
    for figure in before.keys() & after.keys():
        if (found := ratios(before[figure], after[figure])) is not None:
            results[figure] = found
            spread = f"{found[1]:.2f}–{found[2]:.2f}" if found[1] < found[2] else None
            medians = f"{median(before[figure]):.4g}", f"{median(after[figure]):.4g}"
            rows.append([figure, *medians, f"{found[0]:.2f}", spread])
    show(f"{name}: after / before", ["figure", "before", "after", "ratio", "spread"], sorted(rows))
    finish("compare", dict(sorted(results.items())), of=name)


def _files(text: str) -> list[Path]:
    return [Path(part) for part in text.split(",")]


if __name__ == "__main__":
    main()
