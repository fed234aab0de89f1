"""Rows of a region to paragraphs, headings and lists."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rag.readers.reading_order import Row
from rag.readers.style_profile import Profile
from rag.types import BlockKind

_SYMBOL = re.compile(r"[•·▪●◦‣⁃∙■□➢✓☐☑☒✔✗✘❏\uf0b7\uf0a7–—*-]|\[[x ]\]")
_BULLET = re.compile(rf"{_SYMBOL.pattern}|\(?(\d{{1,2}}|[a-z]|[ivx]{{1,4}})[.)]")
# Words that a heading does not end with: what goes on is a sentence or a list.
_GOES_ON = frozenset(
    "and or of the a an to for in on by with und oder der die das von et ou de du la le les des "
    "y o e del el los las di il i gli".split()
)
_MAX_HEADING_WORDS = 30
_MAX_HEADING_ROWS = 4


@dataclass(slots=True)
class Paragraph:
    kind: BlockKind
    rows: list[Row]
    level: int = 0


def paragraphs_of(rows: Sequence[Row], profile: Profile) -> list[Paragraph]:
    """Rows that belong together. Each list item is a paragraph of kind "list" of its own."""
    if not rows:
        return []
    right = max(row.x1 for row in rows)
    groups: list[list[Row]] = []
    for row in rows:
        if groups and not _begins(row, groups[-1], right, profile):
            groups[-1].append(row)
        else:
            groups.append([row])
    return [_paragraph(group, profile) for group in groups]


def _begins(row: Row, group: Sequence[Row], right: float, profile: Profile) -> bool:
    """Whether this row begins a new paragraph after the group."""
    last = group[-1]
    if _style(row, profile) != _style(last, profile) or _is_item(row):
        return True
    if _is_item(group[0]) and row.x0 < group[0].x0 - 0.3 * row.size:
        return True  # back out of the list
    gap = row.y0 - last.y1
    if gap > 0.6 * row.size or gap < -3 * row.size:
        return True
    if len(group) > 1 and gap > group[-1].y0 - group[-2].y1 + 0.35 * row.size:
        return True
    ended = last.text.endswith((".", "!", "?", ":"))
    indented = row.x0 - last.x0 > 0.8 * row.size and not _is_item(group[0])
    short = last.x1 < right - 0.2 * (right - group[0].x0)
    return ended and (indented or short)


def _style(row: Row, profile: Profile) -> tuple[int, int]:
    """What must not change within a paragraph: the heading level, and size in steps of a point."""
    level = _level(row, profile)
    return level, round(row.size) if level else 0


def _level(row: Row, profile: Profile) -> int:
    """Of a heading in the row's style; 0 where its style is a guess."""
    return 0 if row.guessed else profile.level(row.size, row.bold)


def _is_item(row: Row) -> bool:
    words = row.words
    return len(words) > 1 and _BULLET.fullmatch(words[0][4]) is not None


def _paragraph(rows: list[Row], profile: Profile) -> Paragraph:
    level = _level(rows[0], profile)
    if level and _can_head(rows):
        return Paragraph("heading", rows, level)
    return Paragraph("list" if _is_item(rows[0]) else "text", rows)


def _can_head(rows: Sequence[Row]) -> bool:
    text = " ".join(row.text for row in rows)
    letters = sum(char.isalpha() for char in text)
    return (
        len(rows) <= _MAX_HEADING_ROWS
        and len(text.split()) <= _MAX_HEADING_WORDS
        and letters >= 3
        and letters >= 0.4 * len(text.replace(" ", ""))
        and not text.endswith((".", ",", ";", "&"))
        and not _SYMBOL.match(text)
        and text.split()[-1].lower() not in _GOES_ON
    )
