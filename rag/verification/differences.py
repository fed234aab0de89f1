"""What a claim says otherwise than a place of the passages does. Pure.

Claim and place are aligned by the words that they share. What is compared are words of closed
classes (classes/*.toml): a negation, "rose" and "fell", "may" and "must". A paraphrase has none of
these differences, whatever else its words are; a difference is one, however alike the rest.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from rag.verification.closed_classes import Mark, classes
from rag.verification.marked_text import MarkedText, marked
from rag.verification.roles import Apart, exchanged, other_actor

# "A is larger than B" is "B is smaller than A": the other pole with the sides exchanged.
CONVERSE: Final = frozenset(
    "size age length speed quality price heat weight time trade loan giving contest level".split()
)
# … and the same pole with the sides exchanged is not.
COMPARED: Final = frozenset("size age length speed quality price heat weight time level".split())
# The other pole, and a "not", say the same: "did not accept" is "rejected".
NEGATABLE: Final = frozenset("consent range success door contest course".split())
# A claim may not add these: no source that lacks them says so.
ADDED: Final = frozenset(
    "largest longest fastest dearest richest heaviest hottest multiple".split()
)
_REACH: Final = 6.0  # words: how far a shared word still tells which of two places is meant
_NEAR: Final = 0.8  # of the best place's score: it may be meant as well
_LEAST: Final = 0.25  # of shared words about two marks, for them to be about the same


@dataclass(frozen=True, slots=True)
class Difference:
    """`axis` names the class; `said` and `told` are the claim's and the place's words, `told` ""
    where the place has none."""

    axis: str
    said: str
    told: str

    @property
    def is_added(self) -> bool:
        """Whether the claim says more than the place, and not otherwise."""
        return self.axis in ADDED and not self.told


def compared(claim: str, place: str, language: str, apart: Apart) -> tuple[Difference, ...]:
    """The differences of two texts of one language."""
    return differences(marked(claim, language), marked(place, language), apart)


def differences(claim: MarkedText, place: MarkedText, apart: Apart) -> tuple[Difference, ...]:
    """What differs; nothing is said of what the two do not share. `apart` tells of two words
    whether the passages know them as two things."""
    turned = list(_marks(claim, place))
    other = [one for one in turned if one.axis not in NEGATABLE]
    if _denies(claim) == _denies(place):
        denied: tuple[Difference, ...] = ()
    elif len(other) < len(turned):  # "did not accept" and "rejected"
        turned, denied = other, ()
    else:
        denied = _denied(claim, place)
    converse = _is_converse(claim, place)
    roles = () if converse else tuple(_roles(claim, place, apart))
    return (*turned, *_added(claim, place), *denied, *roles)


def _is_converse(claim: MarkedText, place: MarkedText) -> bool:
    """Whether one says of two things what the other says the other way round ("before", "after"),
    so that they stand in another order."""
    return any(
        a.axis == b.axis and a.axis in CONVERSE and a.pole != b.pole
        for a in claim.marks
        for b in place.marks
    )


def _roles(claim: MarkedText, place: MarkedText, apart: Apart) -> Iterator[Difference]:
    if found := exchanged(claim, place) or other_actor(claim, place, apart):
        yield Difference("roles", *found)


# ── poles ─────────────────────────────────────────────────────────────────────────────────────


def _marks(claim: MarkedText, place: MarkedText) -> Iterator[Difference]:
    for mark in claim.marks:
        told = [o for o in place.marks if o.axis == mark.axis and not _taken(claim, mark, place, o)]
        if any(other.pole == mark.pole for other in told) and len({o.pole for o in told}) == 1:
            if mark.axis in COMPARED and _crossed(claim, mark, place, told):
                yield Difference(mark.axis, _text(claim, mark), _text(place, told[0]))
            continue
        best = _meant(claim, mark, place, told)
        if not best or any(other.pole == mark.pole for other in best):
            continue
        if mark.axis in CONVERSE and _crossed(claim, mark, place, best):
            continue
        if not _excused(mark, best, claim, place):
            yield Difference(mark.axis, _text(claim, mark), _text(place, best[0]))


def _meant(claim: MarkedText, mark: Mark, place: MarkedText, told: Sequence[Mark]) -> list[Mark]:
    """Those of the place's marks that stand among the same words as the claim's."""
    scores = [(_shared(claim, mark, place, other), other) for other in told]
    best = max((score for score, _ in scores), default=0.0)
    return [other for score, other in scores if score >= _NEAR * best] if best >= _LEAST else []


def _taken(claim: MarkedText, mark: Mark, place: MarkedText, told: Mark) -> bool:
    """Whether another mark of the claim is the one that is told there."""
    if told.pole == mark.pole:
        return False
    own = _shared(claim, mark, place, told)
    return any(
        other.axis == told.axis
        and other.pole == told.pole
        and _shared(claim, other, place, told) >= own
        for other in claim.marks
    )


def _shared(claim: MarkedText, a: Mark, place: MarkedText, b: Mark) -> float:
    """How much the words about two marks are the same, near ones counting more."""
    there = _closeness(place, b)
    return sum(near * there.get(stem, 0.0) for stem, near in _closeness(claim, a).items())


def _closeness(text: MarkedText, mark: Mark) -> dict[str, float]:
    found: dict[str, float] = {}
    for i, key in enumerate(text.keys):
        if not key or mark.at <= i < mark.end:
            continue
        apart = max(text.at[mark.at] - text.at[i], text.at[i] - text.at[mark.end - 1], 0.0)
        found[key] = max(found.get(key, 0.0), math.exp(-apart / _REACH))
    return found


def _excused(mark: Mark, told: Sequence[Mark], claim: MarkedText, place: MarkedText) -> bool:
    """ "must not" and "may not" forbid both; "may" and "should" leave free both."""
    poles = {mark.pole, *(other.pole for other in told)}
    if mark.axis == "modality":
        return poles == {"forbidden", "must"} and bool(claim.negations) == bool(place.negations)
    if mark.axis == "ordinal":
        return poles <= {"1", "last"} and poles != {"1", "last"}
    return False


def _text(text: MarkedText, mark: Mark) -> str:
    return " ".join(text.words[mark.at : mark.end])


# ── sides ─────────────────────────────────────────────────────────────────────────────────────


def _crossed(claim: MarkedText, mark: Mark, place: MarkedText, told: Sequence[Mark]) -> bool:
    """Whether what stands behind the mark in one stands before it in the other."""
    own = _sides(claim, mark)
    for other in told:
        theirs = _sides(place, other)
        same = len(own[0] & theirs[0]) + len(own[1] & theirs[1])
        across = len(own[0] & theirs[1]) + len(own[1] & theirs[0])
        if across > same:
            return True
    return False


def _sides(text: MarkedText, mark: Mark) -> tuple[frozenset[str], frozenset[str]]:
    """What is compared with what: what follows the mark up to the end of its clause, and the rest
    of the sentence."""
    clause = text.clauses[mark.end - 1]
    keys = [(i, key) for i, key in enumerate(text.keys) if key and not mark.at <= i < mark.end]
    behind = {key for i, key in keys if i >= mark.end and text.clauses[i] == clause}
    rest = {key for i, key in keys if i < mark.at or text.clauses[i] != clause}
    return frozenset(rest - behind), frozenset(behind - rest)


# ── what is added ─────────────────────────────────────────────────────────────────────────────


def _added(claim: MarkedText, place: MarkedText) -> Iterator[Difference]:
    """Superlatives that the place has not, or has with a number before them."""
    for mark in claim.marks:
        told = [other for other in place.marks if other.axis == mark.axis]
        if mark.axis in ADDED and not told:
            yield Difference(mark.axis, _text(claim, mark), "")
        elif mark.axis in ADDED:
            ranks = {_rank(place, other) for other in told if other.pole == mark.pole}
            if ranks and _rank(claim, mark) not in ranks:
                yield Difference("ordinal", _text(claim, mark), _text(place, told[0]))


def _rank(text: MarkedText, mark: Mark) -> str:
    """ "2" of "second largest", "1" without."""
    beside = [m.pole for m in text.marks if m.axis == "ordinal" and abs(m.end - mark.at) <= 1]
    return next((pole for pole in beside if pole.isdigit()), "1")


# ── negation ──────────────────────────────────────────────────────────────────────────────────


def _denied(claim: MarkedText, place: MarkedText) -> tuple[Difference, ...]:
    """What one denies and the other says: the word behind a "not" that stands in both."""
    said = next((i for i in claim.negations if _said_plainly(claim, i, place)), None)
    if said is not None:
        return (Difference("negation", claim.words[said], ""),)
    told = next((i for i in place.negations if _said_plainly(place, i, claim)), None)
    return (Difference("negation", "", place.words[told]),) if told is not None else ()


def _denies(text: MarkedText) -> bool:
    """Where both texts deny something, it is taken to be the same."""
    return any(_is_denied(text, clause) for clause in {*text.clauses})


def _said_plainly(denying: MarkedText, at: int, other: MarkedText) -> bool:
    """Whether the other text has the word that is denied, in a clause that denies nothing (or an
    even number of times, as "not prohibited" does)."""
    if not _is_denied(denying, denying.clauses[at]):
        return False
    head = _head(denying, at)
    if not head or head not in other.keys:
        return False
    return not any(
        _is_denied(other, other.clauses[i]) for i, key in enumerate(other.keys) if key == head
    )


def _head(text: MarkedText, at: int) -> str:
    """The word that is denied: the next of the clause, or the one before."""
    clause = [i for i, k in enumerate(text.clauses) if k == text.clauses[at] and text.keys[i]]
    inside = [i for i in clause if i != at and not text.keys[i].startswith("modality:")]
    behind = next((i for i in inside if i > at), None)
    before = next((i for i in reversed(inside) if i < at), None)
    found = behind if behind is not None else before
    return text.keys[found] if found is not None else ""


def _is_denied(text: MarkedText, clause: int) -> bool:
    """A word that denies and one that forbids make no denial; two that deny make one."""
    inside = {text.words[i] for i in text.negations if text.clauses[i] == clause}
    forbidding = classes(text.language).forbidding
    kinds = {bool(forbidding.fullmatch(word)) for word in inside}
    return len(kinds) == 1
