"""A model's text without its citation markers, while it is still being written."""

from __future__ import annotations

import re

from rag.verification.citation_markers import strip_markers

# What may become a marker, with the blanks before it: held back until it is known.
_OPEN = re.compile(r"\s*(?:[\[【(][^\[【(\n]{0,60})?$")
_CLOSED = re.compile(r"[\])】]\s*$")


class Unmarking:
    """Takes pieces of text and gives them back without markers; `told` is all that it gave."""

    def __init__(self) -> None:
        self.told = ""
        self._text = ""

    def feed(self, piece: str) -> str:
        """What can be shown now."""
        self._text += piece
        held = _OPEN.search(self._text)
        return self._new(self._text[: held.start()] if held else self._text)

    def rest(self) -> str:
        """What was held back to the end."""
        return self._new(self._text)

    def _new(self, text: str) -> str:
        shown = strip_markers(text).text
        if not shown.startswith(self.told):  # a later marker takes back a blank: wait for more
            return ""
        new = shown[len(self.told) :]
        self.told = shown
        return new
