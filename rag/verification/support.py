"""Whether a claim is supported by the passages, and by which words of them.

First as a verbatim quote; then by the share of the claim's terms, weighted by their rarity, that
a statement of a passage has. What is strict (strict.py) no coverage can make up for.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

from rag.verification.base import NOT_SAID, Support, Verdict
from rag.verification.closed_classes import language_of
from rag.verification.consistency import (
    Said,
    agrees,
    cut_from_negation,
    has_number,
    numbers_agree,
    other_number,
)
from rag.verification.differences import compared
from rag.verification.evidence_units import Evidence, PageSpan, Unit, joined
from rag.verification.marked_text import marked
from rag.verification.numbers import scales
from rag.verification.other_value import said_of_another, without_owner
from rag.verification.words import content_terms, term

# The least share of a claim's weighted terms that its source must have. From `benchmarks
# support-threshold` on the dev split of SQuAD (question and answer made one statement, 297 of
# them): at 0.5, 77% of the right statements are supported, 1.0% against passages that do not hold
# the answer, and 14% with a wrong answer from the same page put in (at 0.3: 82, 3.7, 23; at 0.7:
# 59, 0, 8).
THRESHOLD: Final = 0.5
# The least share of what the claim adds to the question: words repeated from there prove nothing.
# Without it, the 1.0 and 14% above are 2.0 and 29%.
NEWS: Final = 0.5
# With a smaller share a statement is not looked at.
CANDIDATE: Final = 0.3
# Two neighbouring statements together must cover more: words agree by chance more easily there.
PAIR_THRESHOLD: Final = 0.7
# A statement with this share tells of the claim's matter alone. If something strict differs there,
# the claim is wrong, and not told in two places, of which the other one has that name or number.
ALONE: Final = 0.9
# A statement with this share and a difference (differences.py) tells of it, too; a place that
# holds less by more than AHEAD supports nothing then.
OTHERWISE: Final = 0.6
AHEAD: Final = 0.1
# With this share, a statement that has another number of the same unit contradicts.
OTHER_NUMBER: Final = 0.75
QUOTE_LIMIT: Final = 300  # characters
# What the surroundings of a statement (title, headings, sentences before) count of its own words.
_CONTEXT: Final = 0.5
# The passage that the model named is taken unless another one is better by more than this.
_HINTED: Final = 0.15
_ASKED: Final = 0.1
_HALF: Final = 3  # terms and numbers that a half of a claim has at least
_JOINT = re.compile(r"[;,]?\s+(?:and|while|whereas|but|und|während|aber)\s+|[;,]\s+")


@dataclass(frozen=True, slots=True)
class Otherwise:
    """A place that tells of a claim's matter otherwise, or only less than the claim."""

    support: Support
    contradicts: bool


class Judge:
    """Finds the support of claims in the passages of one prompt."""

    def __init__(self, evidence: Evidence, question: str = "") -> None:
        self.evidence = evidence
        spoken = Counter(unit.language for unit in evidence.units)
        self.language = spoken.most_common(1)[0][0] if spoken else "en"
        self.asked = content_terms(question, language_of(question, self.language))
        self.asked_scales = scales(question, anywhere=True)

    def verdict(self, text: str, hints: Collection[int] = ()) -> Verdict:
        """What is found of a claim, with the best place for it; two only where neither holds all.

        `hints` are the passages (indices) that the model named: preferred if they support it.
        """
        return self.verdict_and_share(text, hints)[0]

    def verdict_and_share(self, text: str, hints: Collection[int] = ()) -> tuple[Verdict, float]:
        """And the largest share of the claim's weighted terms that one statement has, 0 to 1."""
        said = self._said(text)
        if not (said.terms or said.numbers):  # "The", where an answer was cut off: on any page
            return NOT_SAID, 0.0
        units, strange = self.evidence.units, self._strange(said)
        shares = [0.0 if i in strange else self._coverage(said, u) for i, u in enumerate(units)]
        return self._verdict(said, shares, hints), max(shares, default=0.0)

    def is_strange(self, text: str, index: int) -> bool:
        """Whether statement `index` has the claim's number, of something that it does not name and
        another one does: it supports nothing then, however it reads."""
        return index in self._strange(self._said(text))

    def _strange(self, said: Said) -> frozenset[int]:
        units = self.evidence.units
        found = without_owner(said, units, self._weight, self.asked_scales)
        return frozenset(i for i in found if self._said_of(said, units[i]) is None)

    def _verdict(self, said: Said, shares: Sequence[float], hints: Collection[int]) -> Verdict:
        against = self._otherwise(said, shares)
        if found := self._support(said, shares, against, hints):
            return Verdict("supported", found)
        if against is not None and against.contradicts:
            return Verdict("contradicted", (against.support,))
        return self._near(said, shares) if against is None else NOT_SAID

    def _support(
        self,
        said: Said,
        shares: Sequence[float],
        against: Otherwise | None,
        hints: Collection[int],
    ) -> tuple[Support, ...]:
        least = against.support.score - AHEAD if against else 0.0
        found = [*self._verbatim(said), *self._lexical(said, shares)]
        found = [one for one in found if one[0].score > least]
        if found:
            return (max(found, key=lambda one: self._rank(one[0], one[1], hints))[0],)
        if against or max(shares, default=0.0) >= ALONE:
            return ()
        return self._neighbours(said, shares) or self._halves(said)

    def _otherwise(self, said: Said, shares: Sequence[float]) -> Otherwise | None:
        """The statement that holds most of the claim and tells of its matter otherwise."""
        best: Otherwise | None = None
        for unit, share in zip(self.evidence.units, shares, strict=True):
            if share < OTHERWISE or (best and share <= best.support.score):
                continue
            found = compared(said.text, unit.text, unit.language, self.apart)
            other = share >= OTHER_NUMBER and other_number(said, unit, self.asked_scales)
            if found or other:
                contradicts = bool(other) or not all(one.is_added for one in found)
                best = Otherwise(Support(unit.span, min(share, 0.99)), contradicts)
        return best or self._other_value(said, shares)

    def _other_value(self, said: Said, shares: Sequence[float]) -> Otherwise | None:
        for unit, share in zip(self.evidence.units, shares, strict=True):
            if share >= CANDIDATE and (place := self._said_of(said, unit)) is not None:
                return Otherwise(Support(place.span, min(share, 0.99)), contradicts=True)
        return None

    def _said_of(self, said: Said, unit: Unit) -> Unit | None:
        return said_of_another(said, unit, self.evidence.units, self.asked_scales)

    def _near(self, said: Said, shares: Sequence[float]) -> Verdict:
        """What speaks of the same in other words, with nothing strict that differs."""
        best: Support | None = None
        for unit, share in zip(self.evidence.units, shares, strict=True):
            if share < CANDIDATE or (best and share <= best.score):
                continue
            if agrees(said, unit, self.asked_scales, self.apart):
                best = Support(unit.span, min(share, 0.99))
        return Verdict("worded_differently", (best,)) if best else NOT_SAID

    def apart(self, a: str, b: str) -> bool:
        """Whether one statement has both words (stems of theirs): they are two things then."""
        for unit in self.evidence.units:
            keys = marked(unit.text, unit.language).keys
            if a in keys and b in keys:
                return True
        return False

    def _said(self, text: str) -> Said:
        """Its first word, which is a capital anyway, is a name if the passages have it and never
        in small letters."""
        said = Said.of(text, self.language)
        first = re.match(r"\W*([^\W\d_]+)", text)
        if said.language == "de" or first is None or not first[1][0].isupper():
            return said
        word = term(first[1])
        known = word in said.terms and word in self.evidence.idf
        if not known or word in self.evidence.common:
            return said
        return replace(said, names=said.names | {word})

    def _rank(self, found: Support, unit: Unit, hints: Collection[int]) -> tuple[float, int]:
        asked = len(self.asked & (unit.terms | unit.context)) / max(1, len(self.asked))
        hinted = found.span.passage in hints
        return found.score + _HINTED * hinted + _ASKED * asked, -found.span.passage

    def _verbatim(self, said: Said) -> Iterator[tuple[Support, Unit]]:
        for wording in self.evidence.texts:
            for start, end in wording.find(said.words):
                match = replace(wording.span, start=start, end=end)
                units = [u for u in self.evidence.units if _touches(u.span, match)]
                if not units or cut_from_negation(said, match, units[0]):
                    continue
                if any(numbers_agree(said, unit, self.asked_scales) for unit in units):
                    yield Support(_widened(match, units), 1.0), units[0]

    def _lexical(self, said: Said, shares: Sequence[float]) -> Iterator[tuple[Support, Unit]]:
        for unit, share in zip(self.evidence.units, shares, strict=True):
            score = self._judged(said, unit, share)
            if score >= THRESHOLD:
                yield Support(unit.span, score), unit

    def _judged(self, said: Said, unit: Unit, share: float) -> float:
        """The share (below that of a quote), or 0 where something strict differs."""
        if share < CANDIDATE or not agrees(said, unit, self.asked_scales, self.apart):
            return 0.0
        if self._said_of(said, unit) is not None:
            return 0.0
        news = replace(said, terms=said.terms - self.asked)
        least = NEWS if share >= THRESHOLD else CANDIDATE
        if (news.terms or said.numbers) and self._coverage(news, unit) < least:
            return 0.0
        return min(share, 0.99)

    def _coverage(self, said: Said, unit: Unit) -> float:
        """The share of a claim's terms and numbers that a statement has: numbers are strict, so
        they count as had. 0 if it has none itself."""
        own = said.terms & unit.terms
        if not own and not self._own_number(said, unit):
            return 0.0
        around = (said.terms & unit.context) - own
        figures = len(said.numbers) * self.evidence.unseen
        covered = figures + self._weight(own) + _CONTEXT * self._weight(around)
        total = figures + self._weight(said.terms)
        return covered / total if total else 0.0

    def _weight(self, terms: Collection[str]) -> float:
        idf, unseen = self.evidence.idf, self.evidence.unseen
        return sum(idf.get(term, unseen) for term in terms)

    def _own_number(self, said: Said, unit: Unit) -> bool:
        return any(has_number(n, unit.numbers, unit, self.asked_scales) for n in said.numbers)

    # ── two places ────────────────────────────────────────────────────────────────────────────

    def _neighbours(self, said: Said, shares: Sequence[float]) -> tuple[Support, ...]:
        """Two statements, one behind the other, that together hold what neither holds alone."""
        best, score = None, 0.0
        for (a, share_a), (b, share_b) in pairwise(zip(self.evidence.units, shares, strict=True)):
            if share_a + share_b < PAIR_THRESHOLD or not _follows(a, b):
                continue
            both = joined(a, b)
            found = self._judged(said, both, self._coverage(said, both))
            if found > score:
                best, score = (a, b), found
        if best is None or score < PAIR_THRESHOLD:
            return ()
        first, second = (unit.span for unit in best)
        if second.end - first.start <= QUOTE_LIMIT:
            return (Support(replace(first, end=second.end), score),)
        return Support(first, score), Support(second, score)

    def _halves(self, said: Said) -> tuple[Support, ...]:
        """For "revenue rose to 5 million and costs fell to 3 million", told in two places."""
        for joint in _JOINT.finditer(said.text):
            halves = [self._said(said.text[: joint.start()]), self._said(said.text[joint.end() :])]
            if any(len(half.terms) + len(half.numbers) < _HALF for half in halves):
                continue
            found = [self._best(half) for half in halves]
            if found[0] and found[1]:
                return tuple(dict.fromkeys(support for support in found if support))
        return ()

    def _best(self, said: Said) -> Support | None:
        shares = [self._coverage(said, unit) for unit in self.evidence.units]
        found = (support for support, _ in self._lexical(said, shares))
        return max(found, key=lambda support: support.score, default=None)


def _follows(a: Unit, b: Unit) -> bool:
    """Whether two sentences stand behind each other in one passage (rows say each its own)."""
    together = (a.span.passage, a.span.page) == (b.span.passage, b.span.page)
    return together and not a.head and not b.head and a.span.end <= b.span.start


def _widened(match: PageSpan, units: Sequence[Unit]) -> PageSpan:
    """The whole statements around a match, if they are not too long to quote."""
    start = min(match.start, *(unit.span.start for unit in units))
    end = max(match.end, *(unit.span.end for unit in units))
    return replace(match, start=start, end=end) if end - start <= QUOTE_LIMIT else match


def _touches(a: PageSpan, b: PageSpan) -> bool:
    return a.page == b.page and a.start < b.end and b.start < a.end
