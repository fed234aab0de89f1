"""A statement as its differences are looked for: words in order, and what stands among them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

from rag.terms import fold
from rag.verification.closed_classes import Mark, classes, marks
from rag.verification.numbers import is_number_word
from rag.verification.words import term

_WORD = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+|[,;:.!?()|–—]")
_NOT = re.compile(r"n['’]t\b|(?<=\bcan)not\b")
_APART: Final = 5.0  # words that a comma or the like counts as
_JOINTS: Final = frozenset(
    "and but while whereas although because und aber wahrend obwohl sondern et mais tandis alors"
    " y pero mientras aunque e ma mentre sebbene".split()
)


@dataclass(frozen=True, slots=True)
class MarkedText:
    """`words` are folded; `keys` are what two texts share: stems, "class:pole" where a word of a
    closed class begins, "" for small words and what denies."""

    language: str
    words: tuple[str, ...]
    keys: tuple[str, ...]
    at: tuple[float, ...]  # where each stands, punctuation and joints counting as some words more
    clauses: tuple[int, ...]  # the clause of each word, from 0
    capitals: frozenset[int]  # indexes of words with a capital
    marks: tuple[Mark, ...]
    negations: tuple[int, ...]  # indexes of the words that deny


@lru_cache(maxsize=1 << 13)
def marked(text: str, language: str) -> MarkedText:
    """A text with its marks."""
    found = list(_words(text))
    words = tuple(one.folded for one in found)
    joined = " ".join(words)
    starts, offset = {}, 0
    for i, word in enumerate(words):
        starts[offset] = i
        offset += len(word) + 1
    told = tuple(
        m for m in marks(joined, starts, language) if m.axis != "bound" or _bounds(words, m)
    )
    denying = tuple(_negations(joined, starts, language))
    return MarkedText(
        language,
        words,
        _keys(words, told, denying, language),
        tuple(one.at for one in found),
        tuple(one.clause for one in found),
        frozenset(i for i, one in enumerate(found) if one.capital),
        told,
        denying,
    )


class _Word(NamedTuple):
    folded: str
    at: float
    clause: int
    capital: bool


def _words(text: str) -> Iterator[_Word]:
    at, clause = 0.0, 0
    for match in _WORD.finditer(_NOT.sub(" not", unicodedata.normalize("NFKC", text))):
        word = match.group()
        if not word[0].isalnum():
            at += _APART
            clause += 1
            continue
        folded = fold(word)
        if folded in _JOINTS:
            at += _APART / 2
            clause += 1
        at += 1
        yield _Word(folded, at, clause, word[0].isupper())


def _keys(
    words: Sequence[str], told: Sequence[Mark], denying: Sequence[int], language: str
) -> tuple[str, ...]:
    poles = {mark.at: f"{mark.axis}:{mark.pole}" for mark in told}
    none = {i for mark in told for i in range(mark.at, mark.end)} | {*denying}
    small = classes(language).small
    return tuple(
        poles.get(i, "")
        if i in none or word in small or (len(word) < 2 and not word.isdigit())
        else term(word, language)
        for i, word in enumerate(words)
    )


def _bounds(words: Sequence[str], mark: Mark) -> bool:
    """ "over" bounds a number that stands by it; in "handed over" there is none."""
    near = words[max(0, mark.at - 2) : mark.end + 3]
    return any(word[0].isdigit() or is_number_word(word) for word in near)


def _negations(joined: str, starts: dict[int, int], language: str) -> Iterator[int]:
    """Not what a phrase as "not only" takes back."""
    own = classes(language)
    off = [match.span() for match in own.negation_off.finditer(joined)]
    for pattern in (own.negation, own.forbidding):
        for match in pattern.finditer(joined):
            if not any(a <= match.start() < b for a, b in off):
                yield starts[match.start()]
