"""Which documents a question names, by the words of their titles and file names."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rag.encoding import well_formed
from rag.terms import query_terms
from rag.types import Document

# The gate: fewer words, or words that every title has, name nothing. Without it, follow-up
# questions lost 14 to 56 points of page@1 (docs/retrieval.md).
MIN_WORDS = 2
MIN_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Name:
    """A title or a file name: each names its document."""

    document_id: str
    words: frozenset[str]


class Titles:
    """The names of a library, ready for any number of questions: cutting those of a thousand
    documents into words takes ten milliseconds, asking them far less than one."""

    def __init__(self, names: Sequence[Name]) -> None:
        self._names = names
        self._rarity = _rarity(names)
        self._holding: Mapping[str, list[int]] = defaultdict(list)
        for position, name in enumerate(names):
            for word in name.words:
                self._holding[word].append(position)

    @classmethod
    def of(cls, documents: Iterable[Document]) -> Titles:
        return cls([name for document in documents for name in _names_of(document)])

    def within(self, document_ids: Iterable[str]) -> Titles:
        """These documents alone: what is rare among them is another matter."""
        wanted = set(document_ids)
        return Titles([name for name in self._names if name.document_id in wanted])

    def named_in(self, question: str) -> tuple[str, ...]:
        """Ids of the documents that hold at least MIN_WORDS title words of the question, and whose
        words in the question make up at least MIN_SHARE of the title's inverse document frequency.
        """
        if not self._rarity:
            return ()
        asked = set(query_terms(question))
        shared = Counter(i for word in asked for i in self._holding.get(word, ()))
        found = sorted(i for i, words in shared.items() if words >= MIN_WORDS)
        return tuple(
            dict.fromkeys(
                self._names[i].document_id
                for i in found
                if self._weight(self._names[i].words & asked)
                >= MIN_SHARE * self._weight(self._names[i].words)
            )
        )

    def _weight(self, words: Iterable[str]) -> float:
        return sum(self._rarity[word] for word in words)


def _names_of(document: Document) -> list[Name]:
    stem = well_formed(document.path.stem).replace("_", " ").replace("-", " ")
    return [Name(document.id, frozenset(query_terms(text))) for text in (document.title, stem)]


def _rarity(names: Sequence[Name]) -> dict[str, float]:
    """Inverse document frequency of each word; empty for less than two documents, where no word
    tells one from another."""
    total = len({name.document_id for name in names})
    if total < 2:
        return {}
    frequency = Counter(word for name in names for word in name.words)
    return {word: math.log(1 + total / count) for word, count in frequency.items()}
