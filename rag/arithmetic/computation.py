"""A question and the pages it found to a computation: its operands, each with its place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rag.arithmetic.figures import Figure, table_figures
from rag.arithmetic.formula import Result, compute
from rag.arithmetic.operands import Operands
from rag.arithmetic.question import Wanted, wanted
from rag.arithmetic.sentences import sentence_figures
from rag.verification.closed_classes import language_of


@dataclass(frozen=True, slots=True)
class Computed:
    """`result` is None where operands are `missing`; at least one figure is there."""

    asked: Wanted
    figures: tuple[Figure, ...]
    result: Result | None
    missing: tuple[str, ...] = ()


def _figures(text: str, language: str, source: int) -> Iterator[Figure]:
    yield from table_figures(text, language, source)
    yield from sentence_figures(text, language, source)


def computed(question: str, texts: Sequence[str]) -> Computed | None:
    """What the numbers of some texts give; None where the question wants no arithmetic, or nothing
    in the texts is an operand. A figure's `source` is the index of its text."""
    asked = wanted(question)
    if asked is None:
        return None
    figures = [
        figure
        for source, text in enumerate(texts)
        for figure in _figures(text, language_of(text, asked.language), source)
    ]
    found = Operands(figures, asked).best() if figures else None
    if found is None:
        return None
    if found.missing:
        return Computed(asked, found.figures, None, found.missing)
    result = compute(asked, found.figures)
    return Computed(asked, found.figures, result) if result else None
