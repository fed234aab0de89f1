"""A made-up corpus of any size, block by block: clustered vectors, and texts of words as common as
those of English. A block follows from its number alone, so a million rows need the memory of one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from rag.embedders.base import Vectors
from rag.store import Addition
from rag.terms import STOP_WORDS
from rag.types import Chunk, Coverage, Document

CHUNKS_A_DOCUMENT = 100
ROWS_A_BLOCK = 200 * CHUNKS_A_DOCUMENT
VOCABULARY = 50_000
FREQUENT_STOP_WORDS = 20
SYLLABLES = ("ba", "ce", "di", "fo", "gu", "la", "me", "ni", "po", "ru", "sa", "te", "vi", "zo")


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


class Clusters:
    """Unit vectors that overlap as those of texts do: one centre for about 200 rows, clusters of
    power-law sizes; the variance of direction i falls as 1/√i."""

    def __init__(self, rows: int, dimensions: int, chance: np.random.Generator) -> None:
        self._spread = (np.arange(1, dimensions + 1) ** -0.5).astype(np.float32)
        self._centres = chance.standard_normal((max(8, rows // 200), dimensions), dtype=np.float32)
        weights = 1 / np.arange(1, len(self._centres) + 1) ** 0.7
        self._shares = weights / weights.sum()

    def draw(self, rows: int, chance: np.random.Generator) -> np.ndarray:
        """Float32 of shape (rows, dimensions)."""
        which = chance.choice(len(self._centres), rows, p=self._shares)
        vectors = chance.standard_normal((rows, len(self._spread)), dtype=np.float32)
        vectors += np.float32(0.7) * self._centres[which]
        return unit(vectors * self._spread)


class Words:
    """Words by the Zipf–Mandelbrot law: that of rank r is as common as 1 / (r + 2.7).

    The constants are those of English (Piantadosi, "Zipf's word frequency law in natural language",
    Psychonomic Bulletin & Review 21, 2014). The first ranks are real stop words, which a question
    loses; with the size of the vocabulary they make a word of a text that is none stand in 6% of
    all texts on average. In the development sets it is 6 to 15%: collections have topics.
    """

    def __init__(self, count: int = VOCABULARY) -> None:
        stop = sorted(STOP_WORDS)[:FREQUENT_STOP_WORDS]
        self._words = np.array([*stop, *(word(number) for number in range(count - len(stop)))])
        summed = np.cumsum(1 / (np.arange(1, count + 1) + 2.7))
        self._upto = summed / summed[-1]

    def draw(self, texts: int, words: int, chance: np.random.Generator) -> list[str]:
        ranks = np.searchsorted(self._upto, chance.random((texts, words)), side="right")
        return [" ".join(row) for row in self._words[ranks].tolist()]


def word(number: int) -> str:
    """A word of its own for each number; the smallest have the shortest."""
    made, base = "", len(SYLLABLES)
    number += base
    while number:
        made, number = made + SYLLABLES[number % base], number // base
    return made


@dataclass(frozen=True)
class Corpus:
    """`rows` texts of `words` words, with vectors; each hundred of them a document."""

    rows: int
    words: int
    dimensions: int

    @cached_property
    def _clusters(self) -> Clusters:
        return Clusters(self.rows, self.dimensions, np.random.default_rng(0))

    @cached_property
    def _vocabulary(self) -> Words:
        return Words()

    @property
    def blocks(self) -> int:
        return -(-self.rows // ROWS_A_BLOCK)

    def block(self, number: int) -> list[Addition]:
        """The documents of one block, as the store takes them."""
        chance = np.random.default_rng((1, number))
        first = number * ROWS_A_BLOCK
        rows = min(ROWS_A_BLOCK, self.rows - first)
        vectors = self._clusters.draw(rows, chance)
        texts = self._vocabulary.draw(rows, self.words, chance)
        return [
            _document(
                (first + start) // CHUNKS_A_DOCUMENT,
                texts[start : start + CHUNKS_A_DOCUMENT],
                vectors[start : start + CHUNKS_A_DOCUMENT],
            )
            for start in range(0, rows, CHUNKS_A_DOCUMENT)
        ]


def document_id(row: int) -> str:
    """Of the document that holds the row."""
    return f"{row // CHUNKS_A_DOCUMENT:016x}"


def _document(number: int, texts: Sequence[str], vectors: Vectors) -> Addition:
    title, start, chunks = word(number), 0, []
    for i, text in enumerate(texts):
        header, page, end = f"{title} > {word(i // 10)}", 1 + i // 3, start + len(text)
        chunks.append(Chunk(text, header, start, end, page, page, "text", len(text) // 5))
        start = end + 1
    document = Document(
        f"{number:016x}", Path(f"/synthetic/{number}.pdf"), title, "0" * 64, 0, 0,
        34, len(texts), "en", Coverage(34, 0, 0, ()), {}, "2026-01-01T00:00:00+00:00",
    )  # fmt: skip
    return Addition(document, "", (), chunks, vectors)
