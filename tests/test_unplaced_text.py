"""Text that a PDF tells of drawings (/ActualText), which has no glyphs or too few."""

from __future__ import annotations

from pathlib import Path

import pymupdf
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.config import Extraction
from rag.readers.document import parse_document
from rag.readers.unplaced_text import words_of_line


def drawn(text: str, y: int) -> str:
    """A picture of text, of which the file tells what it says: Word's text with effects."""
    told = f"FEFF{text.encode('utf-16-be').hex()}"
    return f"/Span <</ActualText <{told}>>> BDC q 200 0 0 18 72 {y} cm /Picture Do Q EMC\n"


def made(folder: Path, content: str) -> Path:
    path = folder / "drawn.pdf"
    with pymupdf.open() as document:
        page = document.new_page()
        page.insert_text((72, 400), "Plain words stand below the title of this report.")
        pixels = pymupdf.Pixmap(pymupdf.csGRAY, pymupdf.IRect(0, 0, 2, 2), False)
        xref = page.insert_image(pymupdf.Rect(0, 0, 1, 1), pixmap=pixels)
        page.clean_contents()
        document.xref_set_key(page.xref, "Resources/XObject/Picture", f"{xref} 0 R")
        drawing = page.get_contents()[0]
        document.update_stream(drawing, document.xref_stream(drawing) + b"\n" + content.encode())
        document.save(path)
    return path


def read(path: Path) -> str:
    pages = parse_document(path, Extraction(ocr=False, layout=False), password=None).pages
    return pages[0].text


def test_a_title_in_outlines_is_read_in_its_place(tmp_path: Path) -> None:
    content = drawn("Older adults", 700) + drawn("and technology use", 660)
    text = read(made(tmp_path, content))
    assert text.index("Older adults") < text.index("and technology use") < text.index("Plain words")


@pytest.mark.parametrize("glyph", ["o", "oo"])
def test_a_word_told_for_a_glyph_is_read_where_the_glyph_stands(tmp_path: Path, glyph: str) -> None:
    """A tick in a box, as filings have them: "Large accelerated filer [x]"."""
    line = (
        "BT /helv 9 Tf 72 600 Td (Large filer ) Tj ET\n"
        f"/Span <</ActualText (Checked)>> BDC BT /helv 9 Tf 120 600 Td ({glyph}) Tj ET EMC\n"
        "BT /helv 9 Tf 140 600 Td (Small filer ) Tj ET\n"
        f"/Span <</ActualText (Unchecked)>> BDC BT /helv 9 Tf 190 600 Td ({glyph}) Tj ET EMC\n"
    )
    assert "Large filer Checked Small filer Unchecked" in " ".join(
        read(made(tmp_path, line)).split()
    )


def test_characters_that_no_xml_may_have_cost_nothing(tmp_path: Path) -> None:
    content = drawn("Title\ufffe with \x01 marks \x0b", 700)
    text = read(made(tmp_path, content))
    assert "Title" in text
    assert "Plain words" in text


def test_letters_that_share_a_glyph_come_once(tmp_path: Path) -> None:
    """Letters of no width that PyMuPDF's lines have, beside a title that they have not."""
    content = drawn("Older adults", 700) + (
        "/Span <</ActualText (fi)>> BDC BT /helv 9 Tf 72 600 Td (o) Tj ET EMC\n"
    )
    words = read(made(tmp_path, content)).split()
    assert sorted(words) == sorted(
        [*"Older adults fi Plain words stand below the title of this report.".split()]
    )


def test_a_page_without_such_text_is_as_before(tmp_path: Path) -> None:
    assert read(made(tmp_path, "")).split() == (
        "Plain words stand below the title of this report.".split()
    )


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=30))
def test_words_of_a_span_stand_in_its_box_and_say_what_it_says(text: str) -> None:
    line = {"spans": [{"text": text, "bbox": (10.0, 20.0, 90.0, 30.0)}]}
    words = words_of_line(line, [])
    if any(map(str.isalnum, text)):
        assert [word[4] for word in words] == text.split()
    assert all(10.0 <= w[0] <= w[2] <= 90.0 + 1e-6 for w in words)
