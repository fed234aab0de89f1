"""Text that runs from right to left: the order of its letters and words.

A page of Hebrew or Arabic is read in a mirrored frame (`RawPage.mirrored`), where its lines run
from left to right like all others. Letters are taken as they stand on the page, from the right, and
what runs from the left among them is turned back: what Unicode's bidirectional algorithm (UAX #9)
does for numbers and Latin words, from what is shown to what was written.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any, Final

# x0, y0, x1, y1, text; in points.
RawWord = tuple[float, float, float, float, str]
# Hebrew, Arabic and their kin, with the shapes of letters that some programs write in their place.
_FROM_RIGHT: Final = re.compile(
    "[\u0590-\u065f\u066a-\u06ef\u06fa-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]"
)
_ARABIC: Final = re.compile("[\u0600-\u065f\u066a-\u06ef\u06fa-\u08ff\ufb50-\ufdff\ufe70-\ufefc]")
_SHAPES: Final = re.compile("[\ufb1d-\ufdff\ufe70-\ufefc]+")
_BRACKETS: Final = str.maketrans("()[]{}<>«»", ")(][}{><»«")
_LAM, _ALEFS = "ل", "اأإآٱ"  # which make a ligature in every font
_NO_WIDTH: Final = 0.05  # points
_TOUCHING: Final = 0.08  # of a line's height: a mark so near a word belongs to it
_BULLETS: Final = "•◦‣▪■●○·–-*"
_OPENING: Final = "([{<«"
_GAP: Final = 0.2  # of a line's height: a wider gap parts two words
# What runs from the left, in classes: r (from the right), l (Latin), d (digit), e (a sign that
# stands at a number), s (a separator in one), h (one in some scripts), n (other marks) and a blank.
_LATIN_RUN: Final = re.compile(r"[lde](?:[ldesn ]*[lde])?")
_NUMBER: Final = re.compile(r"[de](?:[dse]*[de])?")

_Glyph = tuple[str, float, float, float, float]  # a character and its box


def is_from_right(text: str) -> bool:
    """Whether there is a letter of a script that runs from right to left."""
    return _FROM_RIGHT.search(text) is not None


def runs_from_right(text: str) -> bool:
    """Whether most of its letters do."""
    right = len(_FROM_RIGHT.findall(text))
    return 2 * right > sum(map(str.isalpha, text))


def plain_letters(text: str) -> str:
    """Letters in place of their shapes at the end or the middle of a word."""
    return _SHAPES.sub(lambda found: unicodedata.normalize("NFKC", found[0]), text)


def words_from_right(line: dict[str, Any]) -> list[RawWord]:
    """The words of one of PyMuPDF's raw lines that runs from right to left, in reading order."""
    drawn = [(char["c"], *char["bbox"]) for span in line["spans"] for char in span["chars"]]
    glyphs = [glyph for glyph in drawn if not _is_covered(glyph, drawn)]
    return [_word(glyphs) for glyphs in _parted(_turned(_spaced(_ordered(glyphs))))]


def in_order(words: Sequence[RawWord], *, from_right: bool) -> list[RawWord]:
    """Words that stand in the order of the frame, as they are read: runs of the other direction are
    turned, with the numbers among them."""
    kinds = "".join(_kind(word[4]) for word in words)
    pattern = r"[ld]*l[ld]*" if from_right else r"r(?:[rd]*r)?"
    ordered = list(words)
    for run in re.finditer(pattern, kinds):
        start, end = run.span()
        ordered[start:end] = reversed(words[start:end])
    return ordered


def marks_joined(words: Sequence[RawWord]) -> list[RawWord]:
    """Words in the order of a mirrored frame. Marks that a program draws apart (LibreOffice does)
    belong to the word that they touch."""
    joined: list[RawWord] = []
    for x0, y0, x1, y1, text in words:
        before = joined[-1] if joined else None
        near = before is not None and x0 - before[2] <= _TOUCHING * (y1 - y0)
        if before is None or not near or not (is_marks(text) or _is_open(before[4])):
            joined.append((x0, y0, x1, y1, text))
        elif not (unicodedata.combining(text[0]) and before[4].endswith(text)):
            box = before[0], min(before[1], y0), max(before[2], x1), max(before[3], y1)
            joined[-1] = (*box, before[4] + text)
    return joined


def is_marks(text: str) -> bool:
    """Whether it has no letter and no digit."""
    return not any(map(str.isalnum, text))


def _is_open(text: str) -> bool:
    """Whether it ends with a mark that belongs to what follows as well as to what is before it."""
    last = next((char for char in reversed(text) if not unicodedata.combining(char)), "")
    return bool(last) and not last.isalnum() and text not in _BULLETS


def _ordered(glyphs: Sequence[_Glyph]) -> list[_Glyph]:
    """From the right. Of a ligature the first letter has the width; the others have none and stand
    at one of its edges, on the right of it or on the left. Marks follow their letter. A letter that
    is drawn with its points may have no width either: a blank stands in its place, at its left."""
    wide = sorted((g for g in glyphs if g[3] - g[1] > _NO_WIDTH), key=lambda g: -g[3])
    behind: dict[int, list[_Glyph]] = {}
    drawn: set[int] = set()  # blanks that are a letter's
    for glyph in glyphs:
        if glyph[3] - glyph[1] <= _NO_WIDTH:
            place = sum(other[1] >= glyph[1] - _NO_WIDTH for other in wide)
            before, after = wide[max(place - 1, 0) : place], wide[place : place + 1]
            joins = glyph[0] in _ALEFS and not _is(before, _LAM) and _is(after, _LAM)
            filled = glyph[0].isalpha() and not joins and _is(before, " ")
            if filled and abs(before[0][1] - glyph[1]) < _NO_WIDTH:
                drawn.add(place - 1)
                glyph = (glyph[0], *before[0][1:])
            behind.setdefault(place + joins, []).append(glyph)
    ordered = _letters_first(behind.get(0, ()))
    for place, glyph in enumerate(wide):
        ordered += [] if place in drawn else [glyph]
        ordered += _letters_first(behind.get(place + 1, ()))
    return ordered


def _is_covered(blank: _Glyph, glyphs: Sequence[_Glyph]) -> bool:
    """Whether it is a blank in whose place a letter is drawn as well: it parts nothing."""
    if not blank[0].isspace():
        return False
    shared = (
        min(blank[3], other[3]) - max(blank[1], other[1])
        for other in glyphs
        if not other[0].isspace()
    )
    return max(shared, default=0.0) > max(_NO_WIDTH, (blank[3] - blank[1]) / 2)


def _is(glyphs: Sequence[_Glyph], letter: str) -> bool:
    return bool(glyphs) and glyphs[0][0] == letter


def _letters_first(glyphs: Sequence[_Glyph]) -> list[_Glyph]:
    """Then the marks, of which a letter has each once, however often it is drawn."""
    letters = [glyph for glyph in glyphs if not unicodedata.combining(glyph[0])]
    marks = {glyph[0]: glyph for glyph in glyphs if unicodedata.combining(glyph[0])}
    return [*letters, *marks.values()]


def _kind(word: str) -> str:
    """Of a word: r (from the right), l (from the left), or d (a number, a mark)."""
    for char in word:
        if _FROM_RIGHT.match(char):
            return "r"
        if char.isalpha():
            return "l"
    return "d"


def _class(char: str) -> str:
    if _FROM_RIGHT.match(char):
        return "r"
    if char.isdigit():
        return "d"
    if char.isalpha():
        return "l"
    if char in "%$€£¥₪°#":
        return "e"
    return " " if char.isspace() else "s" if char in ".,:/" else "h" if char in "+-" else "n"


def _spaced(glyphs: Sequence[_Glyph]) -> list[_Glyph]:
    """From the right, with a blank where there is a gap."""
    spaced: list[_Glyph] = []
    left = math.inf
    for glyph in glyphs:
        _, x0, y0, x1, y1 = glyph
        if left - x1 > _GAP * (y1 - y0):
            spaced.append((" ", x1, y0, left, y1))
            left = math.inf
        spaced.append(glyph)
        left = min(left, x0)
    return spaced


def _turned(glyphs: list[_Glyph]) -> list[_Glyph]:
    """With numbers and Latin words turned, and brackets as they were written."""
    classes = "".join(_class(glyph[0]) for glyph in glyphs)
    # "03-1234567" is one number among Hebrew letters, and two among Arabic ones (UAX #9: W2, W4).
    classes = classes.replace("h", "n" if any(map(_ARABIC.match, (g[0] for g in glyphs))) else "s")
    for run in _LATIN_RUN.finditer(classes):
        spans = [run.span()]
        if "l" not in run[0]:
            spans = [found.span() for found in _NUMBER.finditer(classes, *run.span())]
        for start, end in spans:
            glyphs[start:end] = reversed(glyphs[start:end])
    brackets = [(at, glyph[0]) for at, glyph in enumerate(glyphs) if glyph[0] in "()[]{}<>«»"]
    # Some programs write the bracket that is drawn, which is the other one here.
    if len(brackets) > 1 and brackets[0][1] not in _OPENING and brackets[-1][1] in _OPENING:
        for at, _ in brackets:
            glyphs[at] = (glyphs[at][0].translate(_BRACKETS), *glyphs[at][1:])
    return glyphs


def _parted(glyphs: Sequence[_Glyph]) -> Iterator[list[_Glyph]]:
    word: list[_Glyph] = []
    for glyph in glyphs:
        if not glyph[0].isspace():
            word.append(glyph)
        elif word:
            yield word
            word = []
    if word:
        yield word


def _word(glyphs: Sequence[_Glyph]) -> RawWord:
    return (
        min(glyph[1] for glyph in glyphs),
        min(glyph[2] for glyph in glyphs),
        max(glyph[3] for glyph in glyphs),
        max(glyph[4] for glyph in glyphs),
        "".join(glyph[0] for glyph in glyphs),
    )
