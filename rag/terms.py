"""Text to the terms that full-text search compares: the same rules for passages and questions.

LanceDB's own tokenizers have one language a table and keep "FY2018" whole, so the terms are made
here and LanceDB only splits at spaces.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final

# ISO 639-1 codes that Snowball has a stemmer for, with its name of the language.
_STEMMERS: Final = {
    "ar": "arabic", "da": "danish", "de": "german", "en": "english", "es": "spanish",
    "fi": "finnish", "fr": "french", "hu": "hungarian", "it": "italian", "nl": "dutch",
    "no": "norwegian", "pt": "portuguese", "ro": "romanian", "ru": "russian", "sv": "swedish",
    "tr": "turkish",
}  # fmt: skip

_NUMBER_COMMAS = re.compile(r"(?<=\d),(?=\d{3}\b)")
_WORD = re.compile(r"[^\W_]+(?:[.'’](?=[^\W_])[^\W_]+)*")
_COMPOUND_PART = re.compile(r"\d+(?:\.\d+)*|[^\W\d_]+")
# Scripts written without spaces: Han, Hiragana, Katakana, Thai.
_UNSPACED = re.compile(r"[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]+")

# Words so common that they only cost time in a question. Passages keep theirs, for phrases.
STOP_WORDS: Final = frozenset(
    "a an and are as at be been but by can could did do does for from had has have how i if in into"
    " is it its me my of on or our shall should so than that the their them then there these they"
    " this those to was we were what when where which who whom whose why will with would you"
    " your".split()
)


@lru_cache
def phrase_pattern(phrase: str) -> re.Pattern[str]:
    """What a glossary's key (a phrase or regular expression) matches: whole words, in any case.

    Raises re.error.
    """
    return re.compile(rf"(?<!\w)(?:{phrase})(?!\w)", re.IGNORECASE)


def indexed_terms(text: str, language: str) -> list[str]:
    """The terms of a passage, in order. `language` is ISO 639-1; "" is treated as English."""
    return list(_terms(text, language))


def query_terms(text: str, language: str = "") -> list[str]:
    """The terms of a question without stop words (with them, if nothing else is left)."""
    folded = [(word, term) for word, term in _pairs(text, language)]
    kept = [term for word, term in folded if word not in STOP_WORDS]
    return kept or [term for _, term in folded]


def _terms(text: str, language: str) -> Iterator[str]:
    return (term for _, term in _pairs(text, language))


def _pairs(text: str, language: str) -> Iterator[tuple[str, str]]:
    """(folded word, its stem); a compound such as FY2018 also gives its parts."""
    for match in _WORD.finditer(_NUMBER_COMMAS.sub("", fold(text))):
        yield from _of_word(match.group(), language or "en")


@lru_cache(maxsize=1 << 16)  # texts say most of their words again: a third of the time
def _of_word(word: str, language: str) -> tuple[tuple[str, str], ...]:
    word = word.removesuffix("'s").removesuffix("’s")
    if _UNSPACED.search(word):
        return tuple((gram, gram) for gram in _bigrams(word))
    stem, parts = _stemmer(language), _COMPOUND_PART.findall(word)
    several = [part for part in parts if len(part) > 1] if len(parts) > 1 else []
    return tuple((part, stem(part)) for part in (word, *several))


def fold(text: str) -> str:
    """Lower case without accents or compatibility forms: "Ünïte" and "ＵＮＩＴＥ" meet."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text).casefold()
    bare = "".join(char for char in decomposed if not unicodedata.combining(char))
    return unicodedata.normalize("NFKC", bare)


def _bigrams(word: str) -> Iterator[str]:
    for run in _UNSPACED.findall(word):
        yield from (run[i : i + 2] for i in range(max(1, len(run) - 1)))
    yield from _UNSPACED.sub(" ", word).split()


@lru_cache
def _stemmer(language: str) -> Any:
    name = _STEMMERS.get(language)
    if name is None:
        return str
    import Stemmer

    return Stemmer.Stemmer(name).stemWord
