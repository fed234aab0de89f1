"""Tier 2: what stands side by side is read one thing after the other; tier 1 is never lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pymupdf
import pytest
from pdf_factory import MARGIN, PAGE, column, save, table

from rag.config import Extraction
from rag.readers.document import parse_document
from rag.readers.fonts import Fonts
from rag.readers.layout_model import parts_by_regions
from rag.readers.lines import Line, RawPage, set_texts
from rag.readers.paragraphs import Paragraph
from rag.readers.raw_text import texts_of
from rag.readers.style_profile import Profile
from rag.types import Page

NOTE = "Notes on the harbour and its boats, written in the margin of the page for the reader."


@pytest.fixture
def side_by_side(tmp_path: Path) -> Path:
    """A drawing with labels: short texts beside each other, on the same baselines."""
    document = pymupdf.open()
    page = document.new_page(width=PAGE[0], height=PAGE[1])
    column(page, NOTE * 2, (MARGIN, 60, 535, 140))
    for i, name in enumerate(["Harbour", "Lighthouse", "Market", "Bridge", "Station"]):
        page.insert_text((MARGIN, 200 + i * 30), f"{name} office")
        page.insert_text((330 + i * 25, 200 + i * 30), f"{name} keeper")
    return save(document, tmp_path / "labels.pdf")


def parse(path: Path, **limits: Any) -> Page:
    return parse_document(path, Extraction(**limits), password=None).pages[0]


def letters(page: Page) -> str:
    return "".join(sorted(char for char in page.text if char.isalnum()))


def test_layout_is_asked_only_about_doubtful_pages(side_by_side: Path, tmp_path: Path) -> None:
    assert parse(side_by_side).source == "layout"
    assert parse(side_by_side, layout=False).source == "text"
    document = pymupdf.open()
    page = document.new_page(width=PAGE[0], height=PAGE[1])
    rows = [["", "2021", "2022"], *([f"Row {i}", f"{i}", f"{i * 2}"] for i in range(9))]
    table(page, rows, at=(MARGIN, 100), columns=(300, 400))
    for i in range(8):  # a list in two columns, which rows read well
        page.insert_text((MARGIN, 300 + i * 20), f"Company {i} Limited")
        page.insert_text((330, 300 + i * 20), "New Zealand")
    assert parse(save(document, tmp_path / "table.pdf")).source == "text"


def test_layout_that_fails_costs_itself_only(tmp_path: Path) -> None:
    """A form field that is its own grandparent: the model asks for fields, the text does not."""
    document = pymupdf.open()
    page = document.new_page()
    for i, name in enumerate(["Harbour", "Lighthouse", "Market", "Bridge", "Station"]):
        page.insert_text((MARGIN, 200 + i * 30), f"{name} office")
        page.insert_text((330 + i * 25, 200 + i * 30), f"{name} keeper")
    widget = pymupdf.Widget()
    widget.field_name, widget.field_type = "sign", pymupdf.PDF_WIDGET_TYPE_TEXT
    widget.rect = pymupdf.Rect(72, 500, 300, 520)
    page.add_widget(widget)
    field, parent = next(page.widgets()).xref, document.get_new_xref()
    above = document.get_new_xref()
    common = "/FT/Tx/V(x)/Ff 0/DA(/Helv 0 Tf)"
    document.update_object(parent, f"<</T(a){common}/Parent {above} 0 R>>")
    document.update_object(above, f"<</T(b)/Parent {parent} 0 R>>")
    document.xref_set_key(field, "Parent", f"{parent} 0 R")
    read = parse(save(document, tmp_path / "circle.pdf"))
    assert read.source == "text"
    assert "Lighthouse keeper" in " ".join(read.text.split())


def test_both_tiers_hold_the_same_letters(side_by_side: Path) -> None:
    assert letters(parse(side_by_side)) == letters(parse(side_by_side, layout=False))


def test_lines_follow_the_order_of_the_regions() -> None:
    def line(text: str, x: float, y: float) -> Line:
        return Line([(x, y, x + 50, y + 10, text)], 10, bold=False)

    lines = [line("a", 0, 0), line("b", 100, 0), line("c", 0, 12), line("d", 100, 12)]
    regions = [("text", (90.0, 0.0, 160.0, 30.0)), ("text", (0.0, 0.0, 60.0, 30.0))]
    parts = parts_by_regions(lines, regions, Profile.of([]))
    texts = [" ".join(row.text for row in p.rows) for p in parts if isinstance(p, Paragraph)]
    assert texts == ["b d", "a c"]


def test_lines_outside_all_regions_join_the_nearest(side_by_side: Path) -> None:
    raw = RawPage(1, "", *PAGE, [])
    set_texts(raw, texts_of(pymupdf.open(side_by_side)[0], Fonts()))
    parts = parts_by_regions(raw.lines, [("text", (0.0, 0.0, 10.0, 10.0))], Profile.of([raw]))
    found = sum(len(row.words) for p in parts if isinstance(p, Paragraph) for row in p.rows)
    assert found == sum(len(line.words) for line in raw.lines)
