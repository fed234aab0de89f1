"""PPTX: a page a slide, as it is read from top to bottom."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pptx
import pymupdf
import pytest
from pptx.chart.data import CategoryChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.oxml import parse_xml
from pptx.util import Inches

from rag.config import Extraction
from rag.errors import DamagedFile, EncryptedFile, ExtractionError
from rag.page_image import render_page
from rag.readers.document import parse_document
from rag.types import ParsedDocument

TITLED, TITLE_ONLY, BLANK = 1, 5, 6  # layouts


def read(path: Path) -> ParsedDocument:
    return parse_document(path, Extraction(), password=None)


def saved(presentation: Any, path: Path) -> ParsedDocument:
    presentation.save(path)
    return read(path)


def slide(presentation: Any, layout: int, title: str = "") -> Any:
    made = presentation.slides.add_slide(presentation.slide_layouts[layout])
    if title:
        made.shapes.title.text = title
    return made


def box(shapes: Any, text: str, left: float, top: float) -> Any:
    made = shapes.add_textbox(Inches(left), Inches(top), Inches(2), Inches(0.5))
    made.text_frame.text = text
    return made


def test_a_slide_is_a_page_with_its_title_bullets_and_notes(tmp_path: Path) -> None:
    presentation = pptx.Presentation()
    first = slide(presentation, TITLED, "Ferry plan")
    first.placeholders[1].text = "Two boats\nFour crossings"
    first.notes_slide.notes_text_frame.text = "Say why.\nThe pier is shut."
    slide(presentation, BLANK)
    slide(presentation, TITLE_ONLY, "Costs")
    found = saved(presentation, tmp_path / "plan.pptx")
    assert [page.text for page in found.pages] == [
        "Ferry plan\n\n• Two boats\n• Four crossings\n\nNotes: Say why.\n\nThe pier is shut.",
        "",
        "Costs",
    ]
    assert [block.kind for block in found.pages[0].blocks] == ["heading", "list", "text", "text"]
    assert found.title == "Ferry plan"
    assert found.warnings == ()


def test_hidden_slides_are_named_and_keep_their_numbers(tmp_path: Path) -> None:
    presentation = pptx.Presentation()
    for name in ("One", "Two", "Three"):
        slide(presentation, TITLE_ONLY, name)
    presentation.slides[1].element.set("show", "0")
    found = saved(presentation, tmp_path / "h.pptx")
    assert [page.text for page in found.pages] == ["One", "Two", "Three"]
    assert found.warnings == ("hidden slides, read as the others: 2",)


def test_shapes_are_read_in_rows_from_top_to_bottom(tmp_path: Path) -> None:
    presentation = pptx.Presentation()
    made = slide(presentation, BLANK)
    box(made.shapes, "below", 1, 5)
    box(made.shapes, "right", 5, 1.05)
    group = made.shapes.add_group_shape()
    box(group.shapes, "in group low", 1, 4)
    box(group.shapes, "in group high", 1, 3)
    box(made.shapes, "left", 1, 1.1)
    hidden = box(made.shapes, "hidden", 1, 2)
    hidden._element.nvSpPr.cNvPr.set("hidden", "1")
    (page,) = saved(presentation, tmp_path / "s.pptx").pages
    assert page.text.split("\n\n") == ["left", "right", "in group high", "in group low", "below"]


def test_tables_and_charts_are_tables(tmp_path: Path) -> None:
    presentation = pptx.Presentation()
    made = slide(presentation, TITLE_ONLY, "Load")
    size = (Inches(1), Inches(2), Inches(6), Inches(2))
    table = made.shapes.add_table(4, 3, *size).table
    for r, row in enumerate([("Load in tons", "", "Note"), ("North", "5", "a"), ("", "7", "b"),
                             ("South", "2", "c | d")]):  # fmt: skip
        for c, text in enumerate(row):
            table.cell(r, c).text = text
    table.cell(0, 0).merge(table.cell(0, 1))
    table.cell(1, 0).merge(table.cell(2, 0))
    data = CategoryChartData()
    data.categories = ["2030", "2031"]
    data.add_series("Cars", (4.5, 5))
    data.add_series("Bikes", (None, 7))
    made.shapes.add_chart(XL_CHART_TYPE.COLUMN_CLUSTERED, *size, data)
    (page,) = saved(presentation, tmp_path / "t.pptx").pages
    assert page.text.split("\n\n") == [
        "Load",
        "| Load in tons | | Note |\n|-|-|-|\n| North | 5 | a |\n| North | 7 | b |\n"
        "| South | 2 | c \\| d |",
        "| | Cars | Bikes |\n|-|-|-|\n| 2030 | 4.5 | |\n| 2031 | 5 | 7 |",
    ]


def test_numbered_paragraphs_have_their_numbers(tmp_path: Path) -> None:
    presentation = pptx.Presentation()
    frame = box(slide(presentation, BLANK).shapes, "first\nsecond\nthird", 1, 1).text_frame
    space = 'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"'
    for paragraph in frame.paragraphs:
        number = parse_xml(f'<a:buAutoNum {space} type="alphaLcParenBoth"/>')
        paragraph._p.get_or_add_pPr().append(number)
    (page,) = saved(presentation, tmp_path / "n.pptx").pages
    assert page.text == "(a) first\n(b) second\n(c) third"


def test_a_full_slide_stays_one_page_and_is_drawn(tmp_path: Path) -> None:
    presentation = pptx.Presentation()
    made = slide(presentation, TITLE_ONLY, "Everything")
    box(made.shapes, "\n".join(f"Line {n} of the crowded slide" for n in range(200)), 1, 2)
    slide(presentation, TITLE_ONLY, "שקף אחרון")
    path = tmp_path / "f.pptx"
    first, second = saved(presentation, path).pages
    assert "Line 199 of" in first.text
    assert second.text == "שקף אחרון"
    assert len(first.words) == len(first.text.split())
    for page in (first, second):
        image = pymupdf.Pixmap(render_page(path, page.number, dpi=72))
        assert (image.width, image.height) == pytest.approx((page.width, page.height), abs=1)
        assert max(word.box[3] for word in page.words) <= page.height


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "x.pptx"
    pptx.Presentation().save(path)
    with pytest.raises(ExtractionError):
        read(path)
    path.write_bytes(path.read_bytes()[:9000])
    with pytest.raises(DamagedFile):
        read(path)
    head = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
    path.write_bytes(head + bytes(99) + "EncryptedPackage".encode("utf-16-le"))
    with pytest.raises(EncryptedFile) as raised:
        read(path)
    assert "without a password" in raised.value.hint
