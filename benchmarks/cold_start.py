"""Commands from cold processes: how long until they answer, and which imports that takes.

    uv run python -m benchmarks cold-start --home HOME --collection squad

Runs `rag --help`, `rag search` and `rag ask` N times each, every time in a process of its own, on
an index that is there already. A CPU-second is a second of one core: that figure stays comparable
on a busy machine. For `rag ask` the first byte of the answer counts, and "over load" is what passes
beyond opening the chat model, which another process measures. Prints a table, the imports that take
longest on the way to a search (`-X importtime`), then one JSON line.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks._report import finish, median, show, tell

RAG = "import cli.main; cli.main.main()"
# Opens the chat model as `rag ask` does, and says how many seconds that took.
LOAD = """
import asyncio, sys, time
from rag.config import load_settings
from rag.runtime import Runtime
async def main():
    runtime = Runtime(load_settings(home=sys.argv[1]))
    started = time.perf_counter()
    await runtime.engine()
    print(time.perf_counter() - started)
    await runtime.close()
asyncio.run(main())
"""
_IMPORT = re.compile(r"import time:\s+(\d+) \|\s+(\d+) \|( +)(\S+)")


@dataclass(frozen=True, slots=True)
class Start:
    """Of one process: seconds to its first byte on stdout and to its end, and CPU-seconds."""

    first: float
    wall: float
    cpu: float


def run(arguments: Sequence[str]) -> Start:
    """Raises SystemExit if the command fails (3, nothing found, is an answer too)."""
    before, started = os.times(), time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-c", RAG, *arguments], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        process.stdout.read(1)
        first = time.perf_counter() - started
        process.stdout.read()
    wall, after = time.perf_counter() - started, os.times()
    if process.returncode not in (0, 3):
        raise SystemExit(f"rag {' '.join(arguments)}: exit code {process.returncode}")
    cpu = (
        after.children_user + after.children_system - before.children_user - before.children_system
    )
    return Start(first, wall, cpu)


def load_seconds(home: Path) -> float:
    """Seconds that opening the chat model takes in a fresh process, its imports included."""
    done = subprocess.run(
        [sys.executable, "-c", LOAD, str(home)], capture_output=True, text=True, check=True
    )
    return float(done.stdout)


def imports(arguments: Sequence[str], most: int) -> list[tuple[str, float, float]]:
    """(module, own ms, ms with what it imports) of the costliest imports, outermost first."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", RAG, *arguments], capture_output=True, text=True
    )
    found = [
        (name, int(own) / 1000, int(whole) / 1000)
        for own, whole, _, name in _IMPORT.findall(done.stderr)
    ]
    return sorted(found, key=lambda entry: -entry[2])[:most]


def figures(starts: Sequence[Start]) -> dict[str, float]:
    first = [start.first for start in starts]
    return {
        "first_s": median(first),
        "first_spread_s": statistics.pstdev(first),
        "wall_s": median([start.wall for start in starts]),
        "cpu_s": median([start.cpu for start in starts]),
    }


def measure(args: argparse.Namespace) -> None:
    where = ["--home", str(args.home), "--collection", args.collection]
    search = [*where, "search", args.question]
    commands = {"--help": ["--help"], "search": search, "ask": [*where, "ask", args.question]}
    for arguments in commands.values():
        run(arguments)  # writes byte code, imports the models
    starts: dict[str, list[Start]] = {name: [] for name in commands}
    loads: list[float] = []
    for repeat in range(args.repeats):
        tell(f"{repeat + 1}/{args.repeats}")
        loads.append(load_seconds(args.home))
        for name, arguments in commands.items():
            starts[name].append(run(arguments))
    report({name: figures(own) for name, own in starts.items()}, loads, imports(search, 25), args)


def report(
    found: dict[str, dict[str, float]],
    loads: Sequence[float],
    slow: Sequence[tuple[str, float, float]],
    args: argparse.Namespace,
) -> None:
    rows = [[f"rag {name}", *map(_seconds, own.values())] for name, own in found.items()]
    show(
        f"Cold start, median of {args.repeats}, seconds",
        ["command", "first output", "± σ", "end", "CPU"],
        rows,
    )
    load = median(loads)
    over = found["ask"]["first_s"] - load
    show("rag ask", ["", "seconds"], [["load of the chat model", _seconds(load)],
                                      ["first output over load", _seconds(over)]])  # fmt: skip
    show("Imports of rag search, ms", ["module", "own", "with its own"], slow)
    results: dict[str, Any] = {**found, "load_s": load, "ask_over_load_s": over}
    results["imports_ms"] = {name: whole for name, _, whole in slow}
    finish("cold-start", results, repeats=args.repeats)


def _seconds(value: float) -> str:
    return f"{value:.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--home", type=Path, required=True, help="where an index is")
    parser.add_argument("--collection", default="default")
    parser.add_argument("--question", default="When was it founded, and by whom?")
    parser.add_argument("--repeats", type=int, default=5)
    measure(parser.parse_args())


if __name__ == "__main__":
    main()
