"""Commands from cold processes: how long until they answer, and which imports that takes.

    uv run python -m benchmarks cold-start --home HOME --collection squad

Runs `rag --help`, `rag search` and `rag ask` N times in turn, every time in a process of its own,
on an index that is there already. A CPU-second is a second of one core: that figure stays
comparable on a busy machine. For `rag ask` the first token counts, and "over load" is what passes
beyond opening the chat model, which another process measures in the same round: finding the
passages and reading the prompt. Prints a table, the imports that take longest on the way to a
search (`-X importtime`), then one JSON line.

`--against TREE` runs every command in another checkout of this program too, in turn with this one,
and adds what the other's median is more by.

Byte code is kept from a first run that does not count, in a folder that goes afterwards. With
`--no-bytecode` every process compiles all that it imports, as it does wherever
PYTHONDONTWRITEBYTECODE is set.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks._report import finish, median, show, tell
from cli.edge import Code

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


Environment = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Start:
    """Of one process: seconds to its first output and to its end, and CPU-seconds.

    Of `rag ask` the first output is the first token; `found` is when it had its passages.
    """

    first: float
    wall: float
    cpu: float
    found: float | None = None


def run(arguments: Sequence[str], environment: Environment, tree: Path) -> Start:
    """Runs the program of `tree`. Raises SystemExit if the command fails (that nothing was found is
    an answer too)."""
    before, started = os.times(), time.perf_counter()
    first: dict[str, float] = {}
    with subprocess.Popen(
        [sys.executable, "-c", RAG, *arguments],
        env=environment,
        cwd=tree,  # where "-c" imports from first
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            kind = json.loads(line)["kind"] if "ask" in arguments else "output"
            first.setdefault(kind, time.perf_counter() - started)
    wall, after = time.perf_counter() - started, os.times()
    output = first.get("delta" if "ask" in arguments else "output")
    if process.returncode not in (0, Code.NOTHING_FOUND) or output is None:
        raise SystemExit(
            f"rag {' '.join(arguments)}: exit code {process.returncode}, nothing to measure"
        )
    cpu = (
        after.children_user + after.children_system - before.children_user - before.children_system
    )
    return Start(output, wall, cpu, first.get("retrieved"))


def load_seconds(home: Path, environment: Environment) -> float:
    """Seconds that opening the chat model takes in a fresh process, its imports included."""
    done = subprocess.run(
        [sys.executable, "-c", LOAD, str(home)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout)


def imports(
    arguments: Sequence[str], environment: Environment, most: int
) -> list[tuple[str, float, float]]:
    """(module, own ms, ms with what it imports) of the costliest imports, outermost first."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", RAG, *arguments],
        env=environment,
        capture_output=True,
        text=True,
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
    where = ["--home", str(args.home.absolute()), "--collection", args.collection]
    search = [*where, "search", "--local", args.question]
    ask = [*where, "ask", "--local", "--json", "--max-tokens", "8", args.question]
    commands = {"--help": ["--help"], "search": search, "ask": ask}
    trees = [Path(__file__).parents[1], *filter(None, [args.against])]
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": folder}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        if args.no_bytecode:
            environment["PYTHONDONTWRITEBYTECODE"] = "1"
        for arguments in commands.values():
            for tree in trees:
                run(arguments, environment, tree)  # keeps byte code, imports the models
        starts: dict[str, list[list[Start]]] = {name: [[] for _ in trees] for name in commands}
        loads: list[float] = []
        for repeat in range(args.repeats):
            tell(f"{repeat + 1}/{args.repeats}")
            loads.append(load_seconds(args.home, environment))
            for name, arguments in commands.items():
                for tree, own in zip(trees, starts[name], strict=True):
                    own.append(run(arguments, environment, tree))
        if args.against:
            compare({name: (own[0], own[1]) for name, own in starts.items()})
        own_starts = {name: own[0] for name, own in starts.items()}
        report(own_starts, loads, imports(search, environment, 25), args)


def compare(starts: Mapping[str, tuple[Sequence[Start], Sequence[Start]]]) -> None:
    """Prints the medians of both trees and of their differences in the same round."""
    rows: list[list[str]] = []
    for name, (own, other) in starts.items():
        for what in ("found", "first", "wall", "cpu"):
            ours = [getattr(start, what) for start in own]
            theirs = [getattr(start, what) for start in other]
            if None in ours or None in theirs:
                continue
            more = [b - a for a, b in zip(ours, theirs, strict=True)]
            cells = map(_seconds, (median(ours), median(theirs), median(more)))
            less = sum(difference < 0 for difference in more)
            rows.append([f"rag {name}, {what}", *cells, f"{less} of {len(more)}"])
    show("Against the other tree, seconds", ["", "this", "other", "more", "other less"], rows)


def report(
    starts: Mapping[str, Sequence[Start]],
    loads: Sequence[float],
    slow: Sequence[tuple[str, float, float]],
    args: argparse.Namespace,
) -> None:
    found = {name: figures(own) for name, own in starts.items()}
    show(
        f"Cold start, median of {args.repeats}, seconds",
        ["command", "first output", "± σ", "end", "CPU"],
        [[f"rag {name}", *map(_seconds, own.values())] for name, own in found.items()],
    )
    ask = {
        "load_s": median(loads),
        "found_s": median([start.found for start in starts["ask"] if start.found is not None]),
        "over_load_s": median(
            [start.first - load for start, load in zip(starts["ask"], loads, strict=True)]
        ),
    }
    named = ["load of the chat model alone", "passages found", "first token over load"]
    rows = [[name, _seconds(value)] for name, value in zip(named, ask.values(), strict=True)]
    show("rag ask", ["", "seconds"], rows)
    show("Imports of rag search, ms", ["module", "own", "with its own"], slow)
    results: dict[str, Any] = {**found, "ask": {**found["ask"], **ask}}
    results["imports_ms"] = {name: whole for name, _, whole in slow}
    finish("cold-start", results, repeats=args.repeats, bytecode=not args.no_bytecode)


def _seconds(value: float) -> str:
    return f"{value:.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--home", type=Path, required=True, help="where an index is")
    parser.add_argument("--collection", default="default")
    parser.add_argument("--question", default="When was it founded, and by whom?")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--against", type=Path, help="another checkout, run in turn with this one")
    parser.add_argument(
        "--no-bytecode", action="store_true", help="compile all imports in every process"
    )
    measure(parser.parse_args())


if __name__ == "__main__":
    main()
