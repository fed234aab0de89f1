"""Citation markers in an answer: found, taken out, put back.

A marker is whatever a model writes to point at a passage: [1], [1, 3], [1][2], 【1】, [passage 2],
[^1], (passage 2), and (1) before the end of a sentence. Markers in code are left alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rag.verification.segmentation import code_spans

_NUMBER = r"\d{1,3}"
_LABEL = r"(?:(?:passages?|sources?|docs?|documents?|refs?|absatz|quellen?|textstellen?)\s*#?\s*)?"
_LIST = rf"{_LABEL}{_NUMBER}(?:\s*(?:,|;|&|-|–|and|und)\s*{_LABEL}{_NUMBER})*"
_PAGE = r"(?:pages?|pp?|seiten?|s)\b\.?\s*\d+(?:\s*[-–]\s*\d+)?"
_TAIL = rf"(?:\s*(?:,|†|:)\s*(?:{_PAGE}|[lL]\d[\w-]*|source))?"
_BRACKETED = rf"\[\^?\s*{_LIST}{_TAIL}\s*\]|【\s*{_LIST}{_TAIL}\s*】"
_NAMED = rf"\(\s*{_LABEL.removesuffix('?')}{_NUMBER}(?:\s*(?:,|and|und)\s*{_NUMBER})*{_TAIL}\s*\)"
_BARE = r"(?<=\s)\(\d{1,2}\)(?=[ \t]*(?:[.!?。](?!\w)|\r?\n|$))"
_ONE = rf"(?:{_BRACKETED}|{_NAMED}|{_BARE})"
_GROUP = re.compile(rf"{_ONE}(?:[ \t]*(?:,|;|&|and|und)?[ \t]*{_ONE})*", re.IGNORECASE)
_PAGES = re.compile(r"(?:†|:|,\s*(?:pages?|pp?|seiten?|s)\b).*$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Unmarked:
    """Text without its markers. `hints` are (offset in `text`, passage numbers) in order."""

    text: str
    hints: tuple[tuple[int, tuple[int, ...]], ...]


def strip_markers(text: str, passages: Iterable[str] = ()) -> Unmarked:
    """Takes every marker out, with the blanks before it; what remains is untouched.

    A bare (1) that one of `passages` has after the same word is part of the text, no marker.
    """
    known = list(passages)
    while True:
        # Taking one out can bring another together ("[[1]2]"): again, until nothing is found.
        result = _strip_once(text, known)
        if result.text == text or not _found(result.text, known):
            return result
        text = result.text


def _strip_once(text: str, passages: Sequence[str]) -> Unmarked:
    parts: list[str] = []
    hints: list[tuple[int, tuple[int, ...]]] = []
    length = last = 0
    for start, end in _found(text, passages):
        before = text[last:start]
        after = text[end : end + 1]
        joined = before.rstrip(" \t") if not _is_word(after) else before
        if (not joined and (not parts or parts[-1].endswith("\n"))) or joined.endswith("\n"):
            end += len(text[end:]) - len(text[end:].lstrip(" \t"))
        elif _is_word(after) and _is_word(joined[-1:]):
            joined += " "
        parts.append(joined)
        length += len(joined)
        hints.append((length, _numbers(text[start:end])))
        last = end
    parts.append(text[last:])
    return Unmarked("".join(parts), tuple(hints))


def _found(text: str, passages: Sequence[str]) -> list[tuple[int, int]]:
    code = code_spans(text)
    spans = []
    for match in _GROUP.finditer(text):
        start, end = match.span()
        if any(a < end and start < b for a, b in code):
            continue
        if text[start] == "(" and _is_text(text, start, end, passages):
            continue
        spans.append((start, end))
    return spans


def _is_text(text: str, start: int, end: int, passages: Sequence[str]) -> bool:
    line_start = text.rfind("\n", 0, start) + 1
    head = text[line_start:start]
    if not head.strip() or head.lstrip().startswith("|"):
        return True
    with_word = head.split()[-1] + " " + text[start:end]
    return any(with_word in passage for passage in passages)


def _numbers(marker: str) -> tuple[int, ...]:
    found: list[int] = []
    for one in re.findall(_ONE, marker, re.IGNORECASE) or [marker]:
        found += [int(n) for n in re.findall(r"\d+", _PAGES.sub("", one))]
    return tuple(dict.fromkeys(found))


def _is_word(char: str) -> bool:
    return char.isalnum() or char == "_"
