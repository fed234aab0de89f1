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
from rag.calibration import BUNDLED, Calibration
from rag.embedders.base import Embedder
from rag.events import Retrieved
from rag.verification.numbers import numbers
from rag.verification.words import names, tokens

# A list must have a passage among its first to agree that it matters.
AGREE: Final = 10


# ── signals ───────────────────────────────────────────────────────────────────────────────────


def similarity(match: QuestionMatch) -> float:
    """The likeness of the nearest passage."""
    found = (match.likeness(h, h.similarity) for h in match.hits if h.similarity is not None)
    return max(found, default=0.0)


def agreement(match: QuestionMatch) -> float:
    """The share of the first passages that two lists or more have among their first."""
    first = match.hits[:DEPTH]
    agreed = sum(sum(rank <= AGREE for rank in hit.ranks.values()) >= 2 for hit in first)
    return agreed / len(first) if first else 0.0


def passage_coverage(match: QuestionMatch) -> float:
    """The most of the question's terms that one passage holds."""
    return max(map(match.share, match.passages), default=0.0)


def sentence_similarity(match: QuestionMatch) -> float:
    """The likeness of the nearest sentence."""
    return match.nearest[0].likeness if match.nearest else 0.0


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

# Printed by `uv run python -m benchmarks.refusal fit`; the two likenesses stand on the scale that
# all embedders share (rag/calibration.py), so that the rule holds for any that was measured.
BIAS: Final = -5.3
WEIGHTS: Final[Mapping[str, float]] = MappingProxyType(
    {
        "similarity": 2.09,
        "agreement": 1.31,
        "passage_coverage": 1.35,
        "sentence_similarity": 3.24,
        "names_held": 0.95,
    }
)


# Of a handful of passages a scale is an accident: it refused what they answer.
ENOUGH = 32


@dataclass(frozen=True, slots=True)
class Answerability:
    """How likely the passages hold the answer, and their nearest sentences; 1 and none where that
    cannot be judged."""

    likely: float = 1.0
    nearest: tuple[Sentence, ...] = ()


async def estimate_answerability(
    retrieved: Retrieved, embedder: Embedder, calibration: Calibration | None
) -> Answerability:
    """Without a calibration only the bundled model is judged: what another's cosines mean is not
    known. Raises EmbeddingError."""
    match = await match_question(
        retrieved.question,
        retrieved.search_text,
        retrieved.hits,
        embedder,
        calibration=calibration,
    )
    if not is_measured(calibration, embedder.id):
        return Answerability(nearest=match.nearest)
    return Answerability(await asyncio.to_thread(answerable, match), match.nearest)


def is_measured(calibration: Calibration | None, embedder_id: str) -> bool:
    if embedder_id.startswith(BUNDLED):
        return True
    return calibration is not None and bool(calibration.languages) and calibration.chunks >= ENOUGH


def answerable(match: QuestionMatch) -> float:
    """How likely it is (0 to 1) that the passages hold the answer."""
    return logistic(BIAS + sum(WEIGHTS[name] * SIGNALS[name](match) for name in WEIGHTS))


def logistic(x: float) -> float:
    return 1 / (1 + math.exp(-x))
