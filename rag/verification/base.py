"""What the passages say of a claim: the protocol that every verifier keeps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from rag.types import Finding
from rag.verification.evidence_units import Evidence, PageSpan


@dataclass(frozen=True, slots=True)
class ClaimText:
    """A claim to be judged. `hints` are the passages (indices) that the model named for it."""

    text: str
    hints: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Support:
    """A place that a verdict rests on; `score` from 0 to 1, 1 for a verbatim quote."""

    span: PageSpan
    score: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found of a claim, and where: the places that say so, that come near or that say
    otherwise; none for not_said."""

    finding: Finding
    places: tuple[Support, ...] = ()


NOT_SAID = Verdict("not_said")


class Verifier(Protocol):
    """Judges claims by the passages of one prompt."""

    def verify(
        self, claims: Sequence[ClaimText], evidence: Evidence, question: str
    ) -> list[Verdict]:
        """One verdict a claim, in order. `question` is what was asked: what a claim only repeats of
        it proves nothing. May run a model: called once for all claims of an answer."""
