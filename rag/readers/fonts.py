"""Fonts that say other letters than they draw: the table from glyphs to letters is wrong or lost.

The widths of a font's glyphs give it away: those of i, m and W differ in any font much as they do
in Helvetica, so the two correlate; where each letter stands for another they do not. Typewriter
fonts, all of one width, cannot be told this way. `benchmarks extraction` prints the correlations.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np

_MIN_LETTERS = 10  # different ones, to judge a font by
_ENOUGH = 400  # characters of one font; then its verdict stands
_GARBLED = 0.5  # correlation below which letters are not those drawn
_PLAIN = 0.75  # above which they are
_EVEN = 0.02  # ems: a spread of widths below this tells nothing
_UNKNOWN = "\ufffd"
_VOWELS = re.compile("[aeiouyàáâäåæèéêëìíîïòóôöøùúûüаеёиоуыэюяіїαεηιουωάέήίόύώ]", re.IGNORECASE)
_NATURAL = re.compile(r"[^\W\d_]?[^\W\d_A-ZÀ-ÖØ-Þ]+|[A-ZÀ-ÖØ-Þ]+")

Widths = dict[str, list[float]]  # of each character, in ems


class Fonts:
    """What is known of one document's fonts; it learns page by page."""

    def __init__(self) -> None:
        self._said: dict[str, Widths] = defaultdict(lambda: defaultdict(list))
        self._codes: dict[str, Widths] = defaultdict(lambda: defaultdict(list))
        self._seen: dict[str, int] = defaultdict(int)

    def unsettled(self, fonts: set[str]) -> bool:
        return any(self._seen[font] < _ENOUGH for font in fonts)

    def learn(self, blocks: list[dict[str, Any]]) -> None:
        """From the blocks of a "rawdict" whose unknown characters are U+FFFD."""
        for span, upright in _spans(blocks):
            for char in span["chars"]:
                self._seen[span["font"]] += 1
                _add(self._said[span["font"]], char["c"], char, span, upright)

    def learn_codes(
        self, blocks: list[dict[str, Any]], with_codes: list[dict[str, Any]]
    ) -> set[str]:
        """From the same text with codes in the place of unknown characters. Returns the fonts."""
        fonts = set()
        # Character by character: MuPDF parts spans elsewhere where codes stand.
        for (char, span, upright), (code, _, _) in zip(
            _chars(blocks), _chars(with_codes), strict=False
        ):
            if char["c"] == _UNKNOWN and code["c"] != " ":
                fonts.add(span["font"])
                _add(self._codes[span["font"]], code["c"], code, span, upright)
        return fonts

    def is_garbled(self, font: str) -> bool:
        """Whether what the font says is not what it draws."""
        likeness = _likeness(self._said[font])
        return likeness is not None and likeness < _GARBLED

    def likenesses(self) -> dict[str, float]:
        """By font, how its letters' widths correlate with a common font's; not of those that tell
        nothing."""
        found = {font: _likeness(widths) for font, widths in self._said.items()}
        return {font: value for font, value in found.items() if value is not None}

    def codes_are_letters(self, font: str, text: str) -> bool:
        """Whether a font without a table has its letters' own numbers for codes."""
        likeness = _likeness(self._codes[font])
        if likeness is not None:
            return likeness > _PLAIN
        return bool(self._codes[font]) and looks_written(text)


def looks_written(text: str) -> bool:
    """Whether most words of a text are such as people write: with vowels, in one case."""
    words = [word for word in re.findall(r"\S+", text) if len(word) > 2]
    bare = [word.strip(".,;:!?()[]\"'“”‘’«»") for word in words]
    good = [w for w in bare if _NATURAL.fullmatch(w) and _VOWELS.search(w)]
    return len(words) >= 3 and len(good) > 0.5 * len(words)


def _spans(blocks: list[dict[str, Any]]) -> list[tuple[dict[str, Any], bool]]:
    return [
        (span, abs(line["dir"][0]) >= abs(line["dir"][1]))
        for block in blocks
        for line in block.get("lines", ())
        for span in line["spans"]
    ]


def _chars(blocks: list[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], dict[str, Any], bool]]:
    """Each character with its span, and whether it stands upright."""
    for span, upright in _spans(blocks):
        for char in span["chars"]:
            yield char, span, upright


def _add(
    widths: Widths, letter: str, char: dict[str, Any], span: dict[str, Any], upright: bool
) -> None:
    x0, y0, x1, y1 = char["bbox"]
    if span["size"] > 0 and letter.isalnum() and len(widths[letter]) < 20:
        widths[letter].append((x1 - x0 if upright else y1 - y0) / span["size"])


def _likeness(widths: Widths) -> float | None:
    """The correlation of these widths with those of a common font; None where it tells nothing."""
    known = [(width, found) for c, found in widths.items() if found and (width := _width(c))]
    if len(known) < _MIN_LETTERS:
        return None
    common = np.array([width for width, _ in known])
    drawn = np.array([np.median(found) for _, found in known])
    if common.std() < _EVEN or drawn.std() < _EVEN:
        return None
    return float(np.corrcoef(common, drawn)[0, 1])


@cache
def _width(letter: str) -> float:
    """In ems, in Helvetica or in a font for all scripts; 0 where both lack the letter."""
    for font in _common_fonts():
        if font.has_glyph(ord(letter)):
            return float(font.glyph_advance(ord(letter)))
    return 0.0


@cache
def _common_fonts() -> tuple[Any, Any]:
    import pymupdf

    return pymupdf.Font("helv"), pymupdf.Font("cjk")
