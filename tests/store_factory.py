"""Documents as they stand between extraction and the store, for tests of the store."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rag.store import Addition, Filter, Found, Searcher, Store
from rag.types import Block, Chunk, Coverage, Document, Page, StoredChunk, Word

DIMENSIONS = 4
EVERYTHING = Filter()


def unit(*values: float) -> np.ndarray:
    vector = np.array(values, dtype=np.float32)
    return vector / np.linalg.norm(vector)


def page(number: int, text: str) -> Page:
    words, position = [], 0
    for i, word in enumerate(text.split()):
        start = text.index(word, position)
        position = start + len(word)
        words.append(Word(start, position, (10.0 * i, 20.0, 10.0 * i + 8.5, 30.0)))
    block = Block("text", 0, len(text), (0.0, 20.0, 100.0, 30.0))
    return Page(number, str(number), text, (block,), tuple(words), 595.0, 842.0, "text")


def addition(
    name: str, texts: list[str], vectors: list[np.ndarray], id_: str = "", *, language: str = "en"
) -> Addition:
    pages = [page(number, text) for number, text in enumerate(texts, 1)]
    chunks, offset = [], 0
    for number, text in enumerate(texts, 1):
        end = offset + len(text)
        chunks.append(Chunk(text, name, offset, end, number, number, "text", 9))
        offset = end + 2
    document = Document(
        id=id_ or f"id-{name}",
        path=Path("/docs", name),
        title=name,
        sha256="0" * 64,
        size=1,
        mtime_ns=2,
        pages=len(pages),
        chunks=len(chunks),
        language=language,
        coverage=Coverage.of(pages),
        metadata={"author": "Ä"},
        added_at="2026-01-01T00:00:00+00:00",
    )
    return Addition(document, "recipe", pages, chunks, np.stack(vectors))


@dataclass(frozen=True)
class Passage:
    """What a search found, read."""

    chunk: StoredChunk
    score: float


async def read(searcher: Searcher, found: list[Found]) -> list[Passage]:
    chunks = await searcher.read([item.ref for item in found])
    return [Passage(chunk, item.score) for chunk, item in zip(chunks, found, strict=True)]


async def dense(store: Store, vector: np.ndarray, limit: int, where: Filter) -> list[Passage]:
    searcher = await store.searcher()
    return await read(searcher, await searcher.dense(vector, limit, where))


async def full_text(store: Store, terms: list[str], limit: int, where: Filter) -> list[Passage]:
    searcher = await store.searcher()
    return await read(searcher, await searcher.full_text(terms, limit, where))
