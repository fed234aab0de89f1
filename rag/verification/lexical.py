"""The verifier that needs no model: words, and what is strict about them."""

from __future__ import annotations

from collections.abc import Sequence

from rag.verification.base import ClaimText, Verdict
from rag.verification.evidence_units import Evidence
from rag.verification.support import Judge


class LexicalVerifier:
    """Takes a claim as supported where a place holds its words and nothing strict differs, as
    worded differently where it holds some of them."""

    def verify(
        self, claims: Sequence[ClaimText], evidence: Evidence, question: str
    ) -> list[Verdict]:
        """One verdict a claim, in order."""
        judge = Judge(evidence, question)
        return [judge.verdict(claim.text, claim.hints) for claim in claims]
