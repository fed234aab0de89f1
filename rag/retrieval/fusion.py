"""Several ranked lists as one. Pure.

Which lists run, with what weight, is data (`RetrievalPlan`), so that benchmarks can switch each one
off.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Literal

from rag.config import Settings
from rag.retrieval.lists import Known, all_known
from rag.retrieval.query_expansion import NONE, glossary
from rag.store import ChunkRef, Found

# Weight of the list that a setting adds.
# Nothing to measure it with came in a package: as much as the two first lists together, so that it
# decides among what they agree on, and an exact match of words or a named document still counts.
CROSS_ENCODER = 2.0


def _weights() -> Mapping[str, float]:
    return MappingProxyType(
        {
            "dense": 1.0,
            "full_text": 1.0,
            "dense_named": 0.5,
            "dense_glossary": 0.5,
            "full_text_glossary": 1.0,
            "phrases": 1.0,
            "labelled": 1.0,
            "located": 0.5,
            "corrected": 0.25,
        }
    )


@dataclass(frozen=True, slots=True)
class RetrievalPlan:
    """Weights of the lists (absent: not run) and the rules of fusion.

    `fusion` by scores is a convex combination of min-max scores (Bruch et al., "An Analysis of
    Fusion Functions for Hybrid Retrieval", 2023); by ranks it is reciprocal rank fusion (Cormack et
    al. 2009), with its constant. What each part is worth: benchmarks/LOG.md.
    """

    weights: Mapping[str, float] = field(default_factory=_weights)
    fusion: Literal["scores", "ranks"] = "scores"
    rank_constant: int = 60
    candidates: int = 200
    rerank: int = 30
    distinct_pages: bool = True
    cover_named: bool = True
    named_pages: bool = True
    vectors_by_language: bool = True
    glossary: Mapping[str, str] = field(default_factory=lambda: NONE)

    @classmethod
    def of(cls, settings: Settings) -> RetrievalPlan:
        """The plan that ships, with what the settings add to it."""
        weights = dict(_weights())
        if settings.reranker is not None:
            weights["cross_encoder"] = CROSS_ENCODER
        entries = glossary(settings.profile, settings.glossary)
        return cls(weights=MappingProxyType(weights), glossary=entries)


Gains = Mapping[str, Mapping[int, float]]
VECTORS: Final = ("dense", "dense_named", "dense_glossary")


def fuse(lists: Mapping[str, Sequence[Found]], added: Gains) -> list[tuple[ChunkRef, float]]:
    """One list, best first: a chunk's score is the sum of its `gains` in each list."""
    scores: dict[int, float] = {}
    refs: dict[int, ChunkRef] = {}
    for name, of_list in added.items():
        refs.update((item.ref.row, item.ref) for item in lists[name])
        for row, gain in of_list.items():
            scores[row] = scores.get(row, 0.0) + gain
    ranked = [(refs[row], score) for row, score in scores.items()]
    # Equal ones by what compacting the table does not change.
    return sorted(ranked, key=lambda pair: (-pair[1], pair[0].document_id, pair[0].ordinal))


def gains(
    lists: Mapping[str, Sequence[Found]], plan: RetrievalPlan, known: Known = all_known
) -> Gains:
    """What each list adds to the score of each chunk that it has: by names and rows, best first.

    Lists of vectors count as much as the embedder knows of the document's language.
    """
    added: dict[str, dict[int, float]] = {}
    for name, found in lists.items():
        shares = _by_score(found) if plan.fusion == "scores" else _by_rank(found, plan)
        weight = plan.weights[name]
        trust = known if name in VECTORS and plan.vectors_by_language else all_known
        added[name] = {
            item.ref.row: weight * share * trust(item.ref.document_id)
            for item, share in zip(found, shares, strict=True)
        }
    return added


def _by_score(found: Sequence[Found]) -> list[float]:
    """1 for the best of the list, 0 for the last and for what is not in it."""
    if not found:
        return []
    highest, lowest = found[0].score, found[-1].score
    span = highest - lowest
    return [(item.score - lowest) / span if span > 0 else 1.0 for item in found]


def _by_rank(found: Sequence[Found], plan: RetrievalPlan) -> list[float]:
    return [1 / (plan.rank_constant + rank) for rank in range(1, len(found) + 1)]
