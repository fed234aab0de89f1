"""What a statement says that must not change: its terms, names and negations."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NamedTuple

from rag.terms import STOP_WORDS, fold, indexed_terms
from rag.verification.closed_classes import classes
from rag.verification.numbers import is_number_word, month_of

_GERMAN: Final = frozenset(
    "der die das den dem des und ist sind war wurde wurden nicht ein eine einer eines einem einen"
    " im zu mit von für auf bei als auch sich es er sie wird werden kein keine nach oder beträgt"
    .split()
)  # fmt: skip
_STOP: Final = STOP_WORDS | _GERMAN - {"nicht", "kein", "keine"} | frozenset(
    "also according about passage passages document documents said says each such per over only"
    " more most other some any all both very just through between during its he she his her him"
    " because while after before under up out off against what one".split()
)  # fmt: skip
_NEGATION = re.compile(
    r"\b(?:not|no|never|none|neither|nor|cannot|without|nobody|nothing|nowhere|nicht|nichts|nie|"
    r"niemals|niemand|ohne|weder|kein\w{0,2})\b|n['’]t\b",
    re.IGNORECASE,
)
_NO_NEGATION = re.compile(r"\bno\.\s*\d|\bnot only\b|\bnicht nur\b|\bno more than\b", re.IGNORECASE)
_CLAUSE = re.compile(
    r"[,;:–—]\s+|\s+(?=(?:but|although|though|while|whereas|which|because|aber|obwohl|während|"
    r"sondern|weil)\b)",
    re.IGNORECASE,
)

_WORD = re.compile(r"[^\W\d_]+(?:['’.&-](?=[^\W\d_])[^\W\d_]+)*|\w+")
_PARTICIPLE = re.compile(r"^(|ab|an|auf|aus|ein|vor|zu|zuruck|uber|unter)ge(\w{3,}(?:t|en))$")
_PART = re.compile(r"[^\W\d_]+|\d+")
_UNSPACED = re.compile(r"[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")


class Token(NamedTuple):
    """`text[start:end]` as the comparison sees it: folded and stemmed."""

    start: int
    end: int
    term: str


@lru_cache(1 << 16)
def term(word: str, language: str = "en") -> str:
    """A word as terms.py stems it, and what Snowball leaves apart: U.S. and US are one, "paid" and
    "pay", "gezahlt" and "zahlen"."""
    if re.fullmatch(r"(?:[^\W\d_]\.)+[^\W\d_]\.?", word):
        word = word.replace(".", "")
    folded = fold(word)
    word = classes(language).irregular.get(folded, word)
    if language == "de":
        word = _PARTICIPLE.sub(r"\1\2", folded)
    terms = indexed_terms(word, language)
    stem = terms[0] if terms else fold(word)
    # Snowball keeps the -t of German verbs: "wohnt" and "wohnen".
    return stem[:-1] if language == "de" and len(stem) > 4 and stem[-1] == "t" else stem


def tokens(text: str, language: str = "en") -> list[Token]:
    """The words of a text in order, without numbers; scripts without spaces give pairs of signs."""
    found: list[Token] = []
    for match in _WORD.finditer(text):
        word, start = match.group(), match.start()
        if _UNSPACED.search(word):
            found += [
                Token(start + i, start + i + 2, word[i : i + 2])
                for i in range(max(1, len(word) - 1))
            ]
        elif any(char.isdigit() for char in word):
            parts = [p for p in _PART.finditer(word) if not p.group().isdigit()]
            found += [
                Token(start + p.start(), start + p.end(), term(p.group(), language)) for p in parts
            ]
        else:
            found.append(Token(start, match.end(), term(word, language)))
            if "-" in word:
                pieces = re.finditer(r"[^-]+", word)
                found += [
                    Token(start + p.start(), start + p.end(), term(p.group(), language))
                    for p in pieces
                ]
    return found


@lru_cache
def _stop_terms(language: str) -> frozenset[str]:
    own = classes(language).small if language in ("fr", "es", "it") else frozenset()
    return frozenset(term(word, language) for word in _STOP | own)


def content_terms(text: str, language: str = "en") -> frozenset[str]:
    """The terms that carry meaning: no small words, no negations, no numbers."""
    stop = _stop_terms(language)
    return frozenset(
        t.term
        for t in tokens(text, language)
        if t.term not in stop
        and not is_number_word(text[t.start : t.end].casefold())
        and not _NEGATION.fullmatch(text[t.start : t.end])
    )


def plain_words(text: str) -> list[tuple[str, int, int]]:
    """Every word and number, folded, with its span: what a verbatim quote is compared by."""
    found = []
    for match in re.finditer(r"\d+(?:[.,]\d+)*|[^\W\d_]+|\d+", text):
        word = fold(match.group())
        if word[:1].isdigit():
            word = re.sub(r",(?=\d{3}(?!\d))", "", word)
        found.append((word, match.start(), match.end()))
    return found


def names(text: str, language: str = "en") -> frozenset[str]:
    """Terms of capitalised words that do not begin the sentence.

    In German, where every noun is capitalised, only words with a capital inside or after it count
    (USA, iPhone) and runs of two (Angela Merkel).
    """
    words = [m for m in _WORD.finditer(text) if m.group()[0].isalpha()]
    found: set[str] = set()
    for i, match in enumerate(words):
        word = match.group()
        if fold(word) in _STOP or month_of(word):
            continue
        begins = i == 0 or bool(re.search(r"[:\"“„»|]\s*$", text[: match.start()]))
        beside = any(_one_name(text, words, j) for j in (i - 1, i))
        inner = any(char.isupper() for char in word[1:])
        if inner or (word[0].isupper() and (beside or not (language == "de" or begins))):
            found.add(term(word, language))
    return frozenset(found)


def _one_name(text: str, words: list[re.Match[str]], i: int) -> bool:
    """Whether words i and i + 1 are capitalised neighbours that both may belong to a name."""
    if not 0 <= i < len(words) - 1:
        return False
    a, b = words[i], words[i + 1]
    capitals = a.group()[0].isupper() and b.group()[0].isupper()
    between = text[a.end() : b.start()]
    return capitals and between in (" ", ". ") and fold(a.group()) not in _STOP


def negated(text: str, about: frozenset[str], language: str = "en") -> bool:
    """Whether a clause of the text that speaks of `about` (terms) holds a negation.

    A clause speaks of it if it has at least two fifths of those of the terms that the text has:
    in "It paid no dividend, although revenue rose" the revenue is not negated.
    """
    if not has_negation(text):
        return False
    clauses = [clause for clause in _CLAUSE.split(text) if clause.strip()]
    shares = [len(content_terms(clause, language) & about) for clause in clauses]
    least = 0.4 * len(content_terms(text, language) & about)
    return any(
        has_negation(clause)
        for clause, share in zip(clauses, shares, strict=True)
        if share >= least
    )


def last_clause(text: str) -> str:
    return _CLAUSE.split(text)[-1]


def has_negation(text: str) -> bool:
    return _NEGATION.search(_NO_NEGATION.sub("", text)) is not None
