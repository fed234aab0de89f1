"""PDFs whose text is not simply there: pictures of text, outlines, broken fonts, Type 3."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pymupdf
from pdf_factory import MARGIN, PAGE, save

LINES = ("The kiln holds 640 tiles.", "It is fired twice a week.", "Each firing costs 85 crowns.")
SENTENCE = "The yearly rent of the boathouse is 4,370 crowns, payable in March. "


def written(lines: Sequence[str], *, size: float = 14, font: str = "helv") -> Any:
    """A document of one page with these lines from the top."""
    document = pymupdf.open()
    page = document.new_page(width=PAGE[0], height=PAGE[1])
    for i, line in enumerate(lines):
        page.insert_text((MARGIN, 120 + i * size * 1.6), line, fontsize=size, fontname=font)
    return document


def picture(lines: Sequence[str], *, size: float = 14, dpi: int = 150) -> bytes:
    return bytes(written(lines, size=size)[0].get_pixmap(dpi=dpi).tobytes("png"))


def scan(lines: Sequence[str] = LINES, *, turn: float = 0) -> Any:
    """A document of one page: the picture of the lines, turned clockwise about its middle."""
    document = pymupdf.open()
    page = document.new_page(width=PAGE[0], height=PAGE[1])
    if not turn:
        page.insert_image(page.rect, stream=picture(lines))
        return document
    source = written(lines)[0]
    x, y = PAGE[0] / 2, PAGE[1] / 2
    matrix = pymupdf.Matrix(1, 0, 0, 1, -x, -y) * pymupdf.Matrix(turn)
    matrix *= pymupdf.Matrix(1, 0, 0, 1, x, y) * pymupdf.Matrix(2, 2)
    clip = pymupdf.Rect(0, 0, *PAGE)
    drawn = source.get_displaylist().get_pixmap(matrix=matrix, alpha=False, clip=clip * 2)
    page.insert_image(page.rect, stream=drawn.tobytes("png"), keep_proportion=False)
    return document


def outlined(lines: Sequence[str] = LINES, *, stroke: float = 0) -> Any:
    """The lines drawn as paths, filled or (with a width in ems) stroked."""
    svg = written(lines)[0].get_svg_image(text_as_path=True)
    if stroke:
        svg = svg.replace("<use ", f'<use fill="none" stroke="black" stroke-width="{stroke}" ')
    return pymupdf.open("pdf", pymupdf.open("svg", svg.encode()).convert_to_pdf())


def garbled(path: Path, lines: Sequence[str], *, change: Callable[[str], str]) -> Path:
    """The lines in a font whose table of letters went through `change`."""
    document = written([])
    page = document[0]
    font = pymupdf.Font("tiro")
    page.insert_font(fontname="F0", fontbuffer=font.buffer)
    for i, line in enumerate(lines):
        page.insert_text((MARGIN, 120 + i * 20), line, fontname="F0", fontsize=12)
    document.subset_fonts()
    spoil(document, change)
    return save(document, path)


def spoil(document: Any, change: Callable[[str], str]) -> None:
    for xref in range(1, document.xref_length()):
        kind, value = document.xref_get_key(xref, "ToUnicode")
        if kind == "xref":
            table = int(value.split()[0])
            text = document.xref_stream(table).decode()
            document.update_stream(table, change(text).encode())


def type3(path: Path, text: str, *, matrix: str, scale: float, flip: bool = False) -> Path:
    """The text in a font of boxes whose glyphs are 60 units wide and 70 high, in a FontMatrix of
    this sort; `scale` (Tf) makes them some 10 points high."""
    from pdf_factory import raw_pdf, stream

    letters = sorted(set(text))
    first, last = ord(letters[0]), ord(letters[-1])
    known = {ord(c) for c in letters}
    widths = " ".join("60" if code in known else "0" for code in range(first, last + 1))
    numbers = {c: 7 + i for i, c in enumerate(letters)}
    names = " ".join(f"{ord(c)}/g{ord(c)}" for c in letters)
    glyphs = " ".join(f"/g{ord(c)} {numbers[c]} 0 R" for c in letters)
    table = "".join(f"<{ord(c):02X}> <{ord(c):04X}>\n" for c in letters)
    box = "-70 60 20" if flip else "-20 60 70"
    objects = [
        "<</Type/Catalog/Pages 2 0 R>>",
        "<</Type/Pages/Kids[3 0 R]/Count 1>>",
        "<</Type/Page/Parent 2 0 R/MediaBox[0 0 500 120]/Contents 4 0 R"
        "/Resources<</Font<</F 5 0 R>>>>>>",
        stream("", f"BT /F {scale} Tf 1 0 0 1 20 50 Tm ({text}) Tj ET"),
        f"<</Type/Font/Subtype/Type3/FontBBox[0 {box}]/FontMatrix[{matrix}]/FirstChar {first}"
        f"/LastChar {last}/Widths[{widths}]/CharProcs<<{glyphs}>>/Resources<<>>/ToUnicode 6 0 R"
        f"/Encoding<</Type/Encoding/Differences[{names}]>>>>",
        stream(
            "",
            "/CIDInit /ProcSet findresource begin begincmap /CMapName /X def\n1 begincodespacerange"
            f" <00> <FF> endcodespacerange\n{len(letters)} beginbfchar\n{table}endbfchar\n"
            "endcmap end",
        ),
    ]
    rect = "5 0 45 -70 re f" if flip else "5 0 45 70 re f"
    objects += [stream("", f"60 0 0 {box} d1 " + ("" if c == " " else rect)) for c in letters]
    return raw_pdf(path, objects)
