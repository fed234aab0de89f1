"""Labelled claims to examples: a claim, what is read of its passages, and a label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rag.types import Coverage, Document, Hit, Page, StoredChunk
from rag.verification.evidence_units import Evidence, gather
from rag.verification.evidence_windows import window

SUPPORTED, CONTRADICTED, NOT_SAID, UNSUPPORTED = range(4)  # the last: one of the two before it
LABELS: Final = ("supported", "contradicted", "not said", "unsupported")


@dataclass(frozen=True, slots=True)
class Example:
    """`group` names the source: examples of one group are never on both sides of a split."""

    set: str
    group: str
    kind: str
    claim: str
    evidence: str
    label: int


def evidence_of(passages: Sequence[str]) -> Evidence:
    """The passages as the verifier of an answer has them."""
    name = "source"
    document = Document(name, Path(name), "", "", 0, 0, 1, 1, "", Coverage(1, 0, 0, ()), {}, "")
    hits, pages = [], {}
    for n, text in enumerate(passages, 1):
        chunk = StoredChunk(str(n), name, n, text, "", 0, len(text), n, n, "text", 0)
        hits.append(Hit(chunk, document, 1.0, {}))
        pages[name, n] = Page(n, "", text, (), (), 0.0, 0.0, "text")
    return gather(hits, pages)


def example(
    claim: str, evidence: Evidence, label: int, *, set: str, group: str, kind: str = ""
) -> Example:
    """The example whose evidence is what the product would read for this claim."""
    return Example(set, group, kind, claim, window(claim, evidence).text, label)
