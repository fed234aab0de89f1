"""Small models fall into loops: the same words until the token limit. Pure."""

from __future__ import annotations

from typing import Final

# Characters of a stretch that loops. A shorter one is ordinary ("0, 0, 0").
_SHORTEST: Final = 12
_LONGEST: Final = 1000
# From this length on (a long sentence) the second copy is a loop already, before that the third.
_LONG: Final = 120


def loop_start(text: str) -> int | None:
    """Offset behind the first of the copies that `text` ends with; None while it does not loop."""
    for length in range(_SHORTEST, min(_LONGEST, len(text) // 2) + 1):
        copies = 2 if length >= _LONG else 3
        if text.endswith(text[-length:] * copies):
            return len(text) - (copies - 1) * length
    return None
