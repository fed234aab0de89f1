"""The text of a page, word by word, with the offsets and the box of every word and block."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rag.readers.lines import RawPage, RawWord
from rag.readers.packed_words import PackedWords
from rag.readers.paragraphs import Paragraph
from rag.readers.reading_order import Cell, Row
from rag.readers.scripts import is_dense
from rag.readers.style_profile import Profile
from rag.readers.tables import Table
from rag.types import UNREAD, Block, Box, Page, PageSource

_BREAK = "\n\n"  # between blocks
_HYPHENS = ("-", "\xad", "‐")


def write_page(
    raw: RawPage, parts: Sequence[Table | Paragraph], profile: Profile, source: PageSource
) -> Page:
    """The Page made of these parts in this order."""
    text = PageText(raw, profile)
    asides = [Paragraph("text", [Row([line])]) for line in raw.asides]
    for part in (*parts, *asides):
        if isinstance(part, Table):
            text.add_table(part)
        else:
            text.add_paragraph(part)
    return text.page(source)


class PageText:
    """Builds one Page. Words are appended in reading order; offsets are exact by construction."""

    def __init__(self, raw: RawPage, profile: Profile) -> None:
        self._raw = raw
        self._profile = profile
        self._parts: list[str] = []
        self._length = 0
        self._words: list[tuple[int, int, Box]] = []
        self._blocks: list[Block] = []

    def page(self, source: PageSource) -> Page:
        raw, to_page = self._raw, self._raw.to_page
        return Page(
            number=raw.number,
            label=raw.label,
            text="".join(self._parts),
            blocks=tuple(replace(block, box=to_page(block.box)) for block in self._blocks),
            words=PackedWords([(start, end, to_page(box)) for start, end, box in self._words]),
            width=raw.width,
            height=raw.height,
            source=source if self._blocks or source in UNREAD else "empty",
        )

    def add_paragraph(self, paragraph: Paragraph) -> None:
        """A list item right after another becomes part of the same list."""
        last = self._blocks[-1] if self._blocks else None
        joins = paragraph.kind == "list" and last is not None and last.kind == "list"
        start = self._begin("\n" if joins else _BREAK)
        first = len(self._words)
        self._add_rows([row.words for row in paragraph.rows])
        box = self._box(first)
        if joins and last is not None:
            start, box = last.start, _union([last.box, box])
            self._blocks.pop()
        self._blocks.append(Block(paragraph.kind, start, self._length, box, paragraph.level))

    def add_table(self, table: Table) -> None:
        """As Markdown: one header row (empty where the table has none), a rule, the body."""
        start = self._begin(_BREAK)
        first = len(self._words)
        columns = len(table.body[0])
        self._add_cells(table.header or [[] for _ in range(columns)])
        self._append("\n|" + "-|" * columns)
        for row in table.body:
            self._append("\n")
            self._add_cells(row)
        self._blocks.append(Block("table", start, self._length, self._box(first)))

    def _begin(self, separator: str) -> int:
        if self._length:
            self._append(separator)
        return self._length

    def _append(self, text: str) -> None:
        self._parts.append(text)
        self._length += len(text)

    def _add_word(self, word: RawWord, text: str) -> None:
        start = self._length
        self._append(text)
        self._words.append((start, self._length, word[:4]))

    def _add_cells(self, cells: Sequence[Sequence[Cell]]) -> None:
        self._append("|")
        for column in cells:
            for cell in column:
                for word in cell.words:
                    self._append(" ")
                    self._add_word(word, word[4])
            self._append(" |")

    def _add_rows(self, rows: Sequence[Sequence[RawWord]]) -> None:
        """Running text: words part by a space, but for those hyphenated over two rows and those of
        scripts without spaces, letter below letter or over two rows."""
        glued, upright = True, self._raw.direction == (0.0, 1.0)
        for i, row in enumerate(rows):
            following = rows[i + 1][0][4] if i + 1 < len(rows) else ""
            for j, word in enumerate(row):
                dense = (upright or j == 0) and self._ends_dense() and is_dense(word[4][0])
                if not (glued or dense):
                    self._append(" ")
                text, glued = word[4], False
                if j == len(row) - 1:
                    text, glued = self._before_break(text, following)
                self._add_word(word, text)

    def _before_break(self, text: str, following: str) -> tuple[str, bool]:
        """The last word of a row as it is written, and whether the next word joins it."""
        if len(text) < 3 or not text.endswith(_HYPHENS) or not following[:1].islower():
            return text, False
        stem, rest = text[:-1], following.lower().strip(".,;:()”’")
        known = self._profile.words
        compound = "-" in stem or (
            f"{stem}-{rest}".lower() in known and (stem + rest).lower() not in known
        )
        if text.endswith("\xad") or not compound:
            return stem, True
        return text, True

    def _ends_dense(self) -> bool:
        return bool(self._parts) and is_dense(self._parts[-1][-1:])

    def _box(self, first: int) -> Box:
        return _union([box for _, _, box in self._words[first:]])


def _union(boxes: Sequence[Box]) -> Box:
    return (
        min(box[0] for box in boxes),
        min(box[1] for box in boxes),
        max(box[2] for box in boxes),
        max(box[3] for box in boxes),
    )
