"""Whether the names and numbers of a claim stand where its source has them. Pure.

Terms know no order: "B pays A" has those of "A pays B". So names and numbers are taken as slots in
the words around them, and what fills the slots is compared where these words are the same. Where
they are not ("A is paid by B"), nothing is said: a sentence can be turned in ways no rule knows.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import combinations, groupby
from typing import Final

from rag.verification.numbers import numbers
from rag.verification.words import tokens

_SLOT: Final = ""
# What stands between the names of a list, the order of which says nothing.
_LISTING: Final = frozenset("and or und oder sowie".split())


@dataclass(frozen=True, slots=True)
class Pattern:
    """The words of a sentence, stemmed, each run of names and numbers being one slot.

    `slots` maps the places of these among the words to what fills them.
    """

    words: tuple[str, ...]
    slots: dict[int, frozenset[str]]

    @classmethod
    def of(cls, text: str, names: Collection[str], language: str) -> Pattern:
        """`names`: the terms that are names."""
        words: list[str] = []
        slots: dict[int, frozenset[str]] = {}
        for fills, run in groupby(_parts(text, names, language), key=lambda part: part[1]):
            terms = [term for term, _ in run]
            if fills:
                slots[len(words)] = frozenset(terms)
            words += [_SLOT] if fills else terms
        return cls(tuple(words), slots)

    def pairs(self) -> Iterator[tuple[tuple[str, ...], frozenset[str], frozenset[str]]]:
        """The words between two slots, and what fills these, for any two."""
        for (i, first), (j, second) in combinations(self.slots.items(), 2):
            yield self.words[i + 1 : j], first, second


def _parts(text: str, names: Collection[str], language: str) -> Iterator[tuple[str, bool]]:
    """Words and numbers in order, and whether they fill a slot; no words of listing."""
    figures = [(n.start, n.end, f"{min(n.values):f}", True) for n in numbers(text)]
    words = [(t.start, t.end, t.term, t.term in names) for t in tokens(text, language)]
    at = 0
    for start, end, term, fills in sorted(
        [*figures, *words], key=lambda p: (p[0], -p[1], not p[3])
    ):
        if start >= at and term not in _LISTING:  # not a part of a hyphenated word
            yield term, fills
        at = max(at, end)


def exchanged(claim: Pattern, source: Pattern) -> bool:
    """Whether two names or numbers stand about the same words the other way round.

    Not where the source says it both ways: "A paid B in May, and B paid A in June".
    """
    for between, first, second in claim.pairs():
        told = [(a, b) for words, a, b in source.pairs() if words == between]
        as_claimed = any(first & before and second & behind for before, behind in told)
        crossed = any(
            (first - before) & behind and (second - behind) & before for before, behind in told
        )
        if crossed and not as_claimed:
            return True
    return False
