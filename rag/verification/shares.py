"""Of what a percentage is one: "71 per cent of the greatest possible sum". Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from rag.verification.consistency import Said
from rag.verification.evidence_units import Unit
from rag.verification.numbers import Number
from rag.verification.words import content_terms

_BASE: Final = re.compile(
    r"\s*(?:%|per\s?cent|prozent|pour\s?cent|por\s?ciento|per\s?cento)\s+"
    r"(?:of|von|vom|der|des|de\sla|del|de|du|della|dello|degli|delle|dei|di)\s+"
    r"(?P<base>[^.,;:()]{3,60})",
    re.IGNORECASE,
)
_WORDS: Final = 4  # of what stands behind "of": articles, an adjective or two, the noun
# Where the base ends, if it has fewer.
_END: Final = re.compile(
    r"\s(?:in|at|on|by|for|from|and|is|was|were|are|im|am|und|ist|war|et|est|en|y|es|e|è|nel)\s",
    re.IGNORECASE,
)


def other_base(said: Said, unit: Unit) -> frozenset[str]:
    """The terms of what the claim's percentage is one of, where the statement has the same one of
    something else; otherwise none."""
    for number, base in _bases(said.text, said.numbers, said.language):
        told = [
            own
            for other, own in _bases(unit.text, unit.numbers, unit.language)
            if number.agrees(other)
        ]
        if told and not any(base & own for own in told):
            return base
    return frozenset()


def _bases(
    text: str, numbers: tuple[Number, ...], language: str
) -> Iterator[tuple[Number, frozenset[str]]]:
    for number in numbers:
        if (found := _BASE.match(text, number.end)) is not None:
            words = _END.split(f"{found['base']} ", maxsplit=1)[0].split()[:_WORDS]
            if terms := content_terms(" ".join(words), language):
                yield number, terms
