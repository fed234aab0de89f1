"""Answers and passages as text: pure functions from our data to what a terminal or pipe shows."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from typing import TYPE_CHECKING, TypeVar

import typer

from cli.terminal import clean, one_line
from rag.verification.notes import corrections, note

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from rag.types import Answer, Citation, Document, Hit

T = TypeVar("T")
_NOTES = re.compile(r" \[(?:not in the passages|worded differently: see p\. [^]]*)\]")
_CONTRADICTIONS = re.compile(r" \[contradicts p\. [^]]*\]")
_MARKERS = re.compile(r"\[\d+(?:, ?\d+)*\]")


async def print_events(events: AsyncGenerator[T]) -> T:
    """One JSON object a line, each as soon as it happens. Returns the last event."""
    last: T | None = None
    async with aclosing(events):
        async for last in events:
            print_json(last)
    assert last is not None  # both flows end with an event
    return last


def print_json(value: object) -> None:
    from rag.jsonable import to_json

    typer.echo(to_json(value))


def marked(answer: Answer) -> str:
    """The answer's text, with a note behind each claim that is not cited.

    Cleaned piece by piece: the offsets of claims count characters of the text as it came.
    """
    pieces: list[str] = []
    at = 0
    for claim in () if answer.refused else answer.claims:
        if not (told := note(claim)):
            continue
        end = claim.start + len(answer.text[claim.start : claim.end].rstrip())
        pieces += [clean(answer.text[at:end]), f" [{clean(told)}]"]
        at = end
    return "".join([*pieces, clean(answer.text[at:])])


def answer_text(answer: Answer) -> Text:
    from rich.text import Text

    text = Text(marked(answer))
    text.stylize("italic", 0, answer.quoted)  # the passages' own sentences
    text.highlight_regex(_MARKERS, "bold cyan")
    text.highlight_regex(_NOTES, "dim yellow")
    text.highlight_regex(_CONTRADICTIONS, "bold red")
    return text


def place(document: Document, number: int, label: str = "") -> str:
    """ "lease.pdf, page 4", with the printed page number where that is another one."""
    printed = f" (printed {one_line(label)})" if label and label != str(number) else ""
    return f"{one_line(document.name)}, page {number}{printed}"


def print_sources(console: Console, answer: Answer) -> None:
    """Numbered as the markers in the answer are, each with the words that it rests on; then what
    claims contradict or say in other words."""
    from rich.text import Text

    if answer.citations:
        console.print("\nSources", style="bold")
    for citation in sorted(answer.citations, key=lambda c: c.number):
        _print_place(console, Text(f"[{citation.number}]", "bold cyan"), citation)
    told = [one for one in corrections(answer) if one.place is not None]
    if told:
        console.print("\nTo compare", style="bold")
    for one in told:
        if one.place is not None:
            _print_place(console, Text(f"“{one_line(one.claim, 80)}” {one.note}:"), one.place)


def _print_place(console: Console, head: Text, citation: Citation) -> None:
    from rich.padding import Padding
    from rich.text import Text

    where = place(citation.document, citation.page, citation.page_label)
    console.print(Text.assemble(head, f" {where}"))
    quote = f"“{one_line(citation.quote, 300)}”"
    console.print(Padding(Text(quote, "italic"), (0, 0, 0, 4), expand=False))


def hit_lines(number: int, hit: Hit, *, explain: bool) -> Iterator[Text]:
    """A passage: where it stands, its first words, and with `explain` why it ranks there."""
    from rich.text import Text

    chunk = hit.chunk
    pages = str(chunk.first_page)
    if chunk.last_page != chunk.first_page:
        pages += f"–{chunk.last_page}"
    head = Text.assemble((f"{number:>2}  ", "bold cyan"), (one_line(hit.document.name), "bold"))
    yield head.append(f", page {pages}")
    if chunk.header:
        yield Text(f"    {one_line(chunk.header, 120)}", "dim")
    yield Text(f"    {one_line(chunk.text, 320)}")
    if explain:
        for line in explanation(hit):
            yield Text(f"    {line}", "yellow")


def explanation(hit: Hit) -> Iterator[str]:
    """The score as the sum of what each list gave, with the rank there; then what speaks for the
    passage beside the lists."""
    lists = sorted(hit.ranks, key=lambda name: -hit.gains.get(name, 0.0))
    parts = (
        f"{name.replace('_', ' ')} #{hit.ranks[name]} {hit.gains.get(name, 0.0):.3f}"
        for name in lists
    )
    yield f"score {hit.score:.3f} = {' + '.join(parts)}"
    cosine = [] if hit.similarity is None else [f"cosine {hit.similarity:.3f}"]
    words = ", ".join(one_line(word) for word in hit.header_words) or "none"
    yield " · ".join([*cosine, f"header words asked for: {words}", f"chunk {hit.chunk.id}"])
