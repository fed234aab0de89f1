"""XLSX: what stands in the cells is what is read, however the program that wrote it stored it."""

from __future__ import annotations

import datetime
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import pytest
from openpyxl import Workbook

from rag.config import Extraction
from rag.errors import LimitExceeded
from rag.readers.document import parse_document
from rag.types import Page


def pages(workbook: Workbook, path: Path) -> tuple[Page, ...]:
    workbook.save(path)
    return parse_document(path, Extraction(), password=None).pages


def test_texts_dates_and_the_names_of_sheets_are_read(tmp_path: Path) -> None:
    workbook = Workbook()
    workbook.active.title = "Moorings 2033"
    workbook.active.append(["Pier", "Fee", "From"])
    workbook.active.append(["North | outer", 41.5, datetime.date(2033, 4, 9)])
    crew = workbook.create_sheet("Crew")
    crew.append(["Name", "Seen"])
    crew.append(["Зоя Ли", datetime.datetime(2033, 4, 9, 7, 45)])
    first, second = pages(workbook, tmp_path / "piers.xlsx")
    assert (
        first.text
        == "Moorings 2033\n\n| Pier | Fee | From |\n| North \\| outer | 41.5 | 2033-04-09 |"
    )
    assert second.text == "Crew\n\n| Name | Seen |\n| Зоя Ли | 2033-04-09 07:45:00 |"
    assert [block.kind for block in second.blocks] == ["heading", "table"]


def test_a_long_sheet_has_pages_that_each_begin_with_its_name_and_first_row(tmp_path: Path) -> None:
    workbook = Workbook()
    workbook.active.append(["Number", "Ship"])
    for number in range(900):
        workbook.active.append([number, f"ship{number}x"])
    found = pages(workbook, tmp_path / "ships.xlsx")
    assert len(found) > 3
    assert [page.number for page in found] == list(range(1, len(found) + 1))
    assert all(page.text.startswith("Sheet\n\n| Number | Ship |\n") for page in found)
    text = "\n".join(page.text for page in found)
    assert all(text.count(f"ship{number}x") == 1 for number in range(900))


def test_an_empty_sheet_between_others_costs_nothing(tmp_path: Path) -> None:
    workbook = Workbook()
    workbook.create_sheet("Fees").append(["Toll", 3])
    (page,) = pages(workbook, tmp_path / "fees.xlsx")
    assert page.text == "Fees\n\n| Toll | 3 |"


def test_a_workbook_that_unpacks_to_too_much_is_not_opened(tmp_path: Path) -> None:
    with ZipFile(tmp_path / "bomb.xlsx", "w", ZIP_DEFLATED, compresslevel=1) as packed:
        packed.writestr("xl/worksheets/sheet1.xml", bytes(200 * 2**20))
    limits = Extraction(memory_mb=256)
    with pytest.raises(LimitExceeded, match=r"bomb\.xlsx: unpacks to 200 MiB"):
        parse_document(tmp_path / "bomb.xlsx", limits, password=None)
