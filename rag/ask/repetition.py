"""Small models fall into loops: the same sentence until the token limit. Pure."""

from __future__ import annotations

import re
from typing import Final

# The same stretch three times in a row at the end. Shorter ones are ordinary ("0, 0, 0").
_LOOP: Final = re.compile(r"(.{12,200}?)\1\1$", re.DOTALL)
_REACH: Final = 640  # characters from the end that are looked at


def loop_start(text: str) -> int | None:
    """Offset behind the first of the copies that `text` ends with; None while it does not loop."""
    offset = max(0, len(text) - _REACH)
    match = _LOOP.search(text, offset)
    return match.end(1) if match else None
