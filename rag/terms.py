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

from rag.common_words import STOP_WORDS as STOP_WORDS
from rag.common_words import stop_words

# ISO 639-1 codes that Snowball has a stemmer for, with its name of the language.
_STEMMERS: Final = {
    "ar": "arabic", "ca": "catalan", "da": "danish", "de": "german", "el": "greek",
    "en": "english", "es": "spanish", "eu": "basque", "fi": "finnish", "fr": "french",
    "ga": "irish", "hi": "hindi", "hu": "hungarian", "hy": "armenian", "id": "indonesian",
    "it": "italian", "lt": "lithuanian", "ne": "nepali", "nl": "dutch", "no": "norwegian",
    "pt": "portuguese", "ro": "romanian", "ru": "russian", "sv": "swedish", "ta": "tamil",
    "tr": "turkish",
}  # fmt: skip
# Their stemmers want the marks that `fold` takes away, as in й. Where people often leave accents
# out, in the Latin script, a word is folded before it is stemmed, so that both spellings meet.
_STEMMED_WITH_MARKS: Final = frozenset({"ar", "el", "hi", "hy", "ne", "ru", "ta"})

_NUMBER_COMMAS = re.compile(r"(?<=\d),(?=\d{3}\b)")
# Letters and digits with their marks. Python counts no vowel sign of India as part of a word: whole
# blocks but for their full stops.
_MARKS = r"\u0300-\u036f\u064b-\u065f\u0900-\u0963\u0966-\u0dff\u0e31-\u0e4e\u0eb1-\u0ece"
_LETTER = rf"(?:[^\W_]|[{_MARKS}])"
# Vowels of Hebrew and Arabic above and below the letters, and the stroke that makes words longer:
# some write them, most do not.
_POINTS = re.compile(
    "[\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7"
    "\u0610-\u061a\u0640\u064b-\u065f\u0670\u06d6-\u06dc]"
)
_WORD = re.compile(rf"{_LETTER}+(?:[.'’](?={_LETTER}){_LETTER}+)*")
_COMPOUND_PART = re.compile(r"\d+(?:\.\d+)*|[^\W\d_]+")
# Scripts written without spaces: Thai, Lao, Hiragana, Katakana, Han.
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]+")
# What is read as one sign in them: a letter with the vowels and tones around it.
_BEFORE = r"\u0e40-\u0e44\u0ec0-\u0ec4"
_AFTER = r"\u0e30-\u0e3a\u0e45-\u0e4e\u0eb0-\u0ebc\u0ec8-\u0ece"
_SIGN = re.compile(rf"[{_BEFORE}]?.[{_AFTER}]*")


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
    pairs = list(_pairs(text, language))
    stop = stop_words(language)
    kept = [term for word, term in pairs if word not in stop]
    return kept or [term for _, term in pairs]


def _terms(text: str, language: str) -> Iterator[str]:
    return (term for _, term in _pairs(text, language))


def _pairs(text: str, language: str) -> Iterator[tuple[str, str]]:
    """(word as stop words are written, its stem); a compound such as FY2018 also gives its
    parts."""
    for match in _WORD.finditer(_NUMBER_COMMAS.sub("", _lowered(text))):
        yield from _of_word(match.group(), language or "en")


@lru_cache(maxsize=1 << 16)  # texts say most of their words again: a third of the time
def _of_word(word: str, language: str) -> tuple[tuple[str, str], ...]:
    word = word.removesuffix("'s").removesuffix("’s")
    if _UNSPACED.search(word):
        return tuple((gram, gram) for gram in _grams(word))
    if language in _STEMMED_WITH_MARKS and not word.isascii():
        stemmed = fold(_stemmer(language)(word))
        return ((word, stemmed),) if stemmed else ()
    stem, bare = _stemmer(language), fold(word)
    parts = _COMPOUND_PART.findall(bare)
    several = [part for part in parts if len(part) > 1] if len(parts) > 1 else []
    whole = ((word, stem(bare)),) if bare else ()
    return (*whole, *((part, stem(part)) for part in several))


def words(text: str) -> list[str]:
    """The words of a text, lower case, figures too."""
    return _WORD.findall(_lowered(text))


def fold(text: str) -> str:
    """Lower case without accents or compatibility forms: "Ünïte" and "ＵＮＩＴＥ" meet."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text).casefold()
    bare = "".join(char for char in decomposed if not unicodedata.combining(char))
    return unicodedata.normalize("NFKC", bare)


def _lowered(text: str) -> str:
    """Lower case with its accents, in one way of writing them."""
    if text.isascii():
        return text.lower()
    lowered = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return _POINTS.sub("", lowered)


def _grams(word: str) -> Iterator[str]:
    """Each sign and each pair of signs, in order, of scripts without spaces; then what else there
    is. Signs alone find what a pair misses: on Chinese page@1 rose by a point."""
    for run in _UNSPACED.findall(word):
        signs = _SIGN.findall(run)
        for i, sign in enumerate(signs):
            yield sign
            if i + 1 < len(signs):
                yield sign + signs[i + 1]
    yield from fold(_UNSPACED.sub(" ", word)).split()


@lru_cache
def _stemmer(language: str) -> Any:
    name = _STEMMERS.get(language)
    if name is None:
        return str
    import Stemmer

    return Stemmer.Stemmer(name).stemWord
