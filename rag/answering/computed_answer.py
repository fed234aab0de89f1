"""An answer that is computed: the formula, each operand cited, or which of them is missing."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from typing import Final

from rag.answering.computation_words import ComputationWords, computation_words
from rag.answering.final_answer import pages_of
from rag.answering.map_reduce import Pages
from rag.arithmetic.computation import Computed, computed
from rag.arithmetic.figures import Figure
from rag.arithmetic.formula import Result, formula, number_text
from rag.arithmetic.question import wanted
from rag.computation import Computation, Operand
from rag.events import Retrieved
from rag.quotes import span_boxes
from rag.types import Answer, Citation, Claim, Hit, Page

_QUOTE_LIMIT: Final = 300
_NAME_LIMIT: Final = 140
_MARKER_LIKE: Final = re.compile(r"\[(\d+)\]")


async def computed_answer(retrieved: Retrieved, source: Pages) -> Answer | None:
    """None where the question wants no arithmetic or the passages' pages hold no operand."""
    if not retrieved.hits or wanted(retrieved.question) is None:
        return None
    pages = await pages_of(retrieved.hits, source)
    return await asyncio.to_thread(_computed, retrieved, pages)


def _computed(retrieved: Retrieved, pages: Mapping[tuple[str, int], Page]) -> Answer | None:
    keys = list(pages)
    computation = computed(retrieved.question, [pages[key].text for key in keys])
    if computation is None:
        return None
    sources = _Sources(retrieved.hits, [pages[key] for key in keys], [key[0] for key in keys])
    numbers = [sources.number(figure) for figure in computation.figures]
    text, claims = _told(computation, numbers)
    return Answer(
        question=retrieved.question,
        search_text=retrieved.search_text,
        text=text,
        claims=claims,
        citations=tuple(sources.citations.values()),
        hits=retrieved.hits,
        refused=False,
        finish=None,
        model="",
        computation=_data(computation, numbers),
    )


class _Sources:
    """The citations so far: a row or sentence has one number."""

    def __init__(
        self, hits: Sequence[Hit], pages: Sequence[Page], documents: Sequence[str]
    ) -> None:
        self.hits, self.pages, self.documents = hits, pages, documents
        self.citations: dict[tuple[int, int], Citation] = {}

    def number(self, figure: Figure) -> int:
        key = (figure.source, figure.row_start)
        if key not in self.citations:
            self.citations[key] = self._citation(figure, len(self.citations) + 1)
        return self.citations[key].number

    def _citation(self, figure: Figure, number: int) -> Citation:
        page, document = self.pages[figure.source], self.documents[figure.source]
        start, end = figure.row_start, figure.row_end
        if end - start > _QUOTE_LIMIT:
            start = max(start, figure.end - _QUOTE_LIMIT)
            end = min(end, start + _QUOTE_LIMIT)
        quote = page.text[start:end]
        of_page = [hit for hit in self.hits if _holds(hit, document, page.number)]
        hit = next((one for one in of_page if quote in one.chunk.text), of_page[0])
        boxes = span_boxes(page, start, end)
        return Citation(
            number, hit.document, page.number, page.label, quote, boxes, 1.0, hit.chunk.id
        )


def _holds(hit: Hit, document: str, page: int) -> bool:
    inside = hit.chunk.first_page <= page <= hit.chunk.last_page
    return hit.document.id == document and inside


# ── the text ──────────────────────────────────────────────────────────────────────────────────


def _told(computation: Computed, numbers: Sequence[int]) -> tuple[str, tuple[Claim, ...]]:
    """The result with its formula, then each operand by name."""
    words = computation_words(computation.asked.language)
    lines: list[tuple[str, tuple[int, ...]]] = []
    if computation.result is not None:
        line = _result_line(computation, computation.result, numbers, words)
        lines.append((line, tuple(dict.fromkeys(numbers))))
    else:
        missing = "; ".join(missing_names(computation))
        lines.append((words.missing.format(missing), ()))
    lines += [
        (f"- {_named(figure)}: {figure.written} [{number}]", (number,))
        for figure, number in zip(computation.figures, numbers, strict=True)
    ]
    text, claims = "", []
    for index, (line, cited) in enumerate(lines):
        text += ("", "\n\n", "\n")[min(index, 2)]
        if cited:
            begin = len(text) + 2 * line.startswith("- ")
            claims.append(Claim(begin, len(text) + len(line), cited, "supported"))
        text += line
    return text, tuple(claims)


def _result_line(
    computation: Computed, result: Result, numbers: Sequence[int], words: ComputationWords
) -> str:
    figures, asked = computation.figures, computation.asked
    mixed = len({figure.scale for figure in figures}) > 1
    written = [
        f"{_operand(figure, words, scaled=mixed)} [{number}]"
        for figure, number in zip(figures, numbers, strict=True)
    ]
    value = number_text(result.rounded, result.unit, comma=figures[0].comma)
    sign = "=" if result.rounded == result.value else "≈"
    made = formula(asked.operation, written, percent=asked.percent)
    return f"{words.names[asked.operation]}: {_scaled(value, result.scale, words)} {sign} {made}"


def _operand(figure: Figure, words: ComputationWords, *, scaled: bool) -> str:
    text = number_text(figure.value, figure.unit, comma=figure.comma)
    text = _scaled(text, figure.scale if scaled else 0, words)
    return f"({text})" if figure.value < 0 else text


def _scaled(text: str, scale: int, words: ComputationWords) -> str:
    return f"{text} {words.scales[scale]}" if scale in words.scales else text


def missing_names(computation: Computed) -> list[str]:
    """What is missing, in the words of the row that lacks it or of the question."""
    figure = computation.figures[0]
    periods = set(computation.asked.periods)
    return [
        f"{_plain(figure.name)}, {name}" if name in periods else _plain(name)
        for name in computation.missing
    ]


def _named(figure: Figure) -> str:
    if figure.sentence:
        return f"“{_plain(figure.name)}”"
    return ", ".join(filter(None, (_plain(figure.name), _plain(figure.column))))


def _plain(text: str) -> str:
    """On one line, not too long, and without what looks like a citation."""
    line = _MARKER_LIKE.sub(r"(\1)", " ".join(text.split()))
    return line if len(line) <= _NAME_LIMIT else line[: _NAME_LIMIT - 1].rstrip() + "…"


def _data(computation: Computed, numbers: Sequence[int]) -> Computation:
    asked, result = computation.asked, computation.result
    written = [number_text(f.value, f.unit, comma=False) for f in computation.figures]
    return Computation(
        operation=asked.operation,
        formula=formula(asked.operation, written, percent=asked.percent) if result else "",
        result=f"{result.rounded:f}" if result else None,
        unit=result.unit if result else "",
        scale=result.scale if result else 0,
        operands=tuple(
            Operand(
                _named(figure),
                min(figure.periods, default=""),
                figure.written,
                f"{figure.value:f}",
                figure.scale,
                number,
            )
            for figure, number in zip(computation.figures, numbers, strict=True)
        ),
        missing=tuple(missing_names(computation)),
    )
