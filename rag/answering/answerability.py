"""Whether what a search found can hold an answer: a probability, before any text is written.

A logistic rule over a few signals, each from 0 to 1. Fitted by `benchmarks/refusal.py fit`, which
prints the line to paste below; docs/answers.md says what it is worth.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from rag.answering.question_match import DEPTH, QuestionMatch, Sentence, match_question
from rag.embedders.base import Embedder
from rag.events import Retrieved
from rag.verification.numbers import numbers
from rag.verification.words import names, tokens

# A list must have a passage among its first to agree that it matters.
AGREE: Final = 10


# ── signals ───────────────────────────────────────────────────────────────────────────────────


def similarity(match: QuestionMatch) -> float:
    """The highest cosine."""
    return max(_cosines(match), default=0.0)


def agreement(match: QuestionMatch) -> float:
    """The share of the first passages that two lists or more have among their first."""
    first = match.hits[:DEPTH]
    agreed = sum(sum(rank <= AGREE for rank in hit.ranks.values()) >= 2 for hit in first)
    return agreed / len(first) if first else 0.0


def passage_coverage(match: QuestionMatch) -> float:
    """The most of the question's terms that one passage holds."""
    return max(map(match.share, match.passages), default=0.0)


def sentence_similarity(match: QuestionMatch) -> float:
    """The cosine of the nearest sentence."""
    return max(0.0, match.nearest[0].cosine) if match.nearest else 0.0


def names_held(match: QuestionMatch) -> float:
    """The share of the question's names and numbers that the passages hold; of a follow-up the
    lower of that and the share of the search text's. 1 without any."""
    text = " ".join(h.chunk.content for h in match.hits[:DEPTH])
    return min(_names_held(asked, text) for asked in {match.searched, match.question})


def _names_held(question: str, text: str) -> float:
    held = frozenset(t.term for t in tokens(text))
    asked = names(question)
    have = numbers(text)
    figures = numbers(question)
    found = len(asked & held) + sum(any(n.agrees(m) for m in have) for n in figures)
    total = len(asked) + len(figures)
    return found / total if total else 1.0


def _cosines(match: QuestionMatch) -> list[float]:
    return [hit.similarity for hit in match.hits if hit.similarity is not None]


Signal = Callable[[QuestionMatch], float]
SIGNALS: Final[Mapping[str, Signal]] = MappingProxyType(
    {
        "similarity": similarity,
        "agreement": agreement,
        "passage_coverage": passage_coverage,
        "sentence_similarity": sentence_similarity,
        "names_held": names_held,
    }
)

# ── the rule ──────────────────────────────────────────────────────────────────────────────────

# The embedding model whose cosines the rule was fitted to. Another one's lie elsewhere (E5: nearly
# all above 0.7), so that with another model nothing is refused before it is answered.
FITTED_TO: Final = "all-MiniLM-L6-v2"
# Printed by `uv run python -m benchmarks.refusal fit`.
BIAS: Final = -5.54
WEIGHTS: Final[Mapping[str, float]] = MappingProxyType(
    {
        "similarity": 2.36,
        "agreement": 1.31,
        "passage_coverage": 1.35,
        "sentence_similarity": 3.66,
        "names_held": 0.95,
    }
)


@dataclass(frozen=True, slots=True)
class Answerability:
    """How likely the passages hold the answer, and their nearest sentences; 1 and none where that
    cannot be judged."""

    likely: float = 1.0
    nearest: tuple[Sentence, ...] = ()


async def estimate_answerability(retrieved: Retrieved, embedder: Embedder) -> Answerability:
    """Raises EmbeddingError."""
    if not is_fitted_to(embedder.id):
        return Answerability()
    match = await match_question(
        retrieved.question, retrieved.search_text, retrieved.hits, embedder
    )
    return Answerability(await asyncio.to_thread(answerable, match), match.nearest)


def answerable(match: QuestionMatch) -> float:
    """How likely it is (0 to 1) that the passages hold the answer."""
    return logistic(BIAS + sum(WEIGHTS[name] * SIGNALS[name](match) for name in WEIGHTS))


def logistic(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def is_fitted_to(embedder_id: str) -> bool:
    return embedder_id.startswith(FITTED_TO)
