"""Sentences that say that the documents do not say, and sentences that say nothing."""

from __future__ import annotations

import re

_SOURCE = (
    r"(?:documents?|passages?|texts?|context|sources?|excerpts?|information|materials?|pages?|"
    r"dokumente?n?|textstellen?|passagen?|textes?|abschnitte?n?|quellen?|unterlagen|kontext)"
)
_NOT_SAID = (
    r"(?:do(?:es)?(?: not|n['’]t)|did(?: not|n['’]t)|cannot|can['’]?t) +(?:\w+ +){0,2}?"
    r"(?:say|state|mention|contain|hold|provide|include|specify|give|answer|tell|address|discuss|"
    r"cover|indicate|reveal|have|offer|disclose)"
)
_REFUSALS = (
    rf"\b{_SOURCE}\b[^.;]{{0,60}}?\b{_NOT_SAID}\b",
    rf"\bno (?:\w+ ){{0,3}}(?:{_SOURCE}|mention|answer|details?|data)\b[^.;]{{0,80}}?"
    rf"(?:\b(?:in|from|within|by)\b[^.;]{{0,40}}\b{_SOURCE}\b|\b(?:given|provided|found|available)\b)",
    rf"\bnot (?:\w+ ){{0,2}}?(?:mentioned|stated|provided|specified|found|given|contained|answered|"
    rf"available|included|addressed)\b[^.;]{{0,30}}\b(?:in|by|from|within)\b[^.;]{{0,30}}\b{_SOURCE}\b",
    rf"\b(?:i|we)(?: am|['’]m)? (?:\w+ )?(?:cannot|can['’]?t|could(?: not|n['’]t)|unable to|"
    rf"not able to|do(?: not|n['’]t)) (?:find|answer|determine|have|know|locate|provide|say)\b"
    rf"(?:(?=\W*$)|[^.;]{{0,80}}\b(?:{_SOURCE}|answer|question|enough|details?|this|that|it)\b)",
    rf"\b(?:not|n['’]t) (?:enough|sufficient) (?:\w+ )?{_SOURCE}\b",
    rf"\b{_SOURCE}\b[^.;]{{0,60}}?\b(?:nicht|keine?n?|nichts|keinerlei)\b[^.;]{{0,60}}",
    rf"\bin (?:den|der|dem|diesen) [^.;]{{0,30}}\b{_SOURCE}\b[^.;]{{0,40}}\b(?:nichts?|kein\w*)\b",
    r"\b(?:keine|nicht genügend) (?:\w+ )?(?:angaben?|informationen?|antwort|hinweise?)\b",
    r"\bich (?:kann|konnte|weiß)\b[^.;]{0,60}\b(?:nicht|keine?)\b",
)
_REFUSAL = re.compile("|".join(f"(?:{pattern})" for pattern in _REFUSALS), re.IGNORECASE)
_PLEASANTRY = re.compile(
    r"\W*(?:sure|certainly|of course|absolutely|great question|good question|thank(?:s| you)|"
    r"you['’]?re welcome|hello|hi|i(?: am|['’]m) (?:sorry|happy to)|sorry|i hope|"
    r"hope (?:this|that)|let me know|feel free|please (?:let|feel|note that i)|"
    r"if you (?:have|need|would like|want)|"
    r"here (?:is|are)\b[^.]*:|gerne?|natürlich|selbstverständlich|ich hoffe|danke|hallo|"
    r"wenn (?:du|sie) (?:noch|weitere)|falls (?:du|sie))\b[^\n]{0,120}",
    re.IGNORECASE,
)


def is_refusal(sentence: str) -> bool:
    """Whether a sentence says that the documents do not hold the answer (English, German)."""
    return _REFUSAL.search(sentence) is not None


def is_pleasantry(sentence: str) -> bool:
    """Whether a sentence is courtesy or a lead-in to what follows ("Here are the figures:")."""
    return sentence.rstrip(" *_").endswith((":", "：")) or (
        _PLEASANTRY.fullmatch(sentence) is not None
    )
