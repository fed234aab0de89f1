"""The benchmark tool: what it compares, and that each of its names leads somewhere."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from benchmarks.__main__ import BENCHMARKS
from benchmarks.compare import leaves, ratios, read

ROOT = Path(__file__).resolve().parent.parent


def run_file(path: Path, benchmark: str, **results: object) -> Path:
    line = json.dumps({"benchmark": benchmark, "results": results})
    path.write_text(f"a table\n\n{line}\n", encoding="utf-8")
    return path


def test_the_figures_of_several_runs_come_together(tmp_path: Path) -> None:
    files = [run_file(tmp_path / f"{ms}.json", "scale", search={"ms": ms}) for ms in (2, 4)]
    assert read(files) == ("scale", {"search.ms": [2.0, 4.0]})


def test_every_number_has_a_path_and_nothing_else_has() -> None:
    found = dict(leaves({"a": [1, {"b": 2.5}], "same": True, "name": "x", "none": None}))
    assert found == {"a.0": 1.0, "a.1.b": 2.5}


def test_a_ratio_spans_all_pairs_of_runs() -> None:
    assert ratios([2.0, 4.0], [6.0]) == (2.0, 1.5, 3.0)
    assert ratios([0.0], [1.0]) is None


def test_runs_of_different_benchmarks_are_not_compared(tmp_path: Path) -> None:
    files = [run_file(tmp_path / f"{name}.json", name, ms=1) for name in ("scale", "serve")]
    with pytest.raises(SystemExit, match="scale, serve"):
        read(files)


def test_the_tool_names_every_benchmark_and_no_other() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    listed = {line.split()[0] for line in done.stdout.splitlines() if line.startswith("  ")}
    there = {name for name, (m, _) in BENCHMARKS.items() if find_spec(f"benchmarks.{m}")}
    assert there <= listed
    modules = {f.stem for f in (ROOT / "benchmarks").glob("[a-z]*.py")}
    assert modules <= {module for module, _ in BENCHMARKS.values()}
