"""Reading order: lines to regions (one column each, in order), and regions to rows and cells."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from rag.readers.bidi import in_order, is_from_right, marks_joined
from rag.readers.lines import Line, RawWord

# Without a digit it may be "–" or "n/a", but no box to tick ("[x]", "[ ]": form_text.py).
_NUMERIC = re.compile(r"(?!\[[x ]\])[\s\d.,$€£¥%()\[\]+\-–—−/*†x]+|n/?[am]\.?", re.IGNORECASE)
_CURRENCY = re.compile(r"[(\[]?(US|C|A)?[$€£¥][(\[]?")
_CLOSING = re.compile(r"[)\]%]+")
_CELL_GAP = 0.9  # of the font size: a wider gap between words parts two cells
_MIN_COLUMN_LINES = 3
_FILLED = 0.45  # of the column's width, by the median line of running text


@dataclass(slots=True)
class Cell:
    """Neighbouring words of one row."""

    words: list[RawWord]

    @property
    def x0(self) -> float:
        return min(word[0] for word in self.words)

    @property
    def x1(self) -> float:
        return max(word[2] for word in self.words)

    @property
    def text(self) -> str:
        return " ".join(word[4] for word in self.words)

    @property
    def numeric(self) -> bool:
        return _NUMERIC.fullmatch(self.text) is not None


@dataclass(slots=True)
class Row:
    """Lines side by side on one baseline."""

    lines: list[Line]
    cells: list[Cell] = field(init=False)

    def __post_init__(self) -> None:
        words = sorted((word for line in self.lines for word in line.words), key=lambda w: w[0])
        words = marks_joined(words) if self.lines[0].mirrored else words
        self.cells = _cells(words, self.size)
        if any(map(is_from_right, (word[4] for word in words))) or self.lines[0].mirrored:
            for cell in self.cells:
                cell.words = in_order(cell.words, from_right=self.lines[0].mirrored)

    @property
    def words(self) -> list[RawWord]:
        return [word for cell in self.cells for word in cell.words]

    @property
    def size(self) -> float:
        return max(line.size for line in self.lines)

    @property
    def bold(self) -> bool:
        return all(line.bold for line in self.lines)

    @property
    def guessed(self) -> bool:
        """Whether its size, or a part's, is a guess."""
        return any(line.guessed for line in self.lines)

    @property
    def filled(self) -> bool:
        """Whether it has a form's field in it."""
        return any(line.filled for line in self.lines)

    @property
    def text(self) -> str:
        return " ".join(cell.text for cell in self.cells)

    @property
    def x0(self) -> float:
        return min(line.x0 for line in self.lines)

    @property
    def x1(self) -> float:
        return max(line.x1 for line in self.lines)

    @property
    def y0(self) -> float:
        return min(line.y0 for line in self.lines)

    @property
    def y1(self) -> float:
        return max(line.y1 for line in self.lines)

    @property
    def tabular(self) -> bool:
        """Looks like a row of a table: three cells, or a label and a number."""
        return len(self.cells) > 2 or (len(self.cells) == 2 and self.cells[1].numeric)


def _cells(words: Sequence[RawWord], size: float) -> list[Cell]:
    cells: list[Cell] = []
    for word in words:
        if cells and word[0] - cells[-1].x1 <= _CELL_GAP * size:
            cells[-1].words.append(word)
        else:
            cells.append(Cell([word]))
    return _with_signs(cells)


def _with_signs(cells: list[Cell]) -> list[Cell]:
    """Joins a lone currency sign to the number after it, a lone bracket to the one before."""
    joined: list[Cell] = []
    for cell in cells:
        if joined and (
            (_CURRENCY.fullmatch(joined[-1].text) and cell.text[0] in "0123456789.,(-–—−")
            or (_CLOSING.fullmatch(cell.text) and joined[-1].numeric)
        ):
            joined[-1].words.extend(cell.words)
        else:
            joined.append(Cell(list(cell.words)))
    return joined


def rows_of(lines: Sequence[Line]) -> list[Row]:
    """Lines of one region, from top to bottom, those on one baseline together."""
    groups: list[list[Line]] = []
    bottom = top = 0.0
    for line in sorted(lines, key=lambda item: (item.y0 + item.y1) / 2):
        middle = (line.y0 + line.y1) / 2
        if groups and top <= middle <= bottom and _shares_baseline(line, top, bottom):
            groups[-1].append(line)
        else:
            groups.append([line])
            top, bottom = line.y0, line.y1
    return [Row(group) for group in groups]


def _shares_baseline(line: Line, top: float, bottom: float) -> bool:
    overlap = min(line.y1, bottom) - max(line.y0, top)
    return overlap >= 0.5 * min(line.height, bottom - top)


def regions_of(lines: Sequence[Line]) -> list[list[Line]]:
    """Splits a page into regions in reading order: each is full width, or one column of a band."""
    valley = _valley(lines)
    if valley is None:
        return [list(lines)] if lines else []
    wide = _wide_rows(lines, valley)
    found: list[list[Line]] = []
    across: list[Line] = []
    sides: tuple[list[Line], list[Line]] = ([], [])
    for line in sorted(lines, key=lambda item: item.y0):
        if id(line) in wide or (line.x0 < valley - 4 and line.x1 > valley + 4):
            found += _columns(sides)
            sides = ([], [])
            across.append(line)
        else:
            if across:
                found.append(across)
                across = []
            sides[line.x0 >= valley - 4].append(line)
    found += _columns(sides)
    return [*found, across] if across else found


def _columns(sides: tuple[list[Line], list[Line]]) -> list[list[Line]]:
    return [region for side in sides for region in regions_of(side)]


def _wide_rows(lines: Sequence[Line], valley: float) -> set[int]:
    """Lines of table rows that reach over the valley, by id; at least three such rows count."""
    rows = [row for row in rows_of(lines) if _is_wide(row, valley)]
    return {id(line) for row in rows for line in row.lines} if len(rows) > 2 else set()


def _is_wide(row: Row, valley: float) -> bool:
    left = any(cell.numeric and cell.x1 < valley for cell in row.cells)
    right = any(cell.numeric and cell.x0 > valley for cell in row.cells)
    return len(row.cells) > 3 and left and right


def _valley(lines: Sequence[Line]) -> float | None:
    """The left edge of a right-hand column of running text, if there is one."""
    prose = [line for line in lines if len(line.words) > 2]
    best, best_score = None, 0
    for x in _left_edges(prose):
        if (score := _score(prose, x)) > best_score:
            best, best_score = x, score
    return best if best is not None else _figure_valley(lines)


def _left_edges(lines: Sequence[Line]) -> list[float]:
    """Where several lines begin, in points, a little to the left of it."""
    edges = Counter(round(line.x0) for line in lines)
    return [
        edge - 1.5
        for edge, count in edges.items()
        if count + edges.get(edge - 1, 0) + edges.get(edge + 1, 0) >= _MIN_COLUMN_LINES
    ]


def _figure_valley(lines: Sequence[Line]) -> float | None:
    """Between a column of running text and what stands beside it off its baselines: the labels of
    a chart, notes in the margin. (The cells of a table stand on the baselines of its labels.)
    """
    full = [line for line in lines if len(line.words) > 5]
    if len(full) < 2 * _MIN_COLUMN_LINES:
        return None
    for x in (max(line.x1 for line in full) + 2, min(line.x0 for line in full) - 2):
        left = [line for line in lines if line.x1 <= x]
        right = [line for line in lines if line.x0 >= x - 1]
        text, beside = (left, right) if x > full[0].x0 else (right, left)
        if min(len(left), len(right)) >= _MIN_COLUMN_LINES and _off_baselines(beside, text):
            return x
    return None


def _off_baselines(beside: Sequence[Line], text: Sequence[Line]) -> bool:
    bottoms = {round(line.y1) for line in text}
    aligned = sum(bool({round(line.y1) + d for d in (-1, 0, 1)} & bottoms) for line in beside)
    return _fills(text) and aligned < 0.5 * len(beside)


def _score(prose: Sequence[Line], x: float) -> int:
    """How many lines a valley at x parts side by side; 0 where it is none."""
    left = [line for line in prose if line.x1 <= x]
    right = [line for line in prose if line.x0 >= x]
    across = len(prose) - len(left) - len(right)
    beside = min(_beside(left, right), _beside(right, left))
    if beside < _MIN_COLUMN_LINES or across > len(left) + len(right):
        return 0
    if not (_fills(left) and _fills(right)):
        return 0
    return min(len(left), len(right)) - min(across, beside - 1)


def _beside(lines: Sequence[Line], others: Sequence[Line]) -> int:
    """How many lines stand in the height that the others take up."""
    if not others:
        return 0
    top, bottom = min(line.y0 for line in others), max(line.y1 for line in others)
    return sum(top < (line.y0 + line.y1) / 2 < bottom for line in lines)


def _fills(lines: Sequence[Line]) -> bool:
    """Running text fills its column; the cells of a table do not."""
    width = max(line.x1 for line in lines) - min(line.x0 for line in lines)
    widths = sorted(line.x1 - line.x0 for line in lines)
    return widths[len(widths) // 2] >= _FILLED * width
