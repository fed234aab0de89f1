"""The verifier of every answer: words and differences first, then what a small model reads.

Words find the places and have a veto; the model says whether they mean what the claim says.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from rag.verification.base import ClaimText, Support, Verdict
from rag.verification.evidence_units import Evidence, PageSpan
from rag.verification.evidence_windows import Window, field_share, window
from rag.verification.support import Judge
from rag.verifiers.entailment import EntailmentReader, Reading


@dataclass(frozen=True, slots=True)
class Weights:
    """Of a logistic score: above 0 a claim is likelier supported than not."""

    reading: float
    share: float
    bias: float

    def score(self, reading: Reading, share: float) -> float:
        """`share` is that of the claim's terms which the best statement has, from 0 to 1."""
        return self.reading * reading.log_odds + self.share * share + self.bias


# Fitted by a logistic regression on the quarter of the development halves (RAGTruth, WiCE) that
# the weights they were read with had not been trained on. Prose repeats the words of its source; an
# account of data does not, and there the model decides. Both were fitted in one regression, with
# WiCE at half its weight. `benchmarks train-verifier weigh`, which fits each alone, gives 0.3, 3.1,
# -1.9 and 0.6, 1.9, -1.8; the figures of docs/answers.md are those of the weights here.
PROSE: Final = Weights(reading=0.26, share=3.27, bias=-1.96)
DATA: Final = Weights(reading=0.60, share=0.77, bias=-0.70)
# Another model's reading counts as it is.
READING: Final = Weights(reading=1.0, share=0.0, bias=0.0)
# Passages are data where so many of their statements are fields and rows of tables. Of the sets
# above, 5% of the passages of prose have more, and none of those of data has less than twice that.
DATA_SHARE: Final = 0.2
# What words support is taken back only where the model is surer than even odds that it is wrong.
_DOUBT: Final = -1.0
# A claim that the model sees as contradicted is not supported by its reading alone.
_CONTRADICTED: Final = 0.3
_QUOTED: Final = 1.0  # the score of a verbatim quote, which needs no reading


class CombinedVerifier:
    """Takes a claim as supported where words and reading together say so and nothing strict
    differs. Raises ModelLoadFailed, ModelError."""

    def __init__(
        self, reader: EntailmentReader, prose: Weights = PROSE, data: Weights = DATA
    ) -> None:
        self._reader = reader
        self._prose = prose
        self._data = data

    def verify(
        self, claims: Sequence[ClaimText], evidence: Evidence, question: str
    ) -> list[Verdict]:
        """One verdict a claim, in order."""
        judge = Judge(evidence, question)
        found = [judge.verdict_and_share(claim.text, claim.hints) for claim in claims]
        verdicts, shares = [verdict for verdict, _ in found], [share for _, share in found]
        rows = frozenset(unit.span for unit in evidence.units if unit.head)
        unread = [index for index, found in enumerate(verdicts) if _is_open(found, rows)]
        windows = {index: window(claims[index].text, evidence) for index in unread}
        texts = [(claims[index].text, windows[index].text) for index in unread]
        data = field_share(evidence) > DATA_SHARE
        for index, reading in zip(unread, self._reader.read(texts), strict=True):
            weights = self._data if data else self._prose
            score = weights.score(reading, shares[index])
            supported = score > 0 and (data or reading.contradicted < _CONTRADICTED)
            if verdicts[index].finding == "supported":
                supported = score > (0 if data else _DOUBT)
            elif supported:
                supported = not judge.is_strange(claims[index].text, windows[index].best)
            verdicts[index] = _joined(verdicts[index], supported, windows[index], evidence, reading)
        return verdicts


def _is_open(found: Verdict, rows: Collection[PageSpan]) -> bool:
    """Whether there is something left to read: words alone prove a quote, a contradiction, and what
    the row of a table says, whose label and column head they compare."""
    proven = any(place.score == _QUOTED or place.span in rows for place in found.places)
    supported = found.finding == "supported"
    return found.finding != "contradicted" and not (supported and proven)


def _joined(
    found: Verdict, supported: bool, read: Window, evidence: Evidence, reading: Reading
) -> Verdict:
    if not supported:
        near = found.finding == "supported"
        return Verdict("worded_differently", found.places) if near else found
    if found.places:
        return Verdict("supported", found.places)
    if read.best < 0:  # no word of it stands anywhere: there is nothing to cite
        return found
    place = evidence.units[read.best].span
    return Verdict("supported", (Support(place, min(reading.supported, 0.99)),))
