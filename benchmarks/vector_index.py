"""Nearest neighbours of clustered vectors: latency and recall of each kind of index, by table size.

    uv run python -m benchmarks.vector_index --rows 100000

Vectors are unit length and overlap as those of texts do: few directions hold most of the variance,
and clusters of power-law sizes run into each other. Queries lie as far from a stored vector as
questions do from their passage (cosine about 0.7). Each search asks for as many as retrieval does;
the truth is a flat search. "one document" filters to 1 % of the rows, before the search, as `--doc`
does. Prints a table, then one JSON line.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks._report import finish, median, show, tell

LIMIT = 100  # RetrievalPlan.candidates
DOCUMENTS = 100
FILTER = "document_id = 'd7'"


def clustered(rows: int, dimensions: int, chance: np.random.Generator) -> np.ndarray:
    """One centre for about 200 rows; the variance of direction i falls as 1/√i."""
    spread = (np.arange(1, dimensions + 1) ** -0.5).astype(np.float32)
    centres = chance.standard_normal((max(8, rows // 200), dimensions), dtype=np.float32)
    weights = 1 / np.arange(1, len(centres) + 1) ** 0.7
    which = chance.choice(len(centres), rows, p=weights / weights.sum())
    own = chance.standard_normal((rows, dimensions), dtype=np.float32)
    return unit((0.7 * centres[which] + own) * spread)


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


async def make_table(folder: str, vectors: np.ndarray) -> Any:
    import lancedb

    connection = await lancedb.connect_async(Path(folder, "lance"))
    ids = [f"d{i % DOCUMENTS}" for i in range(len(vectors))]
    column = pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), vectors.shape[1])
    rows = pa.table({"id": range(len(vectors)), "document_id": ids, "vector": column})
    return await connection.create_table("chunks", rows)


async def search(
    table: Any, queries: np.ndarray, where: str | None, **options: int
) -> tuple[list[list[int]], float]:
    """Ids found by each query, and the median milliseconds of one."""
    found, spent = [], []
    for vector in queries:
        query = (
            table.query()
            .nearest_to(vector)
            .distance_type("cosine")
            .limit(LIMIT)
            .select(["id", "_distance"])
        )
        if where is not None:
            query = query.where(where)
        for name, value in options.items():
            query = getattr(query, name)(value)
        started = time.perf_counter()
        rows = await query.to_arrow()
        spent.append(1000 * (time.perf_counter() - started))
        found.append(rows["id"].to_pylist())
    return found, median(spent)


def recall(found: Sequence[list[int]], truth: Sequence[list[int]], k: int) -> float:
    """The share of the k nearest that the search found among its k."""
    pairs = [(set(a[:k]), set(b[:k])) for a, b in zip(found, truth, strict=True)]
    return float(np.mean([len(a & b) / max(1, len(b)) for a, b in pairs]))


def indexes(rows: int) -> dict[str, tuple[Any, list[dict[str, int]]]]:
    from lancedb.index import HnswSq, IvfFlat, IvfSq

    parts = max(1, rows // 4096)
    graph = [{"nprobes": 1, "ef": ef, "refine_factor": 2} for ef in (200, 400)]
    probes = [{"nprobes": n} for n in (5, 10, 20, 40)]
    return {
        "IVF_FLAT": (IvfFlat(distance_type="cosine", num_partitions=parts), probes),
        "IVF_SQ": (
            IvfSq(distance_type="cosine", num_partitions=parts),
            [{**probe, "refine_factor": 2} for probe in probes],
        ),
        "IVF_HNSW_SQ": (HnswSq(distance_type="cosine", num_partitions=1), graph),
    }


async def measure(args: argparse.Namespace) -> None:
    chance = np.random.default_rng(0)
    vectors = clustered(args.rows, args.dimensions, chance)
    near = vectors[chance.choice(args.rows, args.queries, replace=False)]
    noise = 0.7 * unit(chance.standard_normal(near.shape, dtype=np.float32))
    queries = unit(near + noise).astype(np.float32)
    results: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        table = await make_table(folder, vectors)
        truth, ms = await search(table, queries, None)
        own_truth, own_ms = await search(table, queries, FILTER)
        results.append({"index": "flat", "build_s": 0.0, "ms": round(ms, 2), "recall@10": 1.0,
                        "recall@100": 1.0, "filtered_ms": round(own_ms, 2),
                        "filtered_recall@10": 1.0})  # fmt: skip
        for name, (config, choices) in indexes(args.rows).items():
            if name not in args.kinds.split(","):
                continue
            tell(f"{name}: building")
            started = time.perf_counter()
            await table.create_index("vector", config=config, name="v", replace=True)
            built = time.perf_counter() - started
            for options in choices:
                found, ms = await search(table, queries, None, **options)
                own, own_ms = await search(table, queries, FILTER, **options)
                results.append(
                    {
                        "index": f"{name} {_shown(options)}",
                        "build_s": round(built, 1),
                        "ms": round(ms, 2),
                        "recall@10": recall(found, truth, 10),
                        "recall@100": recall(found, truth, 100),
                        "filtered_ms": round(own_ms, 2),
                        "filtered_recall@10": recall(own, own_truth, 10),
                    }
                )
                tell(str(results[-1]))
    report(results, args)


def _shown(options: dict[str, int]) -> str:
    return " ".join(f"{key}={value}" for key, value in options.items())


def report(results: list[dict[str, Any]], args: argparse.Namespace) -> None:
    columns = ["index", "build s", "ms", "recall@10", "@100", "one document ms", "recall@10"]
    rows = [[str(value) for value in row.values()] for row in results]
    show(f"{args.rows:,} vectors, {args.dimensions} dimensions", columns, rows)
    finish("vector-index", {"searches": results}, rows=args.rows, dimensions=args.dimensions)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--dimensions", type=int, default=384)
    parser.add_argument("--queries", type=int, default=50)
    parser.add_argument("--kinds", default="IVF_FLAT,IVF_SQ,IVF_HNSW_SQ")
    asyncio.run(measure(parser.parse_args()))


if __name__ == "__main__":
    main()
