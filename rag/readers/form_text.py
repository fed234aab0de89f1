"""Form fields as text of their page: values in their place, "[x]" and "[ ]" for boxes to tick.

What a viewer draws for a field is replaced by what the field says, or kept where it says the same,
so that nothing stands twice. The label is what is printed beside the field.
"""

from __future__ import annotations

import re
import textwrap
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from rag.readers.form_fields import Field
from rag.readers.lines import Line, RawWord, Text, turned, turned_box
from rag.types import Box

_TICKED, _EMPTY = "[x]", "[ ]"
_MARK_LETTERS = 2  # of what is drawn for a tick, at most
_BAND = 40.0  # points: fields and words are looked up by strips of the page
_SIZE = 10.0  # points, on a page without text
_ADVANCE = 0.5  # of the font size: a letter's width, on average
_NEAR = 150.0  # points from a field to its printed label
_MAX_LABEL = 80  # characters of a label that is not printed
_MAX_LISTED = 30  # options of a list that are told beside those chosen
_NO_LABEL = re.compile(
    r"\W*|(?:text|check|field|group|radio|button|undefined|box|\W|\d)+", re.IGNORECASE
)


def with_fields(texts: Sequence[Text], fields: Sequence[Field]) -> list[Text]:
    """The texts of a page with those of its fields."""
    if not fields:
        return list(texts)
    dx, dy = direction = _common_direction(texts)
    if direction == (1.0, 0.0):
        return _filled(texts, fields, direction)
    level = [replace(text, line=turned(text.line, dx, dy)) for text in texts]
    placed = [replace(field, box=turned_box(field.box, dx, dy)) for field in fields]
    filled = _filled(level, placed, direction)
    return [replace(text, line=turned(text.line, dx, -dy)) for text in filled]


def _filled(
    texts: Sequence[Text], fields: Sequence[Field], direction: tuple[float, float]
) -> list[Text]:
    """Of a page, or a turned page's reading frame."""
    size = _common_size(texts)
    words = _Words(text for text in texts if not text.transparent)
    gone: set[RawWord] = set()
    shown: set[RawWord] = set()
    added: list[Line] = []
    for field in fields:
        inside = words.inside(field.box)
        shown |= set(inside)
        lines, replaced = _written(field, inside, size)
        gone |= replaced
        if label := _label(field, words, bool(lines or inside)):
            lines = _labelled(lines, label, field.box, size)
        added += lines
    kept = [text for text in (_without(text, gone, shown, size) for text in texts) if text]
    return [*kept, *(Text(line, direction) for line in added)]


def _written(field: Field, inside: list[RawWord], size: float) -> tuple[list[Line], set[RawWord]]:
    """The lines to add for a field, and those of the words drawn in it that they replace."""
    if field.kind == "tick":
        mark = _TICKED if field.ticked else _EMPTY
        drawn = {word for word in inside if len(word[4]) <= _MARK_LETTERS}
        return [_line([(*field.box, mark)], size)], drawn
    if field.kind == "list":
        return _list(field, inside, size)
    said, drawn_text = _letters("".join(field.values)), _letters("".join(w[4] for w in inside))
    if not said or (said in drawn_text and not (field.comb and said == drawn_text)):
        return [], set()
    own = {word for word in inside if _letters(word[4]) in said or drawn_text in said}
    return list(_lines(field.values, field.box, size)), own


def _list(field: Field, inside: list[RawWord], size: float) -> tuple[list[Line], set[RawWord]]:
    """A list of options, those chosen ticked."""
    options = field.options[:_MAX_LISTED] if len(field.options) <= _MAX_LISTED else ()
    rest = [value for value in field.values if value not in options]
    rows = [f"{_TICKED if option in field.values else _EMPTY} {option}" for option in options]
    rows += [f"{_TICKED} {value}" for value in rest]
    known = _letters(" ".join((*field.options, *field.values)))
    own = {word for word in inside if _letters(word[4]) in known}
    return list(_lines(rows, field.box, size, marked=True)), own


def _lines(values: Iterable[str], box: Box, size: float, *, marked: bool = False) -> Iterator[Line]:
    """Text in a box: its lines share the height, its words the width."""
    columns = max(int((box[2] - box[0]) / (_ADVANCE * size)), 8)
    rows = [part for value in values for part in textwrap.wrap(value, columns)]
    if len(rows) * size > 1.5 * (box[3] - box[1]):  # too much for the box: lines as they are
        rows = [" ".join(value.split()) for value in values if value.strip()]
    height = (box[3] - box[1]) / max(len(rows), 1)
    for number, row in enumerate(rows):
        advance = (box[2] - box[0]) / max(len(row), columns)
        top = box[1] + number * height
        yield _line(list(_words(row, box[0], top, top + height, advance, marked)), size)


def _line(words: list[RawWord], size: float) -> Line:
    return Line(words, size, bold=False, guessed=True, filled=True)


def _words(
    row: str, x: float, top: float, bottom: float, advance: float, marked: bool
) -> Iterator[RawWord]:
    pattern = r"\[[ x]\]|\S+" if marked else r"\S+"
    for found in re.finditer(pattern, row):
        yield x + advance * found.start(), top, x + advance * found.end(), bottom, found[0]


def _label(field: Field, words: _Words, filled: bool) -> str:
    """What the PDF says of the field, where nothing is printed beside it or above."""
    label = field.label[:_MAX_LABEL]
    if not filled or _NO_LABEL.fullmatch(label) or words.beside(field):
        return ""
    return label


def _labelled(lines: list[Line], label: str, box: Box, size: float) -> list[Line]:
    """The label before the text that is there, in the same box."""
    x0, y0, _, y1 = box
    words = [(x0, y0, x0, y1, word) for word in f"{label}:".split()]
    if not lines:
        return [_line(list(words), size)]
    first = lines[0]
    return [_line([*words, *first.words], size), *lines[1:]]


def _without(text: Text, gone: set[RawWord], shown: set[RawWord], size: float) -> Text | None:
    """The text less the words that are gone. What is drawn in fields has any size: it is no
    heading."""
    words = [word for word in text.line.words if word not in gone]
    if not words:
        return None
    if len(words) == len(text.line.words) and not all(word in shown for word in words):
        return text
    drawn = all(word in shown for word in words)
    line = _line(words, size) if drawn else Line(words, text.line.size, text.line.bold)
    line.spoiled = text.line.spoiled
    return replace(text, line=line)


class _Words:
    """The words of a page, found by where they stand."""

    def __init__(self, texts: Iterable[Text]) -> None:
        self._strips: dict[int, list[RawWord]] = defaultdict(list)
        for text in texts:
            for word in text.line.words:
                self._strips[int((word[1] + word[3]) / 2 // _BAND)].append(word)

    def inside(self, box: Box) -> list[RawWord]:
        """Those whose middle is in the box."""
        return [word for word in self._between(box[1], box[3]) if box[0] <= _middle(word) <= box[2]]

    def beside(self, field: Field) -> bool:
        """Whether there are words where a label may be: left of the field or just above, and right
        of a box to tick."""
        x0, y0, x1, y1 = field.box
        row = [(w[0], w[2]) for w in self._between(y0 - 2, y1 + 2)]
        if any(x0 - _NEAR <= right <= x0 + 2 for _, right in row):
            return True
        if field.kind == "tick" and any(x1 - 2 <= left <= x1 + _NEAR for left, _ in row):
            return True
        return any(w[2] > x0 and w[0] < x1 for w in self._between(y0 - 14, y0))

    def _between(self, top: float, bottom: float) -> Iterator[RawWord]:
        for strip in range(int(top // _BAND), int(bottom // _BAND) + 1):
            for word in self._strips.get(strip, ()):
                if top <= (word[1] + word[3]) / 2 <= bottom:
                    yield word


def _middle(word: RawWord) -> float:
    return (word[0] + word[2]) / 2


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text)).casefold()


def _common_size(texts: Sequence[Text]) -> float:
    letters: Counter[float] = Counter()
    for text in texts:
        letters[text.line.size] += len(text.line.text)
    return letters.most_common(1)[0][0] if letters else _SIZE


def _common_direction(texts: Sequence[Text]) -> tuple[float, float]:
    letters: Counter[tuple[float, float]] = Counter()
    for text in texts:
        letters[text.direction] += len(text.line.text)
    return letters.most_common(1)[0][0] if letters else (1.0, 0.0)
