"""What an embedder's cosines are worth in one index, by language. Pure.

Measured on the index's own passages (`rag/ingest/calibration.py`), so that nothing here holds for
one embedding model alone: E5's cosines lie between 0.7 and 0.9, MiniLM's between 0 and 0.6.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from rag.terms import words

Floats = npt.NDArray[np.float32]

# Letters that a token stands for, in words alone: tokenizers spell out the languages that they
# were not made for. MiniLM: English 3.6 to 4.7, German 2.7, Russian 1.05; multilingual E5: 3.0 to
# 4.5 in sixteen languages. Below the first the vectors count nothing, above the second all.
LETTERS: Final = (2.5, 3.3)
# More in one token is no word that is known but one that is not: [UNK].
_UNKNOWN: Final = 10.0
# Spreads between a sentence's cosine to its own passage and those to others: below the first the
# vectors tell nothing apart. MiniLM: English 4.7 to 6.7, Chinese 1.8, Russian 1.5; E5: 4.9 to 6.1.
APART: Final = (0.5, 1.5)
_LEAST: Final = 0.25  # less is no scale
# Documents of one template are all alike: their passages count as unrelated no further than this
# part of the way from passages of wholly other matters to a sentence's own.
_ALIKE: Final = 0.35
# Vectors that know nothing of a language still put in order what no word of the question finds.
FLOOR: Final = 0.05
# A cosine that lies as far again by half above unrelated passages as a sentence's own passage does
# counts as 1: a sentence may be nearer to a question than any passage.
_REACH: Final = 1.5


@dataclass(frozen=True, slots=True)
class Likeness:
    """Of one language: mean cosines of sentences, asked as questions, to passages that do not hold
    them and to their own; and how well the embedder knows the language, 0 to 1."""

    unrelated: float
    own: float
    known: float = 1.0

    def of(self, cosine: float) -> float:
        """A cosine on a scale that all embedders share: 0 (an unrelated passage) to 1."""
        return min(
            1.0, max(0.0, (cosine - self.unrelated) / (_REACH * (self.own - self.unrelated)))
        )


@dataclass(frozen=True, slots=True)
class Calibration:
    """By the languages of documents, ISO 639-1, "" for unknown ones; `chunks` there were then."""

    embedder: str
    chunks: int
    languages: Mapping[str, Likeness]

    def likeness(self, language: str) -> Likeness | None:
        """Of documents in the language; of the commonest where it was not measured."""
        first = next(iter(self.languages.values()), None)
        return self.languages.get(language, first)

    def known(self, language: str) -> float:
        """What the vectors of documents in the language count, 0 to 1."""
        found = self.languages.get(language)
        return 1.0 if found is None else max(FLOOR, found.known)

    def json(self) -> str:
        return json.dumps(asdict(self), indent=2)

    @classmethod
    def read(cls, text: str) -> Calibration:
        """Raises ValueError for what is no calibration."""
        try:
            fields: dict[str, Any] = json.loads(text)
            languages = {str(k): Likeness(**v) for k, v in fields.pop("languages").items()}
            return cls(**fields, languages=languages)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"no calibration: {error}") from error


# The bundled model's in English (squad, mtrag), for indexes that were made before it was measured.
BUNDLED: Final = "all-MiniLM-L6-v2"
UNMEASURED: Final = Calibration("", 0, {"": Likeness(0.04, 0.63)})


def known_by_tokens(texts: Sequence[str], tokens: Sequence[int]) -> float:
    """How well a tokenizer knows the language of words (`bare_words`), by its counts, 0 to 1."""
    total = sum(tokens)
    letters = sum(map(_letters, texts))
    each = letters / total if total else 0.0
    return 0.0 if each > _UNKNOWN else _ramp(each, LETTERS)


def bare_words(text: str) -> str:
    """The words without figures and punctuation, which every tokenizer spells out."""
    found = ("".join(char for char in word if not char.isdigit()) for word in words(text))
    return " ".join(filter(None, found))


def likeness(own: Floats, others: Floats, elsewhere: Floats, by_tokens: float) -> Likeness | None:
    """From the cosines of sentences to their own passages, to those of other documents (none where
    there is one document), and to passages of wholly other matters."""
    compared = others if others.size else elsewhere
    spread = float(compared.std()) if compared.size else 0.0
    if not own.size or spread < 1e-6:
        return None
    near, far = float(own.mean()), float(elsewhere.mean())
    unrelated = min(float(compared.mean()), far + _ALIKE * (near - far))
    if near - unrelated < _LEAST * spread:
        return None
    apart = (near - float(others.mean())) / spread if others.size else APART[1]
    return Likeness(round(unrelated, 4), round(near, 4), round(by_tokens * _ramp(apart, APART), 3))


def _ramp(value: float, ends: tuple[float, float]) -> float:
    return float(np.clip((value - ends[0]) / (ends[1] - ends[0]), 0, 1))


def _letters(text: str) -> float:
    """A Han or Kana sign says what two or three letters say, a Hangul syllable two."""
    return sum(2.5 if "\u3040" <= c <= "\u9fff" else 2.0 if "\uac00" <= c <= "\ud7a3" else 1.0
               for c in text if not c.isspace())  # fmt: skip
