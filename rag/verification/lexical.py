"""The verifier that needs no model: words, and what is strict about them."""

from __future__ import annotations

from collections.abc import Sequence

from rag.verification.base import NOT_SAID, ClaimText, Verdict
from rag.verification.evidence_units import Evidence
from rag.verification.support import Judge


class LexicalVerifier:
    """Takes a claim as supported where a place holds its words and nothing strict differs."""

    def verify(
        self, claims: Sequence[ClaimText], evidence: Evidence, question: str
    ) -> list[Verdict]:
        """One verdict a claim, in order."""
        judge = Judge(evidence, question)
        return [self._verdict(judge, claim) for claim in claims]

    def _verdict(self, judge: Judge, claim: ClaimText) -> Verdict:
        found = judge.support(claim.text, claim.hints)
        return Verdict("supported", found) if found else NOT_SAID
