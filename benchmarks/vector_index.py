"""Nearest neighbours of clustered vectors: cost and recall of each kind of index, by table size.

    uv run python -m benchmarks vector-index --rows 100000
    uv run python -m benchmarks vector-index --rows 1000000 --kinds IVF_FLAT,IVF_SQ,IVF_RQ

Vectors overlap as those of texts do (benchmarks/_corpus.py), and queries lie as far from a stored
vector as questions do from their passage (cosine about 0.7). Each search asks for as many as
retrieval does; the truth is a flat search. "filtered" is to 1 % of the rows, before the search, as
`--doc` does. Prints a table, then one JSON line.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks._corpus import Clusters, unit
from benchmarks._report import finish, median, show, tell
from rag.evaluation.summary import latency_of
from rag.retrieval.fusion import RetrievalPlan

LIMIT = RetrievalPlan().candidates
DOCUMENTS = 100
FILTER = "document_id = 'd7'"
ROWS_AT_ONCE = 50_000


async def make_table(folder: str, clusters: Clusters, rows: int) -> Any:
    import lancedb

    connection = await lancedb.connect_async(Path(folder, "lance"))
    table = None
    for start in range(0, rows, ROWS_AT_ONCE):
        numbers = np.arange(start, min(start + ROWS_AT_ONCE, rows))
        vectors = clusters.draw(len(numbers), np.random.default_rng((1, start)))
        column = pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), vectors.shape[1])
        ids = [f"d{number % DOCUMENTS}" for number in numbers]
        part = pa.table({"id": numbers, "document_id": ids, "vector": column})
        if table is None:
            table = await connection.create_table("chunks", part)
        else:
            await table.add(part)
    return table


async def draw_queries(table: Any, rows: int, count: int) -> np.ndarray:
    """Float32 of shape (count, dimensions), each near a stored vector."""
    chance = np.random.default_rng(2)
    chosen = sorted(chance.choice(rows, count, replace=False).tolist())
    stored = await table.take_offsets(chosen).select(["vector"]).to_arrow()
    near = np.array(stored["vector"].to_pylist(), dtype=np.float32)
    away = unit(chance.standard_normal(near.shape, dtype=np.float32))
    return unit(near + 0.7 * away).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Taken:
    """Ids found by each query, and what one takes in milliseconds: wall median and 95th percentile,
    CPU median."""

    found: list[list[int]]
    median: float
    p95: float
    cpu: float


async def search(
    table: Any, queries: np.ndarray, where: str | None, options: Mapping[str, int]
) -> Taken:
    found, wall, cpu = [], [], []
    for vector in (queries[0], *queries):
        query = table.query().nearest_to(vector).distance_type("cosine").limit(LIMIT)
        query = query.select(["id", "_distance"])
        if where is not None:
            query = query.where(where)
        for name, value in options.items():
            query = getattr(query, name)(value)
        started = time.perf_counter(), time.process_time()
        rows = await query.to_arrow()
        wall.append(1000 * (time.perf_counter() - started[0]))
        cpu.append(1000 * (time.process_time() - started[1]))
        found.append(rows["id"].to_pylist())
    latency = latency_of(wall[1:])  # the first query warmed it up
    assert latency is not None
    return Taken(found[1:], latency.median, latency.p95, median(cpu[1:]))


def recall(found: Sequence[list[int]], truth: Sequence[list[int]], k: int) -> float:
    """The share of the k nearest that the search found among its k."""
    pairs = [(set(a[:k]), set(b[:k])) for a, b in zip(found, truth, strict=True)]
    return float(np.mean([len(a & b) / max(1, len(b)) for a, b in pairs]))


def indexes(rows: int, a_partition: int) -> dict[str, tuple[Any, list[dict[str, int]]]]:
    """Each kind of index, and how it is searched."""
    from lancedb.index import HnswSq, IvfFlat, IvfPq, IvfRq, IvfSq

    ivf = {"distance_type": "cosine", "num_partitions": max(1, rows // a_partition)}
    probes = [{"nprobes": n} for n in (10, 20, 40, 80)]
    refined = [{**probe, "refine_factor": n} for probe in probes[1:] for n in (1, 2)]
    far = [{**probe, "refine_factor": n} for probe in probes[1:] for n in (2, 5)]
    graph = [
        {"nprobes": 1, "ef": ef, "refine_factor": n} for n, ef in ((1, 200), (2, 400), (2, 800))
    ]
    return {
        "IVF_FLAT": (IvfFlat(**ivf), probes),
        "IVF_SQ": (IvfSq(**ivf), refined),
        "IVF_PQ": (IvfPq(**ivf, num_sub_vectors=48), far),
        "IVF_RQ": (IvfRq(**ivf), far),
        "IVF_RQ4": (IvfRq(**ivf, num_bits=4), refined),
        "HNSW_SQ": (HnswSq(distance_type="cosine", num_partitions=1), graph),
    }


async def measure(args: argparse.Namespace) -> None:
    clusters = Clusters(args.rows, args.dimensions, np.random.default_rng(0))
    results: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        table = await make_table(folder, clusters, args.rows)
        queries = await draw_queries(table, args.rows, args.queries)
        truth = await search(table, queries, None, {}), await search(table, queries, FILTER, {})
        results.append(line("flat", (0.0, 0.0, 0.0), truth, truth))
        kinds = indexes(args.rows, args.a_partition)
        for name in args.kinds or kinds:
            tell(f"{name}: building")
            config, choices = kinds[name]
            built = await build(table, config)
            for options in choices:
                taken = [await search(table, queries, where, options) for where in (None, FILTER)]
                results.append(line(f"{name} {_shown(options)}", built, taken, truth))
                tell(str(results[-1]))
    report(results, args)


async def build(table: Any, config: Any) -> tuple[float, float, float]:
    """Seconds by the clock and of CPU, and megabytes of the index."""
    started = time.perf_counter(), time.process_time()
    await table.create_index("vector", config=config, name="v", replace=True)
    wall, cpu = time.perf_counter() - started[0], time.process_time() - started[1]
    (index,) = await table.list_indices()
    return wall, cpu, (index.size_bytes or 0) / 1e6


def line(
    name: str, built: tuple[float, float, float], taken: Sequence[Taken], truth: Sequence[Taken]
) -> dict[str, Any]:
    everywhere, filtered = taken
    return {
        "index": name,
        **dict(zip(("build_s", "build_cpu_s", "mb"), (round(x, 1) for x in built), strict=True)),
        "ms": round(everywhere.median, 1),
        "p95_ms": round(everywhere.p95, 1),
        "cpu_ms": round(everywhere.cpu, 1),
        "recall@10": round(recall(everywhere.found, truth[0].found, 10), 3),
        f"recall@{LIMIT}": round(recall(everywhere.found, truth[0].found, LIMIT), 3),
        "filtered_cpu_ms": round(filtered.cpu, 1),
        "filtered_recall@10": round(recall(filtered.found, truth[1].found, 10), 3),
    }


def _shown(options: dict[str, int]) -> str:
    return " ".join(f"{key}={value}" for key, value in options.items())


def report(results: list[dict[str, Any]], args: argparse.Namespace) -> None:
    rows = [[str(value) for value in row.values()] for row in results]
    show(f"{args.rows:,} vectors, {args.dimensions} dimensions", list(results[0]), rows)
    about = {"dimensions": args.dimensions, "rows_a_partition": args.a_partition}
    finish("vector-index", {"searches": results}, rows=args.rows, **about)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--dimensions", type=int, default=384)
    parser.add_argument("--queries", type=int, default=50)
    parser.add_argument("--a-partition", type=int, default=4096, help="rows of a partition")
    parser.add_argument("--kinds", type=_names, help="a,b: default all")
    parser.add_argument("--folder", type=Path, help="where the table is written, for as long")
    asyncio.run(measure(parser.parse_args()))


def _names(text: str) -> list[str]:
    return text.split(",")


if __name__ == "__main__":
    main()
