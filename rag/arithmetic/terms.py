"""Words as rows, columns and questions are compared by."""

from __future__ import annotations

import re
from typing import Final

from rag.terms import STOP_WORDS, fold, indexed_terms

# Behind a label: the number of a note, a footnote's sign.
_NOTES: Final = re.compile(
    r"\((?:[$€£¥]|us\$)?\s?(?:amounts |dollars )?(?:in )?(?:[$€£¥] )?"
    r"(?:in)?(?:thousands|millions|billions)[^)]*\)"
    r"|\((?:notes? )?\d{1,2}(?:[,\s]+\d{1,2})*\)|\(\w\)|[*†‡]+|(?<=[a-z])\d$",
    re.IGNORECASE,
)
_SMALL: Final = STOP_WORDS | frozenset(
    "der die das des dem den ein eine einer eines und oder von vom im in am an zu zum zur fur mit"
    " auf aus bei war waren ist sind wie hoch viel welche welcher welches was wurde betrug betragt"
    " le la les l d du de des un une et ou dans en au aux a sur pour est sont etait quel quelle"
    " quels quelles combien el los las del un una y o e u al por para es son fue eran cual cuanto"
    " cuanta il lo gli i della dello dei degli delle nel nella nei di da per con che era erano"
    " quale quanto quanta e stato stata between versus vs compared than both all during across over"
    " three two four five fys company companys respectively zwischen entre tra fra".split()
)
# What a date or a head of periods is made of besides its year.
_DATES: Final = (
    "january february march april may june july august september october november december jan feb"
    " mar apr jun jul aug sep sept oct nov dec year years ended ending end fiscal fy as of at on"
    " date period periods month months annual januar februar marz mai juni juli oktober dezember"
    " jahr jahre jahres geschaftsjahr stand zum janvier fevrier mars avril juin juillet aout"
    " septembre octobre novembre decembre exercice annee annees clos au enero febrero marzo abril"
    " mayo junio julio agosto septiembre octubre noviembre diciembre ano anos ejercicio gennaio"
    " febbraio aprile maggio giugno luglio settembre ottobre dicembre anno anni esercizio"
)
DATE_TERMS: Final = frozenset(
    term
    for code in ("en", "de", "fr", "es", "it")
    for term in (*_DATES.split(), *indexed_terms(_DATES, code))
) | frozenset(str(day) for day in range(1, 32))


def bare_label(text: str) -> str:
    """Without footnote marks."""
    return " ".join(_NOTES.sub(" ", text).split()).rstrip(" :.…")


def named_terms(text: str, language: str) -> frozenset[str]:
    """The terms of a text without small words."""
    return frozenset(ordered_terms(text, language))


def ordered_terms(text: str, language: str) -> list[str]:
    """The same in order."""
    words = [word for word in re.findall(r"[^\W_]+", fold(text)) if word not in _SMALL]
    return [term for word in words for term in indexed_terms(word, language)[:1]]


# Words of a question that say little of what is meant.
VAGUE_TERMS: Final = frozenset(
    indexed_terms("value amount number total net gross price wert betrag zahl gesamt", "en")
    + indexed_terms("montant nombre valor numero valore", "en")
)
PERCENT_TERMS: Final = frozenset(
    indexed_terms("percent percentage prozent pourcentage porcentaje percentuale", "en")
)
