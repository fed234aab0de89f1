"""Whether what a search found can hold an answer: a probability, before any text is written.

A logistic rule over a few signals, each from 0 to 1. Fitted by `benchmarks/refusal.py fit`, which
prints the line to paste below; docs/answers.md says what it is worth.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from types import MappingProxyType
from typing import Final

from rag.ask.claims import statements
from rag.ask.facts import names, tokens
from rag.ask.figures import numbers
from rag.terms import indexed_terms, query_terms
from rag.types import Hit

# Passages that are looked at, and those that a list must have among its first to agree.
DEPTH: Final = 5
AGREE: Final = 10


@dataclass(frozen=True, slots=True)
class Sought:
    """A question and the passages it found, taken apart once for all signals."""

    question: str
    hits: tuple[Hit, ...]
    weights: Mapping[str, float]  # rarity of each term of the question
    passages: tuple[frozenset[str], ...]  # the terms of the first DEPTH passages
    sentences: tuple[frozenset[str], ...]  # and of their sentences

    @classmethod
    def of(cls, question: str, hits: Sequence[Hit]) -> Sought:
        first = tuple(hits[:DEPTH])
        asked = set(query_terms(question))
        passages = tuple(_terms(f"{h.chunk.header} {h.chunk.text}", h) for h in first)
        sentences = tuple(chain.from_iterable(_sentences(hit) for hit in first))
        frequency = Counter(chain.from_iterable(terms & asked for terms in sentences))
        total = len(sentences) + 1
        weights = {term: math.log(1 + total / (1 + frequency[term])) for term in asked}
        return cls(question, tuple(hits), weights, passages, sentences)

    def share(self, held: frozenset[str]) -> float:
        """How much of the question's terms, by their rarity, is held."""
        total = sum(self.weights.values())
        return sum(w for term, w in self.weights.items() if term in held) / total if total else 0.0


def _terms(text: str, hit: Hit) -> frozenset[str]:
    return frozenset(indexed_terms(text, "")) | frozenset(
        indexed_terms(text, hit.document.language)
    )


def _sentences(hit: Hit) -> list[frozenset[str]]:
    text = hit.chunk.text
    return [_terms(text[s.start : s.end], hit) for s in statements(text)]


# ── signals ───────────────────────────────────────────────────────────────────────────────────


def similarity(sought: Sought) -> float:
    """The highest cosine."""
    return max(_cosines(sought), default=0.0)


def agreement(sought: Sought) -> float:
    """The share of the first passages that two lists or more have among their first."""
    first = sought.hits[:DEPTH]
    agreed = sum(sum(rank <= AGREE for rank in hit.ranks.values()) >= 2 for hit in first)
    return agreed / len(first) if first else 0.0


def passage_coverage(sought: Sought) -> float:
    """The most of the question's terms that one passage holds."""
    return max(map(sought.share, sought.passages), default=0.0)


def sentence_coverage(sought: Sought) -> float:
    """The most that one sentence holds."""
    return max(map(sought.share, sought.sentences), default=0.0)


def names_held(sought: Sought) -> float:
    """The share of the names and numbers of the question that the passages hold; 1 without any."""
    text = " ".join(f"{h.chunk.header} {h.chunk.text}" for h in sought.hits[:DEPTH])
    held = frozenset(t.term for t in tokens(text))
    asked = names(sought.question)
    have = numbers(text)
    figures = numbers(sought.question)
    found = len(asked & held) + sum(any(n.agrees(m) for m in have) for n in figures)
    total = len(asked) + len(figures)
    return found / total if total else 1.0


def _cosines(sought: Sought) -> list[float]:
    return [hit.similarity for hit in sought.hits if hit.similarity is not None]


Signal = Callable[[Sought], float]
SIGNALS: Final[Mapping[str, Signal]] = MappingProxyType(
    {
        "similarity": similarity,
        "agreement": agreement,
        "passage_coverage": passage_coverage,
        "sentence_coverage": sentence_coverage,
        "names_held": names_held,
    }
)

# ── the rule ──────────────────────────────────────────────────────────────────────────────────

# The embedding model whose cosines the rule was fitted to. Another one's lie elsewhere (E5: nearly
# all above 0.7), so that with another model nothing is refused before it is answered.
FITTED_TO: Final = "all-MiniLM-L6-v2"
# Printed by `uv run python -m benchmarks.refusal fit`.
BIAS: Final = -5.0
WEIGHTS: Final[Mapping[str, float]] = MappingProxyType(
    {
        "similarity": 3.99,
        "agreement": 1.67,
        "passage_coverage": 0.82,
        "sentence_coverage": 1.5,
        "names_held": 1.11,
    }
)


def answerable(question: str, hits: Sequence[Hit]) -> float:
    """How likely it is (0 to 1) that these passages, best first, hold the answer."""
    sought = Sought.of(question, hits)
    return logistic(BIAS + sum(WEIGHTS[name] * SIGNALS[name](sought) for name in WEIGHTS))


def logistic(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def is_fitted_to(embedder_id: str) -> bool:
    return embedder_id.startswith(FITTED_TO)
