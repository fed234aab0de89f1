"""Text whose structure is known, and words with places: to pages with both."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from rag.readers.packed_words import PackedWords
from rag.types import Block, BlockKind, Box, Page

_AHEAD = 40  # words that are looked at for the one that comes next

_Spot = tuple[int, int, Box]  # start and end within a word, and its place


@dataclass(frozen=True, slots=True)
class Placed:
    """A word as it is drawn; `page` from 0."""

    page: int
    box: Box
    text: str


@dataclass(slots=True)
class Drawn:
    """Rows of cells of words. A paragraph is one cell. Cells in `again` (row, column) are not
    drawn."""

    kind: BlockKind
    level: int
    rows: list[list[list[str]]]
    again: set[tuple[int, int]] = field(default_factory=set)


def written_pages(
    parts: Iterable[Drawn],
    words: Sequence[Placed],
    sizes: Sequence[tuple[float, float]],
    *,
    first: int,
) -> list[Page]:
    """Pages of these sizes, numbered from `first`, with the parts where their words are drawn. A
    paragraph that goes on over the page is parted there, a table between its rows; its head stands
    on each page."""
    finder = _Finder(words)
    pages = [_PageWriter() for _ in sizes]
    for part in parts:
        if part.kind == "table":
            _write_table(part, finder, pages)
        else:
            _write_paragraph(part, finder, pages)
    return [page.page(first + i, *sizes[i]) for i, page in enumerate(pages)]


def _write_paragraph(part: Drawn, finder: _Finder, pages: Sequence[_PageWriter]) -> None:
    page: _PageWriter | None = None
    for word in part.rows[0][0]:
        spots = finder.find(word)
        if page is not pages[finder.page]:
            if page is not None:
                page.end()
            page = pages[finder.page]
            page.begin(part.kind, part.level)
        else:
            page.append(" ")
        page.word(word, spots)
    if page is not None:
        page.end()


def _write_table(part: Drawn, finder: _Finder, pages: Sequence[_PageWriter]) -> None:
    page: _PageWriter | None = None
    for number, row in enumerate(part.rows):
        found = []
        numbers = []
        for column, cell in enumerate(row):
            drawn = (number, column) not in part.again
            for word in cell:
                found.append(finder.find(word) if drawn else [])
                numbers.append(finder.page)
        if not found:
            continue
        current = pages[numbers[0]]
        spots = [s if n == numbers[0] else [] for s, n in zip(found, numbers, strict=True)]
        if page is not current:
            if page is not None:
                page.end()
            page = current
            page.begin("table", 0)
            if number:
                page.row(part.rows[0], [])
                page.append(f"\n|{'-|' * len(row)}\n")
            page.row(row, spots)
            if not number:
                page.append(f"\n|{'-|' * len(row)}")
        else:
            page.append("\n")
            page.row(row, spots)
    if page is not None:
        page.end()


class _Finder:
    """Finds words one after the other among those that are drawn."""

    def __init__(self, words: Sequence[Placed]) -> None:
        self._words = words
        self._next = 0
        self.page = 0

    def find(self, word: str) -> list[_Spot]:
        """Where the word is, in pieces where it is broken over lines; none where it is drawn
        otherwise than it is written. Moves `page` on to it."""
        for start in range(self._next, min(self._next + _AHEAD, len(self._words))):
            spots: list[_Spot] = []
            at, i = 0, start
            while at < len(word) and i < len(self._words):
                piece = self._words[i].text
                if not word.startswith(piece, at):
                    break
                spots.append((at, at + len(piece), self._words[i].box))
                at, i = at + len(piece), i + 1
            if at == len(word):
                self.page = self._words[start].page
                self._next = i
                return spots
        return []


class _PageWriter:
    """Builds the text of one page; offsets are exact by construction."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._length = 0
        self._blocks: list[Block] = []
        self._words: list[tuple[int, int, Box]] = []
        self._open: tuple[BlockKind, int, int, int] = ("text", 0, 0, 0)

    def begin(self, kind: BlockKind, level: int) -> None:
        """A list item right after another becomes part of the same list."""
        last = self._blocks[-1] if self._blocks else None
        joins = kind == "list" and last is not None and last.kind == "list"
        if self._length:
            self.append("\n" if joins else "\n\n")
        first = len(self._words)
        start = self._length
        if joins and last is not None:
            self._blocks.pop()
            start = last.start
            first = next((i for i, word in enumerate(self._words) if word[0] >= start), first)
        self._open = (kind, level, start, first)

    def end(self) -> None:
        kind, level, start, first = self._open
        box = _union([box for _, _, box in self._words[first:]])
        self._blocks.append(Block(kind, start, self._length, box, level))

    def append(self, text: str) -> None:
        self._texts.append(text)
        self._length += len(text)

    def word(self, text: str, spots: Sequence[_Spot]) -> None:
        for start, end, box in spots:
            self._words.append((self._length + start, self._length + end, box))
        self.append(text)

    def row(self, cells: Sequence[Sequence[str]], spots: Sequence[Sequence[_Spot]]) -> None:
        """Of a table, as Markdown; `spots` of each of its words, or none at all."""
        places = iter(spots)
        self.append("|")
        for cell in cells:
            for word in cell:
                self.append(" ")
                own = next(places, ())
                self.word(word.replace("|", "\\|"), own if "|" not in word else ())
            self.append(" |")

    def page(self, number: int, width: float, height: float) -> Page:
        return Page(
            number=number,
            label="",
            text="".join(self._texts),
            blocks=tuple(self._blocks),
            words=PackedWords(self._words),
            width=width,
            height=height,
            source="text" if self._blocks else "empty",
        )


def _union(boxes: Sequence[Box]) -> Box:
    if not boxes:
        return 0.0, 0.0, 0.0, 0.0
    return (
        min(box[0] for box in boxes),
        min(box[1] for box in boxes),
        max(box[2] for box in boxes),
        max(box[3] for box in boxes),
    )
