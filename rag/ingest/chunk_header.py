"""The header of a chunk: "title > heading > heading", cut to a share of the chunk's limit."""

from __future__ import annotations

from collections.abc import Callable, Sequence

_SHARE = 3  # title and headings take at most 1/3 of the limit
_SEPARATOR = " > "


class Headers:
    """Headers by heading path. Counted once for each path."""

    def __init__(
        self, title: str, *, limit: int, count_tokens: Callable[[Sequence[str]], list[int]]
    ) -> None:
        self._count = count_tokens
        self._budget = limit // _SHARE
        self._title = self._cut(title, self._budget // 2)
        self._texts: dict[tuple[str, ...], str] = {}
        self._tokens: dict[str, int] = {}

    def text(self, path: tuple[str, ...], table_head: str = "") -> str:
        if path not in self._texts:
            self._texts[path] = self._compose(path)
        return "\n".join(filter(None, [self._texts[path], table_head]))

    def tokens(self, path: tuple[str, ...], table_head: str = "") -> int:
        text = self.text(path, table_head)
        if text not in self._tokens:
            self._tokens[text] = self._count([text])[0] if text else 0
        return self._tokens[text]

    def _compose(self, path: tuple[str, ...]) -> str:
        """The title, then as many of the innermost headings as fit."""
        names = [name for name in path if name.casefold() != self._title.casefold()]
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
