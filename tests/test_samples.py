"""The sample PDFs of data/: what the demo, the README and the questions rely on."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pymupdf
import pytest

DATA = Path(__file__).resolve().parent.parent / "data"
# The printed pages, and what a page of each must be able to show.
PAGES = {
    "annual-report.pdf": 9,
    "lease.pdf": 5,
    "paper.pdf": 3,
    "transit-handbook.pdf": 45,
    "travel-policy.pdf": 4,
    "vereinssatzung.pdf": 3,
    "water-report.pdf": 4,
}
QUESTIONS: list[dict[str, Any]] = [
    json.loads(line) for line in (DATA / "questions.jsonl").read_text("utf-8").splitlines()
]
ANSWERABLE = [question for question in QUESTIONS if question["answerable"]]
UNANSWERABLE = [question for question in QUESTIONS if not question["answerable"]]


@cache
def texts(path: Path) -> list[str]:
    flags = pymupdf.TEXTFLAGS_TEXT & ~pymupdf.TEXT_PRESERVE_LIGATURES | pymupdf.TEXT_DEHYPHENATE
    with pymupdf.open(path) as document:
        return [" ".join(page.get_text(flags=flags).split()).casefold() for page in document]


def test_the_committed_pdfs_are_the_ones_the_script_writes(tmp_path: Path) -> None:
    script = [sys.executable, str(DATA / "make_samples.py"), "--out", str(tmp_path)]
    subprocess.run(script, check=True, capture_output=True, timeout=120)
    assert {path.name for path in tmp_path.iterdir()} == set(PAGES)
    assert {path.name for path in DATA.glob("*.pdf")} == set(PAGES)
    for name in PAGES:
        assert texts(tmp_path / name) == texts(DATA / name), f"{name}: run data/make_samples.py"


@pytest.mark.parametrize(("name", "pages"), PAGES.items())
def test_pages_bookmarks_and_size(name: str, pages: int) -> None:
    with pymupdf.open(DATA / name) as document:
        assert document.page_count == pages
        assert document.metadata["title"]
        assert document.get_toc()
    assert (DATA / name).stat().st_size < 1_000_000


def test_front_matter_has_roman_page_labels() -> None:
    with pymupdf.open(DATA / "transit-handbook.pdf") as document:
        labels = [page.get_label() for page in document]
    assert labels[1:7] == ["i", "ii", "iii", "iv", "1", "2"]


def test_the_paper_is_set_in_two_columns() -> None:
    with pymupdf.open(DATA / "paper.pdf") as document:
        page = document[1]
        middle = page.rect.width / 2
        blocks = [block for block in page.get_text("blocks") if len(block[4]) > 80]
        left = [block for block in blocks if block[2] < middle]
        right = [block for block in blocks if block[0] > middle]
    assert len(left) >= 3
    assert len(right) >= 3
    assert len(left) + len(right) == len(blocks)


def test_the_annual_report_has_ruled_tables() -> None:
    with pymupdf.open(DATA / "annual-report.pdf") as document:
        page = document[4]
        rules = [item for drawing in page.get_drawings() for item in drawing["items"]]
        words = page.get_text("words")
    top, bottom = next((word[1], word[3]) for word in words if word[4] == "Research")
    row = [word[4] for word in sorted(words) if top <= (word[1] + word[3]) / 2 <= bottom]
    assert len(rules) > 100  # the sides of its cells
    assert row == ["Research", "and", "development", "2", "(31.7)", "(28.9)", "(27.1)"]


@pytest.mark.parametrize("question", ANSWERABLE, ids=lambda question: question["id"])
def test_each_answer_stands_on_its_page(question: dict[str, Any]) -> None:
    pages = texts(DATA / question["doc"])
    assert question["answers"]
    for answer in question["answers"]:
        wanted = " ".join(answer.split()).casefold()
        assert any(wanted in pages[number - 1] for number in question["pages"]), answer


def test_the_question_set_covers_what_it_should() -> None:
    assert len({question["id"] for question in QUESTIONS}) == len(QUESTIONS) >= 40
    assert {question["doc"] for question in ANSWERABLE} == set(PAGES)
    assert len(UNANSWERABLE) >= 8
    assert all(not q["answers"] and not q["pages"] for q in UNANSWERABLE)
    histories = [question["history"] for question in QUESTIONS if "history" in question]
    assert len(histories) >= 6
    for history in histories:
        assert [turn["role"] for turn in history] == ["user", "assistant"] * (len(history) // 2)
