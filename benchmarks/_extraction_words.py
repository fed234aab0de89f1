"""What of a PDF's words an extraction keeps, against what PyMuPDF gives of it unread."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from rag.types import Page

_WORD = re.compile(r"[^\W_]+")
_NUMBER = re.compile(r"\d{1,4}")
_HYPHENS = ("-", "\xad", "‐")
_REPEATED = 3  # pages that have a line, for its further copies not to count as lost


@dataclass(slots=True)
class Kept:
    """Of one file. `left_out`: words of further copies of a line that stands on three pages."""

    file: str
    pages: int
    words: int = 0
    lost: int = 0
    left_out: int = 0
    neighbours: int = 0  # pairs of words in one line
    neighbours_kept: int = 0
    lines: list[str] = field(default_factory=list)  # some of those with lost words

    @property
    def share(self) -> float:
        return self.lost / self.words if self.words else 0.0


def kept_words(path: Path, pages: Sequence[Page]) -> Kept:
    """Compares the pages as they were read with the file's plain text. Words are runs of letters
    and digits, in one case; a word hyphenated over two lines may be joined."""
    plain = _plain_lines(path)
    keys = _Keys(plain)
    ours = Counter(word for page in pages for word in words_of(page.text))
    copies = Counter(
        key for number, lines in plain for key in {keys.of(line, number) for line in lines}
    )
    kept, excused = Kept(path.name, len(pages)), Counter[str]()
    found = [
        (copies[key] >= _REPEATED, number, line, key, words)
        for number, lines in plain
        for line, words in _joined(lines, ours)
        for key in [keys.of(line, number)]
    ]
    # Repeated lines last: what they take of a page's "of" the text would lack.
    for repeated, number, line, key, words in sorted(found, key=lambda one: one[0]):
        kept.words += len(words)
        missing = [word for word in words if not _take(ours, word)]
        free = copies[key] - (1 if re.search(r"[^\W\d]", key) else 0)
        if missing and repeated and excused[key] < free:
            excused[key] += 1
            kept.left_out += len(missing)
        elif missing:
            kept.lost += len(missing)
            kept.lines.append(f"p. {number}: {line[:60]}")
    _count_neighbours(kept, plain, pages)
    return kept


def words_of(text: str) -> list[str]:
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())


def pairs_of(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    return pairwise(words)


def _plain_lines(path: Path) -> list[tuple[int, list[str]]]:
    import pymupdf

    with pymupdf.open(path) as document:
        return [(page.number + 1, _lines(page)) for page in document]


def _lines(page: Any) -> list[str]:
    return [line.strip() for line in page.get_text("text").splitlines() if words_of(line)]


class _Keys:
    """What makes two lines the same: their words and numbers, but for a number that goes on with
    the pages ("Page 3 of 17")."""

    def __init__(self, plain: Sequence[tuple[int, list[str]]]) -> None:
        offsets: dict[tuple[str, int], Counter[int]] = {}
        pages: dict[tuple[str, int], set[int]] = {}
        for page, lines in plain:
            found = {
                (_NUMBER.sub("#", line), place, int(number) - page)
                for line in lines
                for place, number in enumerate(_NUMBER.findall(line))
            }
            for masked, place, distance in found:
                offsets.setdefault((masked, place), Counter())[distance] += 1
                pages.setdefault((masked, place), set()).add(page)
        # With the pages, not by accident: the same distance on half the pages with such a line.
        self._counted = {
            place: distances.most_common(1)[0][0]
            for place, distances in offsets.items()
            if 2 * distances.most_common(1)[0][1] >= len(pages[place]) > 1
        }

    def of(self, line: str, page: int) -> str:
        masked = _NUMBER.sub("#", line)
        place = -1

        def shown(found: re.Match[str]) -> str:
            nonlocal place
            place += 1
            return "#" if self._counted.get((masked, place)) == int(found[0]) - page else found[0]

        return _NUMBER.sub(shown, line)


def _joined(lines: Sequence[str], ours: Counter[str]) -> Iterator[tuple[str, list[str]]]:
    """Each line with its words; those that were joined over its end are one word of it."""
    skip = 0
    for i, line in enumerate(lines):
        words = words_of(line)[skip:]
        skip = 0
        following = words_of(lines[i + 1]) if i + 1 < len(lines) else []
        if line.endswith(_HYPHENS) and words and following and ours[words[-1] + following[0]]:
            words[-1] += following[0]
            skip = 1
        yield line, words


def _take(counter: Counter[str], word: str) -> bool:
    counter[word] -= 1
    return counter[word] >= 0


def _count_neighbours(
    kept: Kept, plain: Sequence[tuple[int, list[str]]], pages: Sequence[Page]
) -> None:
    for (_, lines), page in zip(plain, pages, strict=False):
        ours = set(pairs_of(words_of(page.text)))
        known = set(words_of(page.text))
        pairs = [pair for line in lines for pair in pairs_of(words_of(line)) if known >= {*pair}]
        kept.neighbours += len(pairs)
        kept.neighbours_kept += sum(pair in ours for pair in pairs)
