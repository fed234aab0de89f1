"""Small models fall into loops: the same words until the token limit. Pure."""

from __future__ import annotations

from typing import Final

# Characters of a stretch that loops. A shorter one is ordinary ("0, 0, 0").
_SHORTEST: Final = 12
_LONGEST: Final = 1000
# From this length on (a long sentence) the second copy is a loop already, before that the third.
_LONG: Final = 120


def loop_start(text: str) -> int | None:
    """Offset behind the first of the copies that `text` ends with; None while it does not loop.

    Asked after every token: so only where the last characters stood before are copies compared.
    """
    size = len(text)
    if size < 2 * _SHORTEST:
        return None
    last = text[-_SHORTEST:]
    first, end = max(0, size - _SHORTEST - _LONGEST), size - _SHORTEST
    while (at := text.rfind(last, first, end)) >= 0:
        length = size - _SHORTEST - at
        copies = 2 if length >= _LONG else 3
        if text.endswith(text[-length:] * copies):
            return size - (copies - 1) * length
        end = at + _SHORTEST - 1
    return None
