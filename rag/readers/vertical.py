"""Japanese and Chinese set vertically: columns of letters, the right one first.

Where the font has no vertical metrics, as in what browsers print, MuPDF gives each letter as a line
of its own that runs from left to right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Final

from rag.readers.lines import Text
from rag.readers.scripts import is_dense

_DOWN: Final = (0.0, 1.0)
_LETTERS: Final = 2  # of a line in a column: a letter, and a mark that it shares its place with
_SHARE: Final = 0.5  # of a page's letters, for it to be set in columns


def in_columns(texts: Sequence[Text]) -> Sequence[Text]:
    """The texts, those of columns with the direction of their column, where it is the page's."""
    below = {
        index
        for index, (one, other) in enumerate(pairwise(texts))
        if _is_letter(one) and _is_letter(other) and _stands_below(other, one)
    }
    members = below | {index + 1 for index in below}
    letters = sum(len(text.line.text) for text in texts)
    held = sum(len(texts[index].line.text) for index in members)
    if held <= _SHARE * letters:
        return texts
    return [
        replace(text, direction=_DOWN) if index in members else text
        for index, text in enumerate(texts)
    ]


def _is_letter(text: Text) -> bool:
    own = text.line.text
    return text.direction == (1.0, 0.0) and len(own) <= _LETTERS and any(map(is_dense, own))


def _stands_below(one: Text, other: Text) -> bool:
    size = max(one.line.x1 - one.line.x0, other.line.x1 - other.line.x0)
    apart = abs(one.line.x0 + one.line.x1 - other.line.x0 - other.line.x1) / 2
    return apart < 0.3 * size and 0 < one.line.y0 - other.line.y0 < 3 * size
