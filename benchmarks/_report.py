"""How every benchmark reports: tables for people, then one JSON line; and on what machine."""

from __future__ import annotations

import json
import os
import platform
import statistics
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

_PACKAGES = ("mlx", "vllm-mlx", "mlx-embeddings", "lancedb", "pymupdf")


def show(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A table on stdout: the first column to the left, figures to the right."""
    cells = [[_cell(value) for value in row] for row in rows]
    lines = [list(columns), *cells]
    widths = [max(len(line[i]) for line in lines) for i in range(len(columns))]
    print(f"\n{title}")
    for number, line in enumerate(lines):
        first, *others = (text.rjust(width) for text, width in zip(line, widths, strict=True))
        print("  ".join([line[0].ljust(len(first)), *others]))
        if number == 0:
            print("  ".join("─" * width for width in widths))
    sys.stdout.flush()


def finish(benchmark: str, results: Mapping[str, Any], **about: object) -> None:
    """The last line of every benchmark: all of it as one JSON object."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    head = {"benchmark": benchmark, "date": now, "machine": machine(), **about}
    print("\n" + json.dumps({**head, "results": results}, ensure_ascii=False))


def tell(line: str) -> None:
    """Progress, on stderr."""
    print(line, file=sys.stderr, flush=True)


def machine() -> dict[str, Any]:
    """What the times depend on. Names no host and no user."""
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in _PACKAGES},
    }


def median(values: Sequence[float]) -> float:
    """NaN of nothing, so that a table can still be printed."""
    return statistics.median(values) if values else float("nan")


def ratio(new: float, base: float) -> str:
    """ "2.1x": how many times base goes into new."""
    return f"{new / base:.1f}x" if base else "–"


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:  # a GPU machine may have no more than the benchmark needs
        return None


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:  # noqa: PTH123 - not a path of ours
            names = [line.partition(":")[2].strip() for line in file if "model name" in line]
    except OSError:
        names = []
    return names[0] if names else platform.processor()


def _cell(value: object) -> str:
    if value is None:
        return "–"
    return f"{value:.1f}" if isinstance(value, float) else str(value)
