"""Extraction of real PDFs: order, structure, tables, hyphens, margins; every word keeps its box."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pymupdf
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pdf_factory import MARGIN, PAGE, column, save, scanned_pdf, table, text_pdf

from rag.config import Extraction
from rag.errors import NoText
from rag.ingest.chunking import chunk_document
from rag.readers.document import parse_document
from rag.readers.language import detect_language
from rag.readers.ocr import choose_engine
from rag.types import Block, Page, ParsedDocument

LOREM = (
    "The quick brown fox jumps over the lazy dog while seven wizards brew a strong potion and "
    "the old clock strikes midnight over the quiet harbour town near the northern cliffs. "
)


def parse(path: Path, **limits: Any) -> ParsedDocument:
    return parse_document(path, Extraction(**limits), password=None)


def blocks(page: Page, kind: str = "") -> list[str]:
    return [page.text[b.start : b.end] for b in page.blocks if kind in ("", b.kind)]


def check_page(page: Page) -> None:
    """What every Page promises."""
    end = 0
    for block in page.blocks:
        assert end <= block.start < block.end <= len(page.text)
        assert not page.text[end : block.start].strip()
        end = block.end
    assert not page.text[end:].strip()
    end = 0
    for word in page.words:
        assert end <= word.start < word.end <= len(page.text)
        assert page.text[word.start : word.end].strip()
        end = word.end


@pytest.fixture
def two_columns(tmp_path: Path) -> Path:
    document = pymupdf.open()
    page = document.new_page(width=PAGE[0], height=PAGE[1])
    page.insert_text((MARGIN, 70), "A paper about columns", fontsize=18, fontname="hebo")
    left = " ".join(f"left{i} {LOREM}" for i in range(4))
    right = " ".join(f"right{i} {LOREM}" for i in range(4))
    column(page, left, (MARGIN, 100, 285, 700))
    column(page, right, (310, 100, 535, 700))
    return save(document, tmp_path / "columns.pdf")


def test_two_columns_are_read_one_after_the_other(two_columns: Path) -> None:
    page = parse(two_columns).pages[0]
    check_page(page)
    text = " ".join(page.text.split())
    order = [text.index(f"{side}{i}") for side in ("left", "right") for i in range(4)]
    assert order == sorted(order)
    assert blocks(page, "heading") == ["A paper about columns"]


def test_a_table_in_one_column_stays_in_it(tmp_path: Path) -> None:
    document = pymupdf.open()
    page = document.new_page(width=PAGE[0], height=PAGE[1])
    rows = [["Item", "2021", "2022"], ["Apples", "10", "20"], ["Pears", "30", "40"]]
    table(page, rows, at=(MARGIN, 108), columns=(180, 240), size=10)
    column(page, LOREM * 3, (MARGIN, 160, 285, 700))
    column(page, "right " + LOREM * 5, (310, 100, 535, 700))
    page = parse(save(document, tmp_path / "in_column.pdf")).pages[0]
    assert blocks(page, "table") == [
        "| Item | 2021 | 2022 |\n|-|-|-|\n| Apples | 10 | 20 |\n| Pears | 30 | 40 |"
    ]
    assert page.text.index("Pears") < page.text.index("right")


def test_a_statement_becomes_a_table_with_its_rows_whole(tmp_path: Path) -> None:
    document = pymupdf.open()
    page = document.new_page(width=PAGE[0], height=PAGE[1])
    page.insert_text((MARGIN, 90), "Balance Sheets", fontsize=12, fontname="hebo")
    rows = [
        ["(in millions)", "2023", "2022"],
        ["Current assets", "", ""],
        ["Cash and cash equivalents", "$ 689", "$ 775"],
        ["Treasury shares (1 and 2 million)", "(12)", "-"],
        ["Total assets", "$ 17,003", "$ 17,426"],
    ]
    table(page, rows, at=(MARGIN, 120), columns=(400, 500))
    column(page, LOREM * 3, (MARGIN, 220, 535, 700))
    page = parse(save(document, tmp_path / "statement.pdf")).pages[0]
    check_page(page)
    assert blocks(page, "table") == [
        "| (in millions) | 2023 | 2022 |\n|-|-|-|\n| Current assets | | |\n"
        "| Cash and cash equivalents | $ 689 | $ 775 |\n"
        "| Treasury shares (1 and 2 million) | (12) | - |\n"
        "| Total assets | $ 17,003 | $ 17,426 |"
    ]
    total = [w for w in page.words if page.text[w.start : w.end] == "17,426"]
    assert len(total) == 1
    assert total[0].box[2] == pytest.approx(500, abs=1)


def test_words_hyphenated_over_lines_are_mended(tmp_path: Path) -> None:
    document = pymupdf.open()
    page = document.new_page()
    lines = ["We speak of retrieval and of a long-term plan; good re-", "trieval needs a long-"]
    for i, line in enumerate([*lines, "term view of things."]):
        page.insert_text((72, 72 + i * 14), line)
    page = parse(save(document, tmp_path / "hyphens.pdf")).pages[0]
    assert "good retrieval needs a long-term view" in page.text
    halves = [w for w in page.words if page.text[w.start : w.end] in ("re", "trieval")]
    assert [w.box[1] < 70 for w in halves] == [True, False]


def test_ligatures_are_letters(tmp_path: Path) -> None:
    document = pymupdf.open()
    page = document.new_page()
    page.insert_htmlbox((72, 72, 400, 200), "<p>The of\ufb01ce \ufb02oor is ef\ufb01cient.</p>")
    text = parse(save(document, tmp_path / "ligatures.pdf")).text
    assert text == "The office floor is efficient."


def test_running_heads_and_page_numbers_are_left_out_but_years_are_not(tmp_path: Path) -> None:
    document = pymupdf.open()
    for number in range(1, 7):
        page = document.new_page(width=PAGE[0], height=PAGE[1])
        page.insert_text((MARGIN, 30), "Annual Report of the Company")
        page.insert_text((MARGIN, 60), f"{2010 + number * 3}", fontsize=12)
        column(page, f"Body {number}. {LOREM * 3}", (MARGIN, 100, 535, 700))
        page.insert_text((290, 810), f"{number + 40}")
    document_ = parse(save(document, tmp_path / "report.pdf"))
    for number, page in enumerate(document_.pages, 1):
        assert ("Annual Report" in page.text) == (number == 1)  # one copy stays
        assert f"{number + 40}" not in page.text
        assert f"{2010 + number * 3}" in page.text


def test_pages_that_are_all_alike_are_not_all_margin(tmp_path: Path) -> None:
    ticket = "# Ticket\nAdmits one to the harbour museum.\nKeep it until you leave."
    document = parse(text_pdf(tmp_path / "tickets.pdf", [ticket] * 40))
    for page in document.pages:
        assert "Ticket" in page.text
        assert "Admits one" in page.text
        assert "Keep it" in page.text


def test_headings_have_levels_of_the_whole_document(tmp_path: Path) -> None:
    document = pymupdf.open()
    sizes = {"Part One": 22, "Chapter": 16, "Section": 13}
    for name, size in sizes.items():
        page = document.new_page(width=PAGE[0], height=PAGE[1])
        page.insert_text((MARGIN, 120), name, fontsize=size, fontname="hebo")
        column(page, LOREM * 5, (MARGIN, 150, 535, 700))
    found = parse(save(document, tmp_path / "levels.pdf")).pages
    levels = [(page.text[b.start : b.end], b.level) for page in found for b in headings(page)]
    assert levels == [("Part One", 1), ("Chapter", 2), ("Section", 3)]


@pytest.mark.parametrize(
    ("line", "is_heading"),
    [
        ("Attractive growth", True),
        ("(a) Basis of presentation", True),
        ("3.2 What is owed", True),
        ("• attractive growth, and", False),
        ("• attractive growth", False),
        ("– cheaper power", False),
        ("attractive relative growth, or", False),
        ("The cost of the", False),
        ("Wachstum und", False),
        ("Growth;", False),
    ],
)
def test_items_and_halves_of_sentences_are_no_headings(
    tmp_path: Path, line: str, is_heading: bool
) -> None:
    document = pymupdf.open()
    page = document.new_page(width=PAGE[0], height=PAGE[1])
    page.insert_font("hebo", fontbuffer=pymupdf.Font("hebo").buffer)
    page.insert_text((MARGIN, 120), line, fontsize=16, fontname="hebo")
    column(page, LOREM * 5, (MARGIN, 150, 535, 700))
    (found,) = parse(save(document, tmp_path / "line.pdf")).pages
    assert bool(list(headings(found))) == is_heading
    assert line.split()[-1] in found.text


def headings(page: Page) -> Iterator[Block]:
    return (block for block in page.blocks if block.kind == "heading")


def test_list_items_stay_together(tmp_path: Path) -> None:
    document = pymupdf.open()
    page = document.new_page(width=PAGE[0], height=PAGE[1])
    column(page, "Three things matter here:", (MARGIN, 100, 535, 130))
    for i, item in enumerate(["first thing", "second thing", "third thing"]):
        page.insert_text((MARGIN + 20, 140 + i * 14), f"{i + 1}. {item}")
    page = parse(save(document, tmp_path / "list.pdf")).pages[0]
    assert blocks(page, "list") == ["1. first thing\n2. second thing\n3. third thing"]


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_a_page_that_is_turned_reads_the_same(two_columns: Path, tmp_path: Path, turn: int) -> None:
    upright = parse(two_columns).pages[0]
    document = pymupdf.open(two_columns)
    document[0].set_rotation(turn)
    matrix = document[0].rotation_matrix
    turned = parse(save(document, tmp_path / "turned.pdf")).pages[0]
    assert turned.text == upright.text
    for word, before in zip(turned.words, upright.words, strict=True):
        displayed = (pymupdf.Rect(before.box) * matrix).normalize()
        assert word.box == pytest.approx(tuple(displayed), abs=0.1)


def test_page_labels(tmp_path: Path) -> None:
    file = text_pdf(tmp_path / "labels.pdf", ["One.", "Two.", "Three."])
    document = pymupdf.open(file)
    document.set_page_labels([{"startpage": 0, "prefix": "A-", "style": "D", "firstpagenum": 7}])
    labels = [page.label for page in parse(save(document, tmp_path / "labelled.pdf")).pages]
    assert labels == ["A-7", "A-8", "A-9"]


@pytest.mark.parametrize(
    ("name", "metadata", "heading", "title"),
    [
        ("x1.pdf", "The Art of Plans", "Other", "The Art of Plans"),
        ("x1.pdf", "Microsoft Word - draft.docx", "Big Heading", "draft"),
        ("x1.pdf", "0001018724-18-000005", "Big Heading", "Big Heading"),
        ("ACME_2018_10K.pdf", "", "United States", "ACME 2018 10K: United States"),
        ("acme_report.pdf", "", "Report of Acme", "Report of Acme"),
        ("x1.pdf", "", "", "x1"),
    ],
)
def test_titles(tmp_path: Path, name: str, metadata: str, heading: str, title: str) -> None:
    text = f"# {heading}\n{LOREM}" if heading else LOREM
    assert parse(text_pdf(tmp_path / name, [text], title=metadata)).title == title


def test_languages() -> None:
    assert detect_language(LOREM) == "en"
    assert detect_language("Der Hund und die Katze sind mit dem Zug nicht auf das Land.") == "de"
    assert (
        detect_language("東京は日本の首都です。人口は約一千四百万人で、世界最大級の都市です。")
        == "ja"
    )
    assert detect_language("Xyzzy plugh 12 34 foo bar baz qux quux corge grault garply") == ""
    assert detect_language("Hi") == ""
    assert (
        detect_language("Nhà hát là một trong những nơi được biết đến với các vở của ông.") == "vi"
    )


def test_a_scan_without_ocr_is_no_text(tmp_path: Path) -> None:
    with pytest.raises(NoText):
        parse(scanned_pdf(tmp_path / "scan.pdf", LOREM), ocr=False)


@pytest.mark.skipif(choose_engine("auto") is None, reason="no OCR is installed")
@pytest.mark.parametrize("turn", [0, 90, 180, 270])
def test_a_scan_is_read_by_ocr_whichever_way_it_lies(tmp_path: Path, turn: int) -> None:
    document = pymupdf.open(scanned_pdf(tmp_path / "scan.pdf", LOREM))
    document[0].set_rotation(turn)
    page = parse(save(document, tmp_path / "turned.pdf")).pages[0]
    check_page(page)
    assert page.source == "ocr"
    assert "seven wizards brew a strong potion" in " ".join(page.text.split())
    first = page.words[0].box
    near = {0: (60, 60), 90: (782, 60), 180: (535, 782), 270: (60, 535)}[turn]
    assert abs(first[0] - near[0]) < 60
    assert abs(first[1] - near[1]) < 60


texts = st.text(
    st.characters(codec="latin-1", categories=("L", "N", "P", "S", "Zs")), min_size=1, max_size=30
)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.lists(
        st.tuples(
            texts,
            st.floats(0, 560),
            st.floats(20, 830),
            st.sampled_from([6, 9, 10, 12, 20]),
            st.sampled_from(["helv", "hebo"]),
        ),
        min_size=1,
        max_size=40,
    )
)
def test_any_page_keeps_its_promises(
    tmp_path: Path, pieces: list[tuple[str, float, float, float, str]]
) -> None:
    document = pymupdf.open()
    page = document.new_page(width=PAGE[0], height=PAGE[1])
    for text, x, y, size, font in pieces:
        page.insert_text((x, y), text, fontsize=size, fontname=font)
    file = save(document, tmp_path / "any.pdf")
    try:
        read = parse(file, ocr=False, layout=False).pages[0]
    except NoText:
        return
    check_page(read)
    assert read.source == "text"


def test_a_document_of_more_than_a_thousand_pages_is_read_page_by_page(tmp_path: Path) -> None:
    pages = [f"Entry {n} of the register names berth {n * 7 % 991}." for n in range(1, 1206)]
    found = parse(text_pdf(tmp_path / "long.pdf", pages)).pages
    assert [page.number for page in found] == list(range(1, 1206))
    assert [" ".join(page.text.split()) for page in found] == pages


def test_a_table_over_two_pages_is_cut_into_chunks_that_name_its_columns(tmp_path: Path) -> None:
    rows = [[f"Berth {i}", f"{i * 31:,}", f"{i * 17:,}"] for i in range(1, 81)]
    document = pymupdf.open()
    for number, part in enumerate((rows[:40], rows[40:])):
        page = document.new_page(width=PAGE[0], height=PAGE[1])
        head = [] if number else [["Dues", "2030", "2031"]]
        table(page, [*head, *part], at=(MARGIN, 100), columns=(330, 430))
    parsed = parse(save(document, tmp_path / "a.pdf"))
    found = chunk_document(
        parsed, limit=120, count_tokens=lambda texts: [len(t.split()) for t in texts]
    )
    of_second = [chunk for chunk in found if chunk.first_page == 2]
    assert of_second
    assert all("| Dues | 2030 | 2031 |" in chunk.header for chunk in of_second)
