"""The text of a pymupdf page, line by line, with what of it may not be what the page shows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from rag.readers.bidi import is_from_right, plain_letters, runs_from_right, words_from_right
from rag.readers.fonts import Fonts
from rag.readers.lines import Line, RawWord, Text, nearest_direction
from rag.readers.symbol_fonts import with_signs
from rag.readers.unplaced_text import text_without_width, words_of_line
from rag.readers.vertical import in_columns
from rag.types import Box

_JUNK = re.compile("[\x00-\x08\x0b-\x1f\u200b-\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff\ufffd]")
_LEADERS = re.compile(r"(?:\.\s*){4,}|…+|_{3,}|·{3,}")
_UNKNOWN = "\ufffd"
_PALE = 0xE0  # of red, green and blue, each at least
_ADVANCE = 0.5  # of the font size: a letter's width, on average
_OFF = 2.0  # a font size so many times off the one that the letters' widths tell is not meant


def texts_of(page: Any, fonts: Fonts) -> Sequence[Text]:
    """All text of the page, in the order of its content, hidden or not."""
    textpage = _textpage(page, fonts)
    words = _words_by_line(textpage.extractWORDS())
    blocks = [block for block in textpage.extractDICT()["blocks"] if block["type"] == 0]
    plain = textpage.extractText()
    from_right = _lines_from_right(textpage) if is_from_right(plain) else {}
    texts = [
        text
        for block in blocks
        for line_no, line in enumerate(block["lines"])
        for place in [(block["number"], line_no)]
        for text in _texts(
            line, from_right.get(place) or words_of_line(line, words.get(place, [])), fonts
        )
    ]
    return in_columns([*texts, *text_without_width(textpage, plain, blocks)])


def _lines_from_right(textpage: Any) -> dict[tuple[int, int], list[RawWord]]:
    """Of Hebrew, Arabic and the like, by block and line. MuPDF's order of such lines is that of
    their pieces in the file."""
    return {
        (block["number"], line_no): words_from_right(line)
        for block in textpage.extractRAWDICT()["blocks"]
        for line_no, line in enumerate(block.get("lines", ()))
        if tuple(line["dir"]) == (1.0, 0.0)
        and runs_from_right("".join(c["c"] for span in line["spans"] for c in span["chars"]))
    }


def _textpage(page: Any, fonts: Fonts) -> Any:
    """MuPDF's text. Characters that their font does not name are U+FFFD, unless what stands in
    their place, the numbers of the glyphs, turns out to be letters."""
    import pymupdf

    pymupdf.TOOLS.set_subset_fontnames(True)  # two parts of one font may have other tables
    flags = (
        pymupdf.TEXTFLAGS_DICT & ~pymupdf.TEXT_PRESERVE_IMAGES & ~pymupdf.TEXT_PRESERVE_LIGATURES
    )
    # PyMuPDF reads a page that is turned (/Rotate) as if it were not; boxes are as it is displayed.
    turned = {"matrix": page.rotation_matrix, "clip": page.rect} if page.rotation else {}
    named_only = flags & ~pymupdf.TEXT_CID_FOR_UNKNOWN_UNICODE
    textpage = page.get_textpage(flags=named_only, **turned)
    unknown = _UNKNOWN in textpage.extractText()
    if not (unknown or fonts.unsettled({font for font, _ in _named(textpage)})):
        return textpage
    raw = textpage.extractRAWDICT()["blocks"]
    fonts.learn(raw)
    if not unknown:
        return textpage
    with_codes = flags | pymupdf.TEXT_CID_FOR_UNKNOWN_UNICODE
    coded = page.get_textpage(flags=with_codes, **turned)
    nameless = fonts.learn_codes(raw, coded.extractRAWDICT()["blocks"])
    written = dict.fromkeys(nameless, "")
    for font, text in _named(coded):
        if font in nameless:
            written[font] += f"{text} "
    plain = all(fonts.codes_are_letters(font, text) for font, text in written.items())
    return coded if plain else textpage


def _named(textpage: Any) -> list[tuple[str, str]]:
    """(font, text) of each span."""
    return [
        (span["font"], span["text"])
        for block in textpage.extractDICT()["blocks"]
        for line in block.get("lines", ())
        for span in line["spans"]
    ]


def _words_by_line(words: list[tuple[Any, ...]]) -> dict[tuple[int, int], list[RawWord]]:
    found: dict[tuple[int, int], list[RawWord]] = {}
    for x0, y0, x1, y1, text, block, line, _ in words:
        if text.strip():
            found.setdefault((block, line), []).append((x0, y0, x1, y1, text))
    return found


def _texts(line: dict[str, Any], words: list[RawWord], fonts: Fonts) -> list[Text]:
    """The line's words, parted where some are transparent, pale or garbled and others are not."""
    if not words:
        return []
    words = with_signs(line, words)
    spans = [span for span in line["spans"] if span["text"].strip()]
    groups: dict[tuple[bool, bool, bool], list[dict[str, Any]]] = {}
    for span in spans:
        groups.setdefault(_look(span, fonts), []).append(span)
    texts = []
    for look, members in groups.items():
        own = words
        if len(groups) > 1:
            boxes = [span["bbox"] for span in members]
            own = [word for word in words if any(_covers(box, word) for box in boxes)]
        if text := _text(look, members, own, nearest_direction(line["dir"])):
            texts.append(text)
    return texts


def _look(span: dict[str, Any], fonts: Fonts) -> tuple[bool, bool, bool]:
    """Transparent, pale, garbled."""
    color = span["color"]
    pale = min(color >> 16 & 255, color >> 8 & 255, color & 255) >= _PALE
    return span["alpha"] == 0, pale, fonts.is_garbled(span["font"])


def _text(
    look: tuple[bool, bool, bool],
    spans: list[dict[str, Any]],
    words: list[RawWord],
    direction: tuple[float, float],
) -> Text | None:
    transparent, pale, garbled = look
    main = max(spans, key=lambda span: len(span["text"].strip()))
    size = _drawn_size(main, words, direction)
    words = [_heightened(word, size, main, direction) for word in words]
    clean = [word for word in map(_cleaned, words) if word[4]]
    broken = [word for word in words if len(word[4]) > 1 and _UNKNOWN in word[4]]
    if not (clean or broken):
        return None
    bold = all(_is_bold(span) for span in spans)
    line = Line(clean or broken, round(size, 1), bold)
    if not (garbled or broken):
        return Text(line, direction, transparent, pale)
    rest = () if garbled else tuple(_cleaned(word) for word in words if _UNKNOWN not in word[4])
    whole = Line(words, line.size, bold)
    return Text(whole, direction, transparent, pale, True, tuple(word for word in rest if word[4]))


def _cleaned(word: RawWord) -> RawWord:
    text = plain_letters(_LEADERS.sub("", _JUNK.sub("", word[4])).strip())
    return (*word[:4], text)


def _drawn_size(
    span: dict[str, Any], words: list[RawWord], direction: tuple[float, float]
) -> float:
    """The font size in points. That of a Type 3 font may be anything: its glyphs have a matrix of
    their own. The width of its letters tells."""
    size = float(span["size"])
    letters = sum(len(word[4]) for word in words)
    if "Type3" not in span["font"] or not letters:
        return size
    lengths = [w[2] - w[0] if direction[1] == 0 else w[3] - w[1] for w in words]
    drawn = sum(lengths) / letters / _ADVANCE
    return drawn if drawn > _OFF * size or drawn * _OFF < size else size


def _heightened(
    word: RawWord, size: float, span: dict[str, Any], direction: tuple[float, float]
) -> RawWord:
    """The word with a box as high as its drawn size, where that is not the font's."""
    if size == float(span["size"]):
        return word
    x0, y0, x1, y1, text = word
    x, y = span["origin"]
    up, down = 0.8 * size, 0.2 * size
    dx, dy = direction
    if dy == 0:
        return (x0, y - up, x1, y + down, text) if dx > 0 else (x0, y - down, x1, y + up, text)
    return (x - down, y0, x + up, y1, text) if dy > 0 else (x - up, y0, x + down, y1, text)


def _is_bold(span: dict[str, Any]) -> bool:
    return bool(span["flags"] & 16 or span.get("char_flags", 0) & 8)


def _covers(box: Box, word: RawWord) -> bool:
    x, y = (word[0] + word[2]) / 2, (word[1] + word[3]) / 2
    return box[0] <= x <= box[2] and box[1] <= y <= box[3]
