"""Ours, for benchmarks/peers.py: defaults throughout."""

from __future__ import annotations

import asyncio
from pathlib import Path

from benchmarks._peer import Place, serve
from rag.config import Settings
from rag.events import Summary
from rag.pipeline import Pipeline
from rag.runtime import Runtime


class Ours:
    def __init__(self, model: Path, store: Path) -> None:
        self._runner = asyncio.Runner()
        settings = Settings(home=store, embedding_model=str(model))
        self._pipeline = Pipeline(settings, Runtime(settings))
        self._runner.run(self._pipeline.embedder())

    def ingest(self, pdfs: list[Path]) -> int:
        return self._runner.run(self._ingest(pdfs))

    async def _ingest(self, pdfs: list[Path]) -> int:
        summaries = [e async for e in self._pipeline.ingest(pdfs) if isinstance(e, Summary)]
        return summaries[-1].chunks

    def search(self, question: str, k: int) -> list[Place]:
        hits = self._runner.run(self._pipeline.search(question, k=k)).hits
        return [(hit.document.name, hit.chunk.first_page) for hit in hits]


if __name__ == "__main__":
    serve(Ours, "rag-local", "lancedb", "pymupdf")
