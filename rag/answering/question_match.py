"""A question and the passages it found, taken apart once for all signals of answerability.py."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Final

import numpy as np

from rag.calibration import BUNDLED, UNMEASURED, Calibration
from rag.embedders.base import Embedder
from rag.terms import indexed_terms, query_terms
from rag.types import Hit
from rag.verification.segmentation import statements

# Passages that are looked at.
DEPTH: Final = 5
# Sentences of them that are embedded, those that hold most of the question's terms. On the
# development sets eight tell as much as all of them, four less (benchmarks/LOG.md). They cost what
# one passage does.
EMBEDDED: Final = 8


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence, list item or table row of a passage; `likeness` to the question (0 to 1, on the
    scale of `rag.calibration`) if embedded."""

    hit: Hit
    text: str
    terms: frozenset[str]
    likeness: float = 0.0


@dataclass(frozen=True, slots=True)
class QuestionMatch:
    """`searched` is the question with what a follow-up carries over; `nearest` are the sentences
    that were embedded, nearest first."""

    question: str
    searched: str
    hits: tuple[Hit, ...]
    weights: Mapping[str, float]  # rarity of each term of `searched`
    passages: tuple[frozenset[str], ...]  # the terms of the first DEPTH passages
    sentences: tuple[Sentence, ...]  # of those passages
    nearest: tuple[Sentence, ...] = ()
    calibration: Calibration = UNMEASURED

    def likeness(self, hit: Hit, cosine: float) -> float:
        """A cosine of the hit, or of a sentence of it, on the scale that all embedders share."""
        scale = self.calibration.likeness(hit.document.language)
        return scale.of(cosine) if scale is not None else max(0.0, cosine)

    @classmethod
    def of(
        cls,
        question: str,
        searched: str,
        hits: Sequence[Hit],
        calibration: Calibration = UNMEASURED,
    ) -> QuestionMatch:
        """Without `nearest`."""
        first = tuple(hits[:DEPTH])
        asked = set(query_terms(searched))
        passages = tuple(_terms(h.chunk.content, h) for h in first)
        sentences = tuple(chain.from_iterable(map(_sentences, first)))
        frequency = Counter(chain.from_iterable(s.terms & asked for s in sentences))
        total = len(sentences) + 1
        weights = {term: math.log(1 + total / (1 + frequency[term])) for term in asked}
        return cls(
            question, searched, tuple(hits), weights, passages, sentences, calibration=calibration
        )

    def share(self, held: frozenset[str]) -> float:
        """How much of the question's terms, by their rarity, is held."""
        total = sum(self.weights.values())
        return sum(w for term, w in self.weights.items() if term in held) / total if total else 0.0

    def candidates(self, count: int) -> list[Sentence]:
        """The sentences worth embedding."""
        return sorted(self.sentences, key=lambda s: -self.share(s.terms))[:count]


async def match_question(
    question: str,
    searched: str,
    hits: Sequence[Hit],
    embedder: Embedder,
    embedded: int = EMBEDDED,
    calibration: Calibration | None = None,
) -> QuestionMatch:
    """With the nearest sentences, of `embedded` that are looked at. Raises EmbeddingError.

    A follow-up's cosines are to the mean of what was searched for and of the question alone:
    nearness to the carried words is no nearness to what is asked now.
    """
    # The bundled model's scale was measured on hundreds of questions; that of a few short documents
    # is an accident, and refused what they answer.
    bundled = embedder.id.startswith(BUNDLED)
    scale = UNMEASURED if calibration is None or bundled else calibration
    match = await asyncio.to_thread(QuestionMatch.of, question, searched, hits, scale)
    chosen = await asyncio.to_thread(match.candidates, embedded)
    if not chosen:
        return match
    asked = dict.fromkeys((searched, question))
    vectors, *queries = await asyncio.gather(
        embedder.embed_documents([sentence.text for sentence in chosen]),
        *(embedder.embed_query(text) for text in asked),
    )
    cosines = vectors @ np.mean(queries, axis=0)
    found = [
        replace(s, likeness=match.likeness(s.hit, float(c)))
        for s, c in zip(chosen, cosines, strict=True)
    ]
    return replace(match, nearest=tuple(sorted(found, key=lambda s: -s.likeness)))


def _terms(text: str, hit: Hit) -> frozenset[str]:
    """As questions are stemmed (English) and as the document is."""
    languages = {"en", hit.document.language or "en"}
    return frozenset(chain.from_iterable(indexed_terms(text, language) for language in languages))


def _sentences(hit: Hit) -> Iterator[Sentence]:
    """A passage without a sentence (nothing but headings) counts as one."""
    text = hit.chunk.text
    spans = [text[s.start : s.end] for s in statements(text)] or [text]
    return (Sentence(hit, s, _terms(s, hit)) for s in spans if any(map(str.isalnum, s)))
