"""Text to the statements in it: sentences, list items, table rows. Pure rules, exact offsets.

The answer is split into claims, a passage into the units that can be quoted, by the same rules.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal["sentence", "item", "row"]

# Never end a sentence.
_ABBREVIATIONS: Final = frozenset(
    "mr mrs ms dr prof rev gen col lt sgt st mt vs cf e.g i.e fig figs eq no nos vol pp p ed eds al"
    " approx ca est dept min max avg resp sec ch art abs nr str tel hr fr dipl ing bzw z.b d.h u.a"
    " z.t s.o s.u o.g i.d.r vgl evtl ggf inkl exkl zzgl max mind sog geb gest jan feb mar apr jun"
    " jul aug sep sept oct nov dec okt dez mio mrd tsd".split()
)
# Words as well: abbreviations only before a number or what has one in it ("Policy no. HX-55120").
_NUMBERED: Final = frozenset("no nos art fig sec max min ed est ch s p mar dec sept".split())
# Stand at the end of a sentence too: they end one where a usual first word follows.
_EITHER: Final = frozenset(
    "inc ltd co corp llc plc jr sr etc usw a.m p.m u.s u.k u.n e.u d.c".split()
)
_STARTERS: Final = frozenset(
    "The This That These Those It Its In On At He She They We I You A An As By For From If When"
    " While However But And Its Their There Der Die Das Dies Diese Es Er Sie Wir Ein Eine Im Am"
    " Bei Für Aber Und Wenn".split()
)
_MONTHS: Final = re.compile(
    r"(?:jan|feb|mar|mär|apr|ma[iy]|jun|jul|aug|sep|o[ck]t|nov|de[cz])", re.IGNORECASE
)
_END = re.compile(r"[.!?…]+[\"'”’»)\]*_]*(?=\s|$)|[。！？｡]+[」』”’）)]*")
_LAST_TOKEN = re.compile(r"[^\s(\[\"'“„«]*$")
_ITEM = re.compile(r"[ \t]*(?:[-*+•‣▪◦–]|\(?\d{1,3}[.)]|\(?[a-z][.)])[ \t]+(?=\S)")
_HEADING = re.compile(r"[ \t]*#{1,6}[ \t]|[ \t]*(\*\*|__)[^*_]+\1:?[ \t]*$")
_RULE = re.compile(r"[ \t]*(?:[-*_=][ \t]*){3,}$")
_SEPARATOR = re.compile(r"[ \t]*\|?[ \t]*:?-{1,}:?[ \t]*(?:\|[ \t]*:?-{1,}:?[ \t]*)*\|?[ \t]*$")
_FENCE = re.compile(r"[ \t]*(```|~~~)")
_QUOTE = re.compile(r"[ \t]*(?:>[ \t]?)+")
_CODE = re.compile(r"^[ \t]*(```|~~~).*?(?:^[ \t]*\1|\Z)|`[^`\n]+`", re.MULTILINE | re.DOTALL)
# Longer than this with line breaks inside is no sentence but rows without rules around them.
_LONG = 300


@dataclass(frozen=True, slots=True)
class Statement:
    """`text[start:end]`."""

    start: int
    end: int
    kind: Kind


def statements(text: str) -> list[Statement]:
    """Every sentence, list item and table row of a text, in order; no headings, no code."""
    found: list[Statement] = []
    for kind, start, end in _paragraphs(text):
        if kind == "row":
            found.append(Statement(start, end, kind))
        else:
            found += [Statement(a, b, kind) for a, b in sentences(text, start, end)]
    return found


def code_spans(text: str) -> list[tuple[int, int]]:
    """Fenced blocks (an open one runs to the end) and inline code."""
    return [match.span() for match in _CODE.finditer(text)]


def sentences(text: str, start: int = 0, end: int | None = None) -> Iterator[tuple[int, int]]:
    """Spans of the sentences of `text[start:end]`, without the blanks around them."""
    end = len(text) if end is None else end
    for a, b in _pieces(text, start, end):
        if b - a > _LONG and "\n" in text[a:b]:
            yield from _lines_of(text, a, b)
        else:
            yield a, b


def _pieces(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    begin = start
    code = code_spans(text) if "`" in text else []
    for match in _END.finditer(text, start, end):
        if any(a < match.end() < b for a, b in code):
            continue
        if _ends_sentence(text, begin, match, end):
            yield from _trimmed(text, begin, match.end())
            begin = match.end()
    yield from _trimmed(text, begin, end)


def _ends_sentence(text: str, begin: int, match: re.Match[str], end: int) -> bool:
    after = text[match.end() : end].lstrip()
    if not after or match.group()[0] in "。！？｡":
        return True
    if after[0].islower():
        return False
    if match.group()[0] != ".":
        return True
    token = _LAST_TOKEN.search(text, begin, match.start())
    return not _is_abbreviation(token.group() if token else "", after)


def _is_abbreviation(token: str, after: str) -> bool:
    """Whether the full stop after `token` belongs to it."""
    bare = token.strip("*_").casefold()
    if bare in _EITHER or re.fullmatch(r"(?:[^\W\d]\.)+[^\W\d]", bare):
        return bare in _ABBREVIATIONS or after.split(maxsplit=1)[0] not in _STARTERS
    if bare.isdigit():  # "am 3. Mai"
        return len(bare) <= 2 and _MONTHS.match(after) is not None
    if bare in _NUMBERED:
        return any(map(str.isdigit, after.split(maxsplit=1)[0]))
    return bare in _ABBREVIATIONS or (len(bare) == 1 and token.isupper() and bare != "i")


def _trimmed(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    if any(char.isalnum() for char in text[start:end]):
        yield start, end


def _lines_of(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    for match in re.finditer(r"[^\n]+", text[start:end]):
        yield from _trimmed(text, start + match.start(), start + match.end())


def _paragraphs(text: str) -> Iterator[tuple[Kind, int, int]]:
    """Runs of plain lines, list items with the lines that continue them, and table rows."""
    kind: Kind = "sentence"
    begin = stop = -1
    for line_kind, start, end in _lines(text):
        if line_kind == "text" and begin >= 0:
            stop = end
            continue
        if begin >= 0:
            yield kind, begin, stop
            begin = -1
        if line_kind == "row":
            yield from (("row", a, b) for a, b in _trimmed(text, start, end))
        elif line_kind in ("text", "item"):
            kind, begin, stop = ("item" if line_kind == "item" else "sentence"), start, end
    if begin >= 0:
        yield kind, begin, stop


def _lines(text: str) -> Iterator[tuple[str, int, int]]:
    """(text | item | row | break, start, end) of each line; starts lie behind list signs."""
    fence = ""
    spans = [(m.start(), m.end()) for m in re.finditer(r"[^\n]*(?:\n|$)", text) if m.group()]
    for number, (start, end) in enumerate(spans):
        line = text[start:end].rstrip("\r\n")
        mark = _FENCE.match(line)
        if mark or fence:
            if mark and (not fence or mark.group(1) == fence):
                fence = "" if fence else mark.group(1)
            yield "break", start, end
            continue
        below = text[slice(*spans[number + 1])].rstrip("\r\n") if number + 1 < len(spans) else ""
        yield _line(line, below, start)


def _line(line: str, below: str, start: int) -> tuple[str, int, int]:
    end = start + len(line)
    if not line.strip() or _HEADING.match(line) or _RULE.match(line):
        return "break", start, end
    if line.lstrip().startswith("|"):
        is_head = "|" in below and _SEPARATOR.match(below)
        return ("break" if _SEPARATOR.match(line) or is_head else "row"), start, end
    quoted = _QUOTE.match(line)
    offset = quoted.end() if quoted else 0
    if item := _ITEM.match(line, offset):
        return "item", start + item.end(), end
    return ("text" if not quoted else "item"), start + offset, end
