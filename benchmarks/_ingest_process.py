"""One ingest in a process of its own, so that it can be watched, timed and killed.

    python -m benchmarks._ingest_process HOME WORKERS real|fake|slow PATH…

Prints "ready" when everything is imported, then events of the ingest as JSON lines. With the real
embedder a last line tells how fast the same texts are embedded when nothing else runs.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

from rag.config import Settings
from rag.embedders.base import Embedder, Vectors
from rag.events import Summary
from rag.ingest.run import EMBED_CHUNKS
from rag.jsonable import to_json
from rag.pipeline import Pipeline, open_pipeline
from rag.runtime import Runtime
from rag.testing import FakeEmbedder


class FlatEmbedder(FakeEmbedder):
    """Costs nothing: what remains is everything but the model."""

    async def embed_documents(self, texts: list[str]) -> Vectors:  # type: ignore[override]
        return (await super().embed_documents([text[:40] for text in texts])).copy()


class SlowEmbedder(FakeEmbedder):
    """Slow enough that a kill finds every stage at work."""

    async def embed_documents(self, texts: list[str]) -> Vectors:  # type: ignore[override]
        await asyncio.sleep(0.002 * len(texts))
        return await super().embed_documents(texts)


EMBEDDERS = {"real": None, "fake": FlatEmbedder, "slow": SlowEmbedder}


async def ingest(home: Path, workers: int, kind: str, paths: list[Path]) -> None:
    settings = Settings(home=home, workers=workers)
    make = EMBEDDERS[kind]
    runtime = Runtime(settings, embedder=make() if make else None)
    async with open_pipeline(settings, runtime) as pipeline:
        print("ready", flush=True)
        async for event in pipeline.ingest(paths):
            if event.kind in ("progress", "summary", "failed"):
                print(to_json(event), flush=True)
            if isinstance(event, Summary) and kind == "real" and event.chunks:
                print(json.dumps(await _alone(pipeline)), flush=True)
    await runtime.close()


async def _alone(pipeline: Pipeline) -> dict[str, object]:
    """The same texts in the same order and batches, with nothing beside it."""
    store, embedder = await pipeline.store(), await pipeline.embedder()
    chunks = [c for d in (await store.snapshot()).by_id for c in await store.chunks(d)]
    texts = list(dict.fromkeys(chunk.content for chunk in chunks))
    wall, cpu = await _timed(embedder, texts)
    return {"kind": "alone", "chunks": len(texts), "seconds": wall, "cpu_seconds": cpu}


async def _timed(embedder: Embedder, texts: list[str]) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    for start in range(0, len(texts), EMBED_CHUNKS):
        await embedder.embed_documents(texts[start : start + EMBED_CHUNKS])
    return time.perf_counter() - wall, time.process_time() - cpu


if __name__ == "__main__":
    home, workers, kind, *paths = sys.argv[1:]
    asyncio.run(ingest(Path(home), int(workers), kind, [Path(path) for path in paths]))
