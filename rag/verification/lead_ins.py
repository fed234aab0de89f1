"""Words before or behind a claim that only say where it comes from ("Based on the passages, …").

English, German, French, Spanish and Italian. They name no fact, so a claim is judged without them;
what names an author ("According to the ministry, …") is a claim of its own and stays.
"""

from __future__ import annotations

import re
from typing import Final

_SOURCE: Final = (
    r"(?:passages?|documents?|texts?|context|sources?|excerpts?|articles?|information|materials?|"
    r"data|pages?|"
    r"dokumente?[ns]?|textstellen?|passagen?|textes?|abschnitte?[ns]?|quellen?|unterlagen|kontext|"
    r"informationen|angaben|texten?|auszüge?n?|"
    r"contexte|extraits?|informations?|pages?|"
    r"documentos?|pasajes?|textos?|contexto|fuentes?|fragmentos?|información|"
    r"document[oi]|passagg[io]|brani|brano|test[oi]|contesto|font[ei]|informazioni|estratt[oi])"
)
# What stands around the source's name: articles, "provided", "above", a passage's number.
_AROUND: Final = (
    r"(?:the|these|this|your|all|given|provided|available|above|following|retrieved|supplied|cited|"
    r"relevant|structured|numbered|context|you|"
    r"den|dem|der|die|das|des|diesen?|diesem|dieser|ihren?|vorliegenden?|angegebenen?|gegebenen?|"
    r"bereitgestellten?|obigen?|genannten?|zitierten?|"
    r"les?|la|l['’]|des?|du|ces?|cet|cette|vos|fourni(?:e?s?)|ci-dessus|donnée?s?|disponibles?|"
    r"el|los|las|del|estos?|esta|este|proporcionad[oa]s?|dad[oa]s?|anterior(?:es)?|"
    r"il|i|gli|lo|le|dei|degli|del(?:la|lo|l['’])?|questi|questo|fornit[oiae]|dat[oi]|"
    r"in|from|von|aus|dans|en|nel|nei|to|me|us|"
    r"\d+|and|und|et|y|e|,(?= ?\d))"
)
_FROM: Final = (
    r"(?:(?:based|relying) (?:up)?on|according to|judging by|as per|per|going by|from|in|"
    r"as (?:is )?(?:stated|mentioned|noted|described|shown|given|indicated|seen|outlined)"
    r"(?: in| by| from)?|"
    r"laut|gemäß|nach|zufolge|entsprechend|(?:basierend|beruhend) auf|"
    r"auf (?:der )?(?:grundlage|basis)(?: von)?|wie (?:in|aus)|in|"
    r"d['’]après|selon|sur la base|en se basant sur|basée? sur|conformément aux?|"
    r"comme (?:indiqué|mentionné|précisé|décrit)(?: dans| par)?|dans|"
    r"según|de acuerdo (?:con|a)|con base en|en base a|basándo(?:me|se|nos) en|sobre la base|"
    r"como (?:se )?(?:indica|menciona|señala|describe)(?: en)?|en|"
    r"secondo|in base ai?|sulla base|stando ai?|basandosi su[i]?|"
    r"come (?:indicato|riportato|descritto|menzionato)(?: nel| nei| da[il])?|nei?l?)"
)
# So many words at most: a run of them must not be read again from each of its words.
_RUN: Final = rf"(?:{_AROUND}(?:\b|(?<=,)) ?){{0,8}}"
_NAMED: Final = rf"{_FROM} {_RUN}{_SOURCE}\b(?: ?(?:{_AROUND}(?:\b|(?<=,))|\[\d+\])){{0,8}}"
_SUMMARY: Final = (
    r"(?:overall|in (?:summary|conclusion|short|brief)|to (?:summari[sz]e|sum up|conclude)|"
    r"in other words|zusammenfassend|zusammengefasst|insgesamt|kurz gesagt|"
    r"en (?:résumé|conclusion|bref|somme)|pour résumer|"
    r"en (?:resumen|conclusión|definitiva)|para resumir|"
    r"in (?:sintesi|conclusione|breve|definitiva)|riassumendo|per riassumere)"
)
# German puts the verb behind the source, without a comma: "Laut den Passagen beträgt die Miete …".
_GERMAN: Final = (
    rf"(?:laut|gemäß|nach|basierend auf|auf (?:der )?(?:grundlage|basis)(?: von)?) "
    rf"{_RUN}{_SOURCE}(?: \d+)?(?= )"
)
_BEFORE: Final = re.compile(
    rf"\W*(?:(?:{_NAMED}|{_SUMMARY})\W{{0,3}}[,:]|{_GERMAN}) *", re.IGNORECASE
)
_BEHIND: Final = re.compile(rf",? *\(?\b{_NAMED}\)?(?=\W*$)", re.IGNORECASE)
_ALL: Final = re.compile(rf"\W*(?:{_NAMED}|{_SUMMARY})\W*", re.IGNORECASE)
# Behind a claim only what cannot be a place that it tells of ("… is kept in the documents").
_TOLD: Final = re.compile(
    r",? *\(?(?:based on|according|as |laut|gemäß|d['’]après|selon|comme|según|de acuerdo|como|"
    r"secondo|come|in base)",
    re.IGNORECASE,
)
_HELD: Final = re.compile(
    rf"\W*{_RUN}{_SOURCE} (?:(?:do|does|all|also) )?(?:provide|give|contain|offer|hold|have|"
    r"include)s? (?:(?:enough|sufficient|relevant|some|all|the|necessary|useful|needed) ){0,4}"
    r"(?:information|details?|answers?)\b(?!.*\b(?:that|which|who)\b)[^,;:.\d]{0,60}\W*",
    re.IGNORECASE,
)


def claim_text(text: str) -> str:
    """What a statement claims: without signs of emphasis and lead-ins; "" where nothing is left."""
    claim = text.replace("*", "").replace("`", "")
    if _ALL.fullmatch(claim) or _HELD.fullmatch(claim):
        return ""
    while (found := _BEFORE.match(claim)) and any(map(str.isalnum, claim[found.end() :])):
        claim = claim[found.end() :]
    behind = _BEHIND.search(claim)
    if behind and behind.start() > 0 and _TOLD.match(behind.group()):
        claim = claim[: behind.start()] + claim[behind.end() :]
    return claim
