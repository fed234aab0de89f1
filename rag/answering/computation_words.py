"""What a computed answer says in the question's language."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from rag.arithmetic.operations import Operation


@dataclass(frozen=True, slots=True)
class ComputationWords:
    """`missing` has a place for what is missing; `scales` are names of powers of ten."""

    names: Mapping[Operation, str]
    scales: Mapping[int, str]
    missing: str


_OPERATIONS: Final[tuple[Operation, ...]] = (
    "change", "growth", "average", "sum", "share", "ratio", "count",
)  # fmt: skip


def _of(names: str, scales: str, missing: str) -> ComputationWords:
    return ComputationWords(
        dict(zip(_OPERATIONS, names.split("|"), strict=True)),
        dict(zip((3, 6, 9), scales.split("|"), strict=True)),
        missing,
    )


_BY_LANGUAGE: Final = {
    "en": _of(
        "Change|Change in percent|Average|Sum|Share|Ratio|Count",
        "thousand|million|billion",
        "This cannot be computed. Not in the passages: {}.",
    ),
    "de": _of(
        "Veränderung|Veränderung in Prozent|Durchschnitt|Summe|Anteil|Verhältnis|Anzahl",
        "Tausend|Millionen|Milliarden",
        "Das lässt sich nicht berechnen. Nicht in den Passagen: {}.",
    ),
    "fr": _of(
        "Variation|Variation en pourcentage|Moyenne|Somme|Part|Rapport|Nombre",
        "milliers|millions|milliards",
        "Le calcul est impossible. Absent des passages : {}.",
    ),
    "es": _of(
        "Variación|Variación porcentual|Promedio|Suma|Proporción|Razón|Número",
        "miles|millones|miles de millones",
        "No se puede calcular. No está en los pasajes: {}.",
    ),
    "it": _of(
        "Variazione|Variazione percentuale|Media|Somma|Quota|Rapporto|Numero",
        "migliaia|milioni|miliardi",
        "Il calcolo non è possibile. Assente dai passaggi: {}.",
    ),
}


def computation_words(language: str) -> ComputationWords:
    """English for a language that is none of these."""
    return _BY_LANGUAGE.get(language, _BY_LANGUAGE["en"])
