"""HTML of an answer while it is written, at a cost that grows as its length does."""

from __future__ import annotations

from service import markdown

# The open block is read again when it is twice as long: all readings together cost twice the last,
# whatever its length.
_GROWTH = 2
_FIRST = 40  # characters, before which nothing is shown as more than text


class Growing:
    """Takes pieces of text. Blocks that have ended are rendered once, and the open one seldom; what
    is behind it the page shows as text until then."""

    def __init__(self) -> None:
        self._open = ""
        self._length = 0  # of the open block, where it was last read

    def feed(self, piece: str) -> dict[str, str] | None:
        """What is new as HTML: `html` of blocks that have ended, `open` of the one that is being
        written. None: nothing that is worth it."""
        self._open += piece
        if len(self._open) < max(_FIRST, self._length * _GROWTH):
            return None
        end = markdown.last_block(self._open)
        ended, self._open = self._open[:end], self._open[end:]
        self._length = len(self._open)
        told = markdown.provisional(ended) if ended else ""
        return {"html": told, "open": markdown.provisional(self._open)}
