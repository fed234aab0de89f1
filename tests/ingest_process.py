"""A process to be killed while it ingests, with the fake embedder."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from rag.config import Settings
from rag.embedders.base import Vectors
from rag.pipeline import open_pipeline
from rag.runtime import Runtime
from rag.testing import FakeEmbedder


class SlowEmbedder(FakeEmbedder):
    """Slow enough that a kill finds every stage at work."""

    async def embed_documents(self, texts: list[str]) -> Vectors:  # type: ignore[override]
        await asyncio.sleep(0.002 * len(texts))
        return await super().embed_documents(texts)


def pipeline_settings(home: Path) -> Settings:
    return Settings(home=home, cache=home / "cache", workers=1, chunk_tokens=32)


async def ingest(home: Path, folder: Path) -> None:
    settings = pipeline_settings(home)
    runtime = Runtime(settings, embedder=SlowEmbedder())
    async with open_pipeline(settings, runtime) as pipeline:
        print("ready", flush=True)
        async for event in pipeline.ingest([folder]):
            print(event.kind, flush=True)
    await runtime.close()


if __name__ == "__main__":
    asyncio.run(ingest(Path(sys.argv[1]), Path(sys.argv[2])))
