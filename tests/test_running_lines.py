"""Running heads and feet: nothing that varies is left out, and what repeats stands once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pymupdf
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pdf_factory import MARGIN, PAGE, column, save

from rag.config import Extraction
from rag.readers.document import parse_document
from rag.readers.lines import Line, RawPage
from rag.readers.running_lines import RunningLines

BODY = "The ferry leaves the island at dawn and comes back when the last market stall has closed. "


def texts(
    path: Path,
    pages: int,
    *,
    top: Callable[[int], str] = lambda _: "",
    bottom: Callable[[int], str] = lambda _: "",
    top_at: float = 40,
) -> list[str]:
    """Texts of the pages of a PDF with these first and last lines."""
    document = pymupdf.open()
    for number in range(1, pages + 1):
        page = document.new_page(width=PAGE[0], height=PAGE[1])
        page.insert_text((MARGIN, top_at), top(number))
        column(page, f"Part {number}. {BODY * 4}", (MARGIN, 120, 535, 700))
        page.insert_text((MARGIN, 812), bottom(number))
    read = parse_document(save(document, path), Extraction(ocr=False), password=None)
    return [" ".join(page.text.split()) for page in read.pages]


@pytest.mark.parametrize(
    "line",
    [
        lambda n: f"Delivery note 88-{500 + 13 * n} of depot 4",
        lambda n: f"Delivery note 88-{500 + n} of depot 4",  # counts as page numbers do
        lambda n: f"Receipt {4100 + n}",
        lambda n: f"{4100 + n}",
        lambda n: f"MARSH-PROD 000{300 + n}",
        lambda n: f"Balance carried over: {90.25 * n:.2f}",
        lambda n: f"Meter reading of 2031-0{n}-01",
        lambda n: f"Sum due by the {n + 2}th",
        lambda n: "Cell " + "abcdef"[n],
    ],
)
def test_lines_that_differ_are_content_at_the_top_and_at_the_bottom(
    tmp_path: Path, line: Callable[[int], str]
) -> None:
    for number, text in enumerate(texts(tmp_path / "a.pdf", 5, top=line, bottom=line), 1):
        assert text.count(" ".join(line(number).split())) == 2


@pytest.mark.parametrize(
    "line",
    [
        lambda n: "Member: Ines Falk, policy QK-77301, insured for 315,000",
        lambda n: f"Rules of the club · page {n} of 6",
        lambda n: f"Case 4:29-cv-118 Document 7 Filed 03/02/29 Page {n} of 6",
        lambda n: f"Appeal no. 29-118 Date filed: 03/02/2029 Page: {n} of 6",
        lambda n: f"Vertrag 88-1, Seite {n} von 6, Hafenamt",
        lambda n: f"Received from 0555 0102 14:22 p.{n}",
    ],
)
def test_a_line_that_repeats_stands_once(tmp_path: Path, line: Callable[[int], str]) -> None:
    found = texts(tmp_path / "a.pdf", 6, top=line)
    words = " ".join(line(1).split()[:4])
    assert [words in text for text in found] == [True] + [False] * 5


@pytest.mark.parametrize(
    "line",
    [
        lambda n: f"{n}",
        lambda n: f"- {n + 40} -",
        lambda n: f"Page {n} of 6",
        lambda n: f"Seite {n}",
        lambda n: ["i", "ii", "iii", "iv", "v", "vi"][n - 1],
    ],
)
def test_page_numbers_are_left_out(tmp_path: Path, line: Callable[[int], str]) -> None:
    found = texts(tmp_path / "a.pdf", 6, bottom=line)
    assert all(text.endswith("has closed.") for text in found)


def test_a_first_line_far_from_the_margin_is_no_head(tmp_path: Path) -> None:
    found = texts(tmp_path / "a.pdf", 6, top=lambda _: "The harbour register", top_at=110)
    assert all(text.startswith("The harbour register") for text in found)


def test_heads_of_left_and_right_pages_are_both_seen_in_a_long_document(tmp_path: Path) -> None:
    found = texts(tmp_path / "a.pdf", 410, top=lambda n: "Left head" if n % 2 else "Right head")
    assert sum("head" in text for text in found) == 2


@given(st.lists(st.text("ab1 2.", min_size=1, max_size=6).map(str.strip).filter(bool), min_size=3))
def test_a_line_that_stands_on_no_other_page_is_never_left_out(lines: list[str]) -> None:
    pages = [
        RawPage(n, "", 600, 800, [Line([(50, 20, 90, 30, text)], 10, bold=False)])
        for n, text in enumerate(lines, 1)
    ]
    running = RunningLines.of(pages)
    for page, text in zip(pages, lines, strict=True):
        if lines.count(text) == 1 and set(text) & {"a", "b"}:
            assert running.key(page.lines[0], page) is None
