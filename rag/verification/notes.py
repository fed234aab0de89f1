"""What a reader is told of claims that are not cited: one wording for every interface."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rag.types import Answer, Citation, Claim, Finding


@dataclass(frozen=True, slots=True)
class Correction:
    """A claim that is not cited: its words, what is known of it, and the place if there is one."""

    claim: str
    note: str
    finding: Finding
    place: Citation | None


def note(claim: Claim) -> str:
    """ "contradicts p. 3", "worded differently: see p. 3", "not in the passages"; "" if cited."""
    if claim.sources:
        return ""
    if claim.near is None:
        return "not in the passages"
    page = f"p. {claim.near.page_label or claim.near.page}"
    if claim.finding == "contradicted":
        return f"contradicts {page}"
    return f"worded differently: see {page}"


def corrections(answer: Answer) -> Iterator[Correction]:
    """The claims of an answer that are not cited, in order."""
    if answer.refused:
        return
    for claim in answer.claims:
        if told := note(claim):
            words = " ".join(answer.text[claim.start : claim.end].split())
            yield Correction(words, told, claim.finding, claim.near)
