"""Text that PyMuPDF's lines and words leave out of what MuPDF read.

A PDF may tell what a drawing says (/ActualText: a title in outlines, a tick in a box). Where the
drawing has no glyphs the letters have no width, and neither list has them; where a word is told for
one glyph, the list of words may lack it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

from rag.readers.lines import Line, RawWord, Text

# Of the height of a line's box: about the size of its font, and the width of a letter.
_SIZE = 0.75
_ADVANCE = 0.4
_Placed = tuple[str, int, int]  # a letter and its origin, in points
_Run = tuple[str, float, float, float]  # text, x, top, bottom
_WORD = re.compile(r"\S+")
# MuPDF writes characters that XML 1.0 does not allow, and names them by number.
_REFUSED = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_NUMBERED = re.compile("&#(?:x([0-9a-f]+)|([0-9]+));", re.IGNORECASE)


def words_of_line(line: dict[str, Any], words: list[RawWord]) -> list[RawWord]:
    """The line's words: those found, or the spans' own where these say something else."""
    spans = [span for span in line["spans"] if span["text"].strip()]
    told = _letters("".join(span["text"] for span in spans))
    if told == _letters("".join(word[4] for word in words)):
        return words
    return [word for span in spans for word in _split(span)]


def text_without_width(textpage: Any, plain: str, blocks: list[dict[str, Any]]) -> Iterator[Text]:
    """What of the page's `plain` text is in none of the blocks, in lines, with widths as letters
    have."""
    spans = (span["text"] for b in blocks for line in b["lines"] for span in line["spans"])
    if len(_letters("".join(spans))) >= len(_letters(plain)):
        return
    page = ElementTree.fromstring(_allowed(textpage.extractXML()))
    for run in _lines(_runs(page, _known(textpage))):
        _, x0, y0, y1 = run[0]
        words = list(_spread(" ".join(text for text, *_ in run), x0, y0, y1))
        yield Text(Line(words, round(_SIZE * (y1 - y0), 1), False), (1.0, 0.0))


def _known(textpage: Any) -> set[_Placed]:
    """The letters of PyMuPDF's lines. Those of no width are among them where they share a glyph
    with one before: a ligature's, an accent."""
    return {
        _placed_letter(char["c"], *char["origin"])
        for block in textpage.extractRAWDICT()["blocks"]
        for line in block.get("lines", ())
        for span in line["spans"]
        for char in span["chars"]
    }


def _placed_letter(letter: str, x: float, y: float) -> _Placed:
    return letter, round(x), round(y)


def _allowed(xml: str) -> str:
    def named(found: re.Match[str]) -> str:
        code = int(found[1], 16) if found[1] else int(found[2])
        character = chr(code) if code < 0x110000 else "\0"
        return "" if _REFUSED.match(character) else found[0]

    return _REFUSED.sub("", _NUMBERED.sub(named, xml))


def _runs(page: ElementTree.Element, known: set[_Placed]) -> Iterator[_Run]:
    """Characters of no width in one of MuPDF's lines, those left out that are known."""
    for line in page.iter("line"):
        run, x, y0, y1 = "", 0.0, 0.0, 0.0
        for char in line.iter("char"):
            quad = [float(number) for number in char.get("quad", "").split()]
            letter, origin = char.get("c", ""), (float(char.get("x", 0)), float(char.get("y", 0)))
            if _placed_letter(letter, *origin) in known:
                continue
            if len(quad) == 8 and max(quad[::2]) == min(quad[::2]):
                x, y0, y1 = quad[0], min(quad[1::2]), max(quad[1::2])
                run += letter
        if _letters(run):
            yield " ".join(run.split()), x, y0, y1


def _lines(runs: Iterator[_Run]) -> Iterator[list[_Run]]:
    """Runs in lines: one that begins further to the left than the one before begins a line."""
    line: list[_Run] = []
    for run in runs:
        if line and run[1] <= line[-1][1]:
            yield line
            line = []
        line.append(run)
    if line:
        yield line


def _spread(text: str, x0: float, y0: float, y1: float) -> Iterator[RawWord]:
    """Words from `x0` on, each letter as wide as letters of that height are."""
    advance = _ADVANCE * (y1 - y0)
    for start, word in _placed(text):
        yield (x0 + advance * start, y0, x0 + advance * (start + len(word)), y1, word)


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text))


def _split(span: dict[str, Any]) -> Iterator[RawWord]:
    """A span's words, its width shared among its characters."""
    x0, y0, x1, y1 = span["bbox"]
    width = (x1 - x0) / len(span["text"])
    for start, word in _placed(span["text"]):
        yield (x0 + start * width, y0, x0 + (start + len(word)) * width, y1, word)


def _placed(text: str) -> Iterator[tuple[int, str]]:
    """Each word with where it begins."""
    return ((found.start(), found[0]) for found in _WORD.finditer(text))
