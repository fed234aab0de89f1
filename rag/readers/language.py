"""The language of a text, by its script and its commonest words. "" when unsure."""

from __future__ import annotations

import re
from collections import Counter

from rag.common_words import COMMON_WORDS

_LETTERS = 20_000  # looked at: more text does not change the answer
_MIN_SHARE = 0.12  # of all words; running text has 0.3 to 0.5 of its language's
_SCRIPTS = (
    ("ja", re.compile("[\u3040-\u30ff]"), 0.05),
    ("ko", re.compile("[\uac00-\ud7af\u1100-\u11ff]"), 0.3),
    ("zh", re.compile("[\u4e00-\u9fff]"), 0.3),
    ("el", re.compile("[\u0370-\u03ff]"), 0.5),
    ("he", re.compile("[\u0590-\u05ff]"), 0.5),
    ("ar", re.compile("[\u0600-\u06ff]"), 0.5),
    ("th", re.compile("[\u0e00-\u0e7f]"), 0.5),
    ("hi", re.compile("[\u0900-\u097f]"), 0.5),
)
_CYRILLIC = re.compile("[\u0400-\u04ff]")


def detect_language(text: str) -> str:
    """ISO 639-1 code, or "": too little text, or no language clearly ahead."""
    sample = text[:_LETTERS]
    letters = sum(char.isalpha() for char in sample)
    if letters < 20:
        return ""
    for language, script, share in _SCRIPTS:
        if len(script.findall(sample)) >= share * letters:
            return language
    if len(_CYRILLIC.findall(sample)) >= 0.5 * letters:
        return _cyrillic(sample)
    return _by_words(sample)


def _cyrillic(sample: str) -> str:
    """Russian unless it has letters that Russian lacks; only Ukrainian is told apart."""
    if re.search("[іїєґІЇЄҐ]", sample):
        return "uk"
    return "ru" if re.search("[ыэёЫЭЁ]", sample) else ""


def _by_words(sample: str) -> str:
    words = re.findall(r"[^\W\d_]+", sample.lower())
    scores = Counter(
        {code: sum(word in common for word in words) for code, common in COMMON_WORDS.items()}
    )
    (best, score), (_, second) = scores.most_common(2)
    clear = score >= max(4, _MIN_SHARE * len(words)) and score >= 1.15 * second
    return best if clear else ""
