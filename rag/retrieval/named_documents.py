"""Which documents a question names, by the words of their titles and file names."""

from __future__ import annotations

import math
import re
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
_WORD = re.compile(r"[^\W_]+")
_FISCAL = re.compile(r"\bFY\s?'?((?:20)?\d\d)\b", re.IGNORECASE)


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
        Of names like each other, those of which the question says most.
        """
        if not self._rarity:
            return ()
        asked = _asked(question)
        shared: Counter[int] = Counter()
        for term, words in asked.items():
            for position in self._holding.get(term, ()):
                shared[position] += words
        found = [
            self._names[position]
            for position in sorted(shared)
            if shared[position] >= MIN_WORDS and self._is_named(self._names[position], asked)
        ]
        return tuple(dict.fromkeys(name.document_id for name in _undominated(found, asked)))

    def _is_named(self, name: Name, asked: Mapping[str, int]) -> bool:
        named = self._weight(name.words & asked.keys())
        return named >= MIN_SHARE * self._weight(name.words)

    def _weight(self, words: Iterable[str]) -> float:
        return sum(self._rarity[word] for word in words)


def _names_of(document: Document) -> list[Name]:
    stem = well_formed(document.path.stem).replace("_", " ").replace("-", " ")
    return [
        Name(document.id, frozenset(query_terms(_with_years(text))))
        for text in (document.title, stem)
    ]


def _asked(question: str) -> dict[str, int]:
    """What the question may name a document by, and how many of its words each stands for: names
    are run together in file names ("BESTBUY", "10K"), and years are short ("FY21")."""
    text = _with_years(question)
    found = dict.fromkeys(query_terms(text), 1)
    words = _WORD.findall(text.casefold())
    for count in (2, 3):
        for start in range(len(words) - count + 1):
            joined = "".join(words[start : start + count])
            for term in query_terms(joined):
                found.setdefault(term, count)
    return found


def _with_years(text: str) -> str:
    """Fiscal years written out: "FY21" and "FY 2021" as "2021"."""
    return _FISCAL.sub(lambda match: f" 20{match[1][-2:]} ", text)


def _undominated(found: Sequence[Name], asked: Mapping[str, int]) -> list[Name]:
    """Without names of which the question says less than of another: of "Best Buy 2021" and
    "Best Buy 2022" it means the one whose year it gives, and both where it gives none."""
    said = [name.words & asked.keys() for name in found]
    return [
        name for name, words in zip(found, said, strict=True) if not any(words < o for o in said)
    ]


def _rarity(names: Sequence[Name]) -> dict[str, float]:
    """Inverse document frequency of each word; empty for less than two documents, where no word
    tells one from another."""
    total = len({name.document_id for name in names})
    if total < 2:
        return {}
    frequency = Counter(word for name in names for word in name.words)
    return {word: math.log(1 + total / count) for word, count in frequency.items()}
