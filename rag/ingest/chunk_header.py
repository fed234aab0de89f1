"""The header of a chunk: "title > heading > heading", cut to a share of the chunk's limit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rag.types import Block, Page

CountTokens = Callable[[Sequence[str]], list[int]]

_SHARE = 3  # title and headings take at most 1/3 of the limit
_SEPARATOR = " > "


@dataclass(frozen=True, slots=True)
class Header:
    """The text of a header and its length in tokens."""

    text: str
    tokens: int


class Headers:
    """The headers of one document. Give it the pages in order: headings reach over pages."""

    def __init__(self, title: str, *, limit: int, count_tokens: CountTokens) -> None:
        self._count = count_tokens
        self._budget = limit // _SHARE
        self._title = self._cut(title, self._budget // 2)
        self._open: list[tuple[int, str]] = []  # headings above the current block, highest first
        self._known: dict[tuple[str, ...], Header] = {}

    def headed(self, page: Page) -> list[tuple[Block, Header]]:
        """The page's blocks, each with the header of where it stands."""
        found = []
        for block in page.blocks:
            if block.kind == "heading":
                text = " ".join(page.text[block.start : block.end].split())
                self._open = [item for item in self._open if item[0] < block.level]
                self._open.append((block.level, text))
            found.append((block, self._header(tuple(text for _, text in self._open))))
        return found

    def _header(self, headings: tuple[str, ...]) -> Header:
        if headings not in self._known:
            text = self._compose(headings)
            self._known[headings] = Header(text, self._count([text])[0] if text else 0)
        return self._known[headings]

    def _compose(self, headings: tuple[str, ...]) -> str:
        """The title, then as many of the innermost headings as fit."""
        names = [name for name in headings if name.casefold() != self._title.casefold()]
        while names:
            text = _SEPARATOR.join(filter(None, [self._title, *names]))
            if self._count([text])[0] <= self._budget:
                return text
            if len(names) == 1:
                return self._cut(text, self._budget)
            names = names[1:]
        return self._title

    def _cut(self, text: str, budget: int) -> str:
        """The first words of the text that fit."""
        words = text.split()
        if not words or self._count([text])[0] <= budget:
            return " ".join(words)
        low, high = 0, len(words)
        while low + 1 < high:
            middle = (low + high) // 2
            fits = self._count([" ".join(words[:middle])])[0] <= budget
            low, high = (middle, high) if fits else (low, middle)
        return " ".join(words[:low])
