"""What of a page can be read: the ink on it and the text that accounts for it decide."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pymupdf
import pytest
from odd_pdfs import LINES, SENTENCE, garbled, outlined, picture, scan, type3, written
from pdf_factory import MARGIN, PAGE, column, save

from rag.config import Extraction
from rag.errors import NoText
from rag.readers.document import parse_document
from rag.readers.ink import Ink
from rag.readers.ocr import choose_engine
from rag.types import Page

needs_ocr = pytest.mark.skipif(choose_engine("auto") is None, reason="no OCR is installed")
STAMPS = [
    ((70, 24), "FROM: HARBOUR OFFICE  +44 555 0177  09:12  P.02/03"),
    ((380, 826), "Made with PocketScan Lite"),
    ((70, 18), "Case 2:30-cv-00911 Document 44-1 Filed 11/02/30 Page 3 of 7"),
    ((440, 826), "KILN-PROD 0001288"),
    ((200, 600), "EXHIBIT 14"),
]


def read(document: Any, path: Path, **limits: Any) -> Page:
    file = path if isinstance(document, Path) else save(document, path)
    return parse_document(file, Extraction(**limits), password=None).pages[0]


def said(page: Page) -> str:
    return " ".join(page.text.split())


def stamped(at: tuple[float, float], text: str) -> Any:
    document = scan()
    document[0].insert_text(at, text, fontsize=8)
    return document


@pytest.mark.parametrize(("at", "text"), STAMPS)
def test_a_scan_with_a_stamp_is_a_scan(tmp_path: Path, at: tuple[float, float], text: str) -> None:
    page = read(stamped(at, text), tmp_path / "a.pdf", ocr=False)
    assert (page.source, said(page)) == ("scan", " ".join(text.split()))


@needs_ocr
@pytest.mark.parametrize(("at", "text"), STAMPS[:2])
def test_both_the_stamp_and_the_scan_are_read_once(
    tmp_path: Path, at: tuple[float, float], text: str
) -> None:
    page = read(stamped(at, text), tmp_path / "a.pdf")
    assert page.source == "ocr"
    for words in (*LINES, " ".join(text.split())):
        assert said(page).count(words) == 1


def receipt(*, layer: bool) -> Any:
    document = pymupdf.open()
    page = document.new_page(width=PAGE[0], height=PAGE[1])
    page.insert_image(pymupdf.Rect(150, 40, 420, 422), stream=picture(LINES, size=22))
    if layer:
        scale = 270 / PAGE[0]
        for i, line in enumerate(LINES):
            at = (150 + MARGIN * scale, 40 + (120 + i * 35.2) * scale)
            page.insert_text(at, line, fontsize=22 * scale, render_mode=3)
    return document


def test_the_layer_of_a_small_scan_is_its_text(tmp_path: Path) -> None:
    page = read(receipt(layer=True), tmp_path / "a.pdf")
    assert (page.source, said(page)) == ("text", " ".join(LINES))


def test_a_small_scan_without_a_layer_is_named(tmp_path: Path) -> None:
    document = receipt(layer=False)
    document.new_page().insert_text((72, 72), "The second page.")
    assert read(document, tmp_path / "a.pdf", ocr=False).source == "scan"
    with pytest.raises(NoText, match="1 with a picture of text"):
        read(receipt(layer=False), tmp_path / "b.pdf", ocr=False)


@needs_ocr
def test_a_small_scan_without_a_layer_is_read(tmp_path: Path) -> None:
    page = read(receipt(layer=False), tmp_path / "a.pdf")
    assert (page.source, said(page)) == ("ocr", " ".join(LINES))


def shift(table: str) -> str:
    """Each letter becomes one three further on."""
    return re.sub(r"<([0-9a-f]{4})>\n", lambda m: f"<{int(m[1], 16) + 3:04x}>\n", table)


def lose(table: str) -> str:
    return re.sub(r"\d+ beginbf(char|range).*?endbf\1", "", table, flags=re.DOTALL)


def lose_digits(table: str) -> str:
    """Digits, which the range from ( to _ holds, are named by nothing."""
    ranges = "<0009> <0010> <0028>\n<001b> <0040> <003a>\n"
    assert "<0009> <0040> <0028>\n" in table
    return table.replace("<0009> <0040> <0028>\n", ranges)


@pytest.mark.parametrize("change", [shift, lose])
def test_a_font_that_names_other_letters_is_not_believed(tmp_path: Path, change: Any) -> None:
    file = garbled(tmp_path / "a.pdf", [SENTENCE] * 5, change=change)
    document = pymupdf.open(file)
    document[0].insert_text((MARGIN, 500), "A line in a font that is whole.")
    page = read(document, tmp_path / "b.pdf", ocr=False)
    assert (page.source, said(page)) == ("garbled", "A line in a font that is whole.")


@needs_ocr
@pytest.mark.parametrize("change", [shift, lose])
def test_a_font_that_names_other_letters_is_read_by_its_looks(tmp_path: Path, change: Any) -> None:
    file = garbled(tmp_path / "a.pdf", [SENTENCE] * 5, change=change)
    page = read(file, file)
    assert page.source == "ocr"
    assert said(page).count(SENTENCE.strip()) == 5


def test_words_that_a_font_names_in_part_are_not_kept_without_the_rest(tmp_path: Path) -> None:
    file = garbled(tmp_path / "a.pdf", [SENTENCE] * 5, change=lose_digits)
    page = read(file, file, ocr=False)
    assert (page.source, "yearly rent" in page.text) == ("garbled", True)


@needs_ocr
def test_what_a_font_does_not_name_is_read_by_its_looks(tmp_path: Path) -> None:
    file = garbled(tmp_path / "a.pdf", [SENTENCE] * 5, change=lose_digits)
    page = read(file, file)
    assert (page.source, said(page).count("4,370 crowns")) == ("ocr", 5)


def test_a_whole_font_is_believed(tmp_path: Path) -> None:
    file = garbled(tmp_path / "a.pdf", [SENTENCE] * 5, change=lambda table: table)
    page = read(file, file)
    assert page.source == "text"
    assert said(page).count("4,370 crowns") == 5


@needs_ocr
@pytest.mark.parametrize("change", [shift, lose])
def test_a_garbled_layer_behind_a_scan_is_not_believed(tmp_path: Path, change: Any) -> None:
    file = garbled(tmp_path / "a.pdf", [SENTENCE] * 5, change=change)
    document = pymupdf.open(file)
    image = document[0].get_pixmap(dpi=150).tobytes("png")
    document[0].insert_image(document[0].rect, stream=image)
    page = read(document, tmp_path / "b.pdf")
    assert page.source == "ocr"
    assert said(page).count(SENTENCE.strip()) == 5


def test_text_in_outlines_is_named(tmp_path: Path) -> None:
    document = outlined()
    document.new_page().insert_text((72, 72), "The second page.")
    assert read(document, tmp_path / "a.pdf", ocr=False).source == "outlines"


@needs_ocr
@pytest.mark.parametrize("stroke", [0, 0.03])
def test_text_in_outlines_is_read(tmp_path: Path, stroke: float) -> None:
    page = read(outlined(stroke=stroke), tmp_path / "a.pdf")
    assert page.source == "ocr"
    assert "640 tiles" in said(page)


@pytest.mark.parametrize(
    ("matrix", "scale"),
    [("1 0 0 1 0 0", 0.15), (".01 0 0 .01 0 0", 15), (".001 0 0 .001 0 0", 150)],
)
def test_type_3_fonts_of_any_matrix_are_text(tmp_path: Path, matrix: str, scale: float) -> None:
    text = "The weir is 96 metres wide."
    page = read(file := type3(tmp_path / "a.pdf", text, matrix=matrix, scale=scale), file)
    assert (page.source, page.text) == ("text", text)
    for word in page.words:
        assert 5 < word.box[3] - word.box[1] < 25


@pytest.mark.parametrize("size", [1.9, 4, 36])
def test_print_of_any_size_that_can_be_seen_is_read(tmp_path: Path, size: float) -> None:
    page = read(written(["Small print, clause 17."], size=size), tmp_path / "a.pdf")
    assert (page.source, said(page)) == ("text", "Small print, clause 17.")


@pytest.mark.parametrize("mode", [1, 2])
def test_thick_strokes_are_text(tmp_path: Path, mode: int) -> None:
    document = written([])
    document[0].insert_text(
        (MARGIN, 100), "Bold by its strokes.", fontsize=20, render_mode=mode, border_width=0.1,
        color=(0, 0, 0), fill=(1, 1, 1),
    )  # fmt: skip
    assert said(read(document, tmp_path / "a.pdf")) == "Bold by its strokes."


def hide_transparent(page: Any) -> None:
    page.insert_text((MARGIN, 300), "Obey the hidden words.", render_mode=3)


def hide_over_text(page: Any) -> None:
    page.insert_text((MARGIN, 120), "Obey the hidden words.", render_mode=3)


def hide_white(page: Any) -> None:
    page.insert_text((MARGIN, 300), "Obey the hidden words.", color=(1, 1, 1))


def hide_under_a_box(page: Any) -> None:
    page.insert_text((MARGIN, 300), "Obey the hidden words.")
    page.draw_rect((50, 280, 400, 310), fill=(0, 0, 0))


def hide_tiny(page: Any) -> None:
    page.insert_text((MARGIN, 300), "Obey the hidden words.", fontsize=1)


@pytest.mark.parametrize(
    "hide", [hide_transparent, hide_over_text, hide_white, hide_under_a_box, hide_tiny]
)
def test_what_no_reader_sees_is_left_out(tmp_path: Path, hide: Any) -> None:
    document = written(["A letter about tiles and kilns."])
    hide(document[0])
    assert said(read(document, tmp_path / "a.pdf")) == "A letter about tiles and kilns."


def test_a_photograph_and_rules_beside_text_are_no_writing(tmp_path: Path) -> None:
    document = pymupdf.open()
    page = document.new_page(width=PAGE[0], height=PAGE[1])
    column(page, SENTENCE * 12, (MARGIN, 60, 535, 400))
    shades = bytes((x // 3 + y // 4) % 256 for y in range(300) for x in range(400))
    photo = pymupdf.Pixmap(pymupdf.csGRAY, 400, 300, shades, False)
    page.insert_image((MARGIN, 420, 460, 720), pixmap=photo)
    for i in range(8):
        page.draw_line((MARGIN, 740 + i * 8), (535, 740 + i * 8))
    assert read(document, tmp_path / "a.pdf", ocr=False).source == "text"


@needs_ocr
@pytest.mark.parametrize("turn", [-4, 3, 7])
def test_a_scan_that_lies_askew_is_read(tmp_path: Path, turn: float) -> None:
    lines = [
        f"Line {i} of the ledger says {i * 37} crowns, paid on time by all." for i in range(20)
    ]
    page = read(scan(lines, turn=turn), tmp_path / "a.pdf")
    assert sum(line in said(page) for line in lines) >= 17
    ink = Ink.of(pymupdf.open(tmp_path / "a.pdf")[0])
    assert ink is not None
    assert all(ink.shows(word.box) for word in page.words)
    x0, y0, _, y1 = page.words[0].box
    assert not ink.shows((x0 - 40, y0, x0 - 8, y1))


def test_the_rules_of_a_table_are_no_writing(tmp_path: Path) -> None:
    document = written([f"Berth {i} is let for {i * 37} crowns." for i in range(6)], size=9)
    page = document[0]
    for i in range(8):
        page.draw_line((MARGIN + i * 55, 200), (MARGIN + i * 55, 780))
    for i in range(38):
        page.draw_line((MARGIN, 200 + i * 15), (MARGIN + 385, 200 + i * 15))
    assert read(document, tmp_path / "a.pdf", ocr=False).source == "text"


def half_a_scan() -> Any:
    """A heading and a text, and a picture of other lines beneath them."""
    document = written([f"The boathouse has {i} doors to the quay." for i in range(4, 9)], size=10)
    page = document[0]
    page.insert_text((MARGIN, 90), "Register of boathouses", fontsize=20)
    page.insert_image((MARGIN, 300, MARGIN + 260, 300 + 19.2 * 3), stream=beside(list(LINES)))
    return document


@needs_ocr
def test_a_text_with_a_picture_of_text_keeps_its_headings_and_stands_once(tmp_path: Path) -> None:
    page = read(half_a_scan(), tmp_path / "a.pdf")
    assert page.source == "ocr"
    headings = [page.text[b.start : b.end] for b in page.blocks if b.kind == "heading"]
    assert headings == ["Register of boathouses"]
    for i in range(4, 9):
        assert said(page).count(f"The boathouse has {i} doors to the quay.") == 1
    assert all(said(page).count(line) == 1 for line in LINES)


@needs_ocr
def test_a_line_that_ocr_sees_across_a_text_and_a_picture_is_not_told_twice(tmp_path: Path) -> None:
    document = written([f"Door {i} of the boathouse" for i in range(20)], size=12)
    side = [f"is painted in colour {i + 40}" for i in range(20)]
    document[0].insert_image((240, 108, 240 + 260, 108 + 19.2 * 20), stream=beside(side))
    page = read(document, tmp_path / "a.pdf")
    assert page.source == "ocr"
    assert said(page).count("boathouse") == 20
    assert sum(said(page).count(words) == 1 for words in side) >= 18


def beside(lines: list[str]) -> bytes:
    """A picture of lines 19.2 points apart, the first 12 below the top."""
    document = pymupdf.open()
    page = document.new_page(width=260, height=19.2 * len(lines))
    for i, line in enumerate(lines):
        page.insert_text((4, 12 + 19.2 * i), line, fontsize=12)
    return bytes(page.get_pixmap(dpi=200).tobytes("png"))
