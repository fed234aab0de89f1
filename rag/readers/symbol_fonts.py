"""Boxes and ticks of symbol fonts, which often name them by letters: "o" of Wingdings is a box."""

from __future__ import annotations

import re
from typing import Any

from rag.readers.lines import RawWord

_FONT = re.compile("dingbats|wingdings ?[23]?|webdings", re.IGNORECASE)
_PRIVATE = 0xF000  # where symbol fonts have their 256 signs
_DINGBATS = {
    "3": "✓", "4": "✔", "5": "✕", "6": "✖", "7": "✗", "8": "✘",
    "n": "■", "l": "●", "m": "○", **dict.fromkeys("opqr❏❐❑❒", "☐"),
}  # fmt: skip
_SIGNS = {
    "dingbats": _DINGBATS,
    "wingdings": {
        "\xa8": "☐", "o": "☐", "q": "☐", "r": "☐", "\xfe": "☑", "\xfd": "☒", "x": "☒", "\xfc": "✓",
        "\xfb": "✗", "n": "■", "l": "●", "\xa1": "○", "\xa7": "▪",
    },
    "wingdings2": {
        "P": "✓", "O": "✗", "R": "☑", "S": "☒", "T": "☒", "U": "☒", "V": "☒", "*": "☐", "\xa3": "☐",
        "0": "☐",
    },
    "webdings": {"a": "✔", "c": "☐", "g": "■", "n": "●", "r": "✗"},
}  # fmt: skip


def with_signs(line: dict[str, Any], words: list[RawWord]) -> list[RawWord]:
    """The words of a line of MuPDF's, the boxes and ticks in them as Unicode has them. A sign that
    text of another font follows at once is a word of its own."""
    for span in line["spans"]:
        if signs := _SIGNS.get(_family(span["font"])):
            written = span["text"].strip()
            words = [part for word in words for part in _signed(word, span["bbox"], written, signs)]
    return words


def sign(font: str, char: str) -> str:
    """What a character of the font draws, where it is a box or a tick; else the character."""
    return _named(char, _SIGNS.get(_family(font), {}))


def _family(font: str) -> str:
    found = _FONT.search(font.replace("-", ""))
    if found is None:
        return ""
    return found[0].lower().replace(" ", "")


def _signed(
    word: RawWord, box: tuple[float, ...], written: str, signs: dict[str, str]
) -> list[RawWord]:
    x0, y0, x1, y1, text = word
    middle, left, right = (x0 + x1) / 2, box[0], box[2]
    if min(y1, box[3]) - max(y0, box[1]) <= 0 or min(x1, right) - max(x0, left) <= 0:
        return [word]
    if text in written and left <= middle <= right:
        return [(x0, y0, x1, y1, _named(text, signs))]
    if written and text.startswith(written):
        own = (x0, y0, min(right, x1), y1, _named(written, signs))
        return [own, (min(right, x1), y0, x1, y1, text[len(written) :])]
    if written and text.endswith(written):
        rest = (x0, y0, max(left, x0), y1, text[: -len(written)])
        return [rest, (max(left, x0), y0, x1, y1, _named(written, signs))]
    return [word]


def _named(text: str, signs: dict[str, str]) -> str:
    plain = (chr(ord(c) - _PRIVATE) if 0 <= ord(c) - _PRIVATE < 256 else c for c in text)
    return "".join(signs.get(p, c) for p, c in zip(plain, text, strict=True))
