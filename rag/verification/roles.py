"""Who does what to whom: the names and nouns about a word that claim and place share. Pure.

A role is told by what stands before a word ("from", "dem", "by" of a passive) and by its side of
the shared word. What is exchanged differs; what is only told in the other voice does not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Final

from rag.verification.closed_classes import classes
from rag.verification.marked_text import MarkedText
from rag.verification.number_words import UNITS
from rag.verification.numbers import is_number_word, month_of

# The share of the words that must be alike before roles are compared: where a sentence is put in
# other words, their order says nothing.
_ALIKE: Final = 0.7
_PASSED: Final = frozenset("bound quantity ordinal only".split())
# Whether the passages speak of two words in one statement: as of two things, then.
Apart = Callable[[str, str], bool]


@dataclass(frozen=True, slots=True)
class Roles:
    """The role of each word (by its key) about one shared word, inside its clause."""

    of: Mapping[str, str]


def exchanged(claim: MarkedText, place: MarkedText) -> tuple[str, str] | None:
    """Two words that have each other's role in the place, where most else is alike."""
    shared = {key for key in _once(claim) & _once(place) if not key[0].isdigit()}
    for about in sorted(_doings(claim, place)):
        own, theirs = roles(claim, about), roles(place, about)
        both = sorted((own.of.keys() & theirs.of.keys() & shared) - {about})
        for a, b in combinations(both, 2):
            crossed = own.of[a] == theirs.of[b] and own.of[b] == theirs.of[a]
            if crossed and own.of[a] != own.of[b] and "" not in (own.of[a], own.of[b]):
                return a, b
    return None


def other_actor(claim: MarkedText, place: MarkedText, apart: Apart) -> tuple[str, str] | None:
    """Who does it in the claim and in the place, where all else is alike and these are two for the
    passages."""
    mine, theirs = frozenset(claim.keys), frozenset(place.keys)
    for about in sorted(_doings(claim, place)):
        said, told = _actor(claim, about), _actor(place, about)
        if not said or not told or said & told or told & mine:
            continue
        rest = mine - said - {""}
        if len(rest & theirs) < _ALIKE * len(rest):
            continue
        for a in sorted(said):
            for b in sorted(told):
                if (a not in theirs or _elsewhere(place, a, about)) and apart(a, b):
                    return a, b
    return None


def _doings(claim: MarkedText, place: MarkedText) -> Iterator[str]:
    """What both may tell to be done: shared words but numbers and nouns."""
    for key in _once(claim) & _once(place):
        if not (key[0].isdigit() or _is_noun(claim, key) or _is_noun(place, key)):
            yield key


def _actor(text: MarkedText, about: str) -> frozenset[str]:
    """Who does it: a name, or a noun with an article, next to the word for it (before it, or
    behind the "by" of a passive)."""
    at, own = text.keys.index(about), classes(text.language)
    runs = list(_runs(text, text.clauses[at], at))
    before = next((run for run in reversed(runs) if run[1] <= at), None)
    behind = next((run for run in runs if run[0] > at), None)
    passive = behind is not None and bool(_lead(text, behind[0]) & own.agent)
    run = behind if passive and _is_passive(text, text.clauses[at]) else before
    if run is None or (run is before and _lead(text, run[0]) & (own.other | own.origin | own.goal)):
        return frozenset()
    start, end = run
    named = start in text.capitals and text.language != "de"
    if not (named or start == 0 or _lead(text, start) & own.articles):
        return frozenset()
    return frozenset(text.keys[i] for i in range(start, end) if _is_thing(text, i))


def roles(text: MarkedText, about: str) -> Roles:
    """Those of the words in the clause of the shared word `about`."""
    keys = text.keys
    at = keys.index(about)
    clause = text.clauses[at]
    passive = _is_passive(text, clause)
    found: dict[str, str] = {}
    for start, end in _runs(text, clause, at):
        role = _role(text, start, before=start < at, passive=passive)
        if any(keys[i][0].isdigit() for i in range(start, end)):  # "400 patients": a measure
            role = ""
        found |= {keys[i]: role for i in range(start, end) if _is_thing(text, i)}
    return Roles(found)


def _role(text: MarkedText, start: int, *, before: bool, passive: bool) -> str:
    """ "actor", "object", "origin", "goal"; "" of what else stands behind a preposition."""
    own = classes(text.language)
    lead = _lead(text, start)
    if passive and lead & own.agent:
        return "actor"
    if text.language == "de" and not before and "der" in lead and not lead & own.other:
        return "actor"  # "Frau Schulz zahlt der Mieter Meier"
    if lead & own.goal:
        return "goal"
    if lead & own.origin:
        return "origin"
    if lead & (own.other | own.agent):
        return ""
    if passive:
        return "object"
    return "actor" if before else "object"


def _lead(text: MarkedText, start: int) -> frozenset[str]:
    """The small words before a word, back to the one before that is none; "at least" is passed."""
    passed = {i for m in text.marks if m.axis in _PASSED for i in range(m.at, m.end)}
    found = []
    for i in range(start - 1, -1, -1):
        if text.clauses[i] != text.clauses[start] or (text.keys[i] and i not in passed):
            break
        if i not in passed:
            found.append(text.words[i])
    return frozenset(found)


def _is_noun(text: MarkedText, key: str) -> bool:
    """Whether an article stands before it: then nothing is done by it."""
    at = text.keys.index(key)
    return at > 0 and text.words[at - 1] in classes(text.language).articles


def _is_thing(text: MarkedText, i: int) -> bool:
    key = text.keys[i]
    return bool(key) and ":" not in key and not key[0].isdigit() and not _measures(text.words[i])


def _measures(word: str) -> bool:
    return word in UNITS or is_number_word(word) or month_of(word) > 0


def _runs(text: MarkedText, clause: int, at: int) -> Iterator[tuple[int, int]]:
    """Words one behind the other without a small one or the one `at` that: they share a role."""
    start = -1
    keys = text.keys
    for i in range(len(keys) + 1):
        inside = i < len(keys) and bool(keys[i]) and text.clauses[i] == clause and i != at
        if inside and start < 0:
            start = i
        elif not inside and start >= 0:
            yield start, i
            start = -1


def _is_passive(text: MarkedText, clause: int) -> bool:
    own = classes(text.language)
    words = [w for w, k in zip(text.words, text.clauses, strict=True) if k == clause]
    first = next((i for i, word in enumerate(words) if word in own.passive), None)
    return first is not None and any(word in own.agent for word in words[first + 1 :])


def _once(text: MarkedText) -> frozenset[str]:
    keys = [key for key in text.keys if key]
    return frozenset(key for key in keys if keys.count(key) == 1)


def _elsewhere(text: MarkedText, key: str, about: str) -> bool:
    keys = text.keys
    return text.clauses[keys.index(key)] != text.clauses[keys.index(about)]
