"""Which documents a scope takes."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.errors import DocumentNotFound, InvalidQuestion
from rag.options import (
    LAST_PAGE,
    MetadataFilter,
    PageRange,
    Scope,
    metadata_filters,
    metadata_values,
)
from rag.retrieval.filters import document_date, matching, parsed_date, value_of
from rag.types import Coverage, Document

SAVED = int(datetime(2024, 6, 1, 12, tzinfo=UTC).timestamp() * 1e9)


def document(name: str, **metadata: str) -> Document:
    return Document(
        name, Path("/docs", name), name.title(), "", 0, SAVED, 1, 1, "en",
        Coverage(1, 0, 0, ()), metadata, "",
    )  # fmt: skip


REPORT = document("report", author="Ada Fenwick", creationDate="D:20230105161720-05'00'")
LETTER = replace(document("letter", Author="Tom"), language="de")
DRAFT = document("draft", creationDate="D:00000000", modDate="D:2022")
ALL = [REPORT, LETTER, DRAFT]


def names(**scope: object) -> list[str]:
    return [found.id for found in matching(ALL, Scope(**scope))]  # type: ignore[arg-type]


def test_values_are_found_inside_and_in_any_case() -> None:
    assert names(metadata=(MetadataFilter("author", "fenwick"),)) == ["report"]
    assert names(metadata=(MetadataFilter("AUTHOR", "T"),)) == ["letter"]
    assert names(metadata=(MetadataFilter("language", "en"), MetadataFilter("title", "dra"))) == [
        "draft"
    ]
    assert names(metadata=(MetadataFilter("path", "/docs"),)) == ["report", "letter", "draft"]
    assert names() == ["report", "letter", "draft"]


def test_a_document_is_of_the_day_it_names_else_of_its_file() -> None:
    assert document_date(REPORT) == date(2023, 1, 5)
    assert document_date(DRAFT) == date(2022, 1, 1)
    assert document_date(LETTER) == date(2024, 6, 1)
    assert value_of(LETTER, "date") == "2024-06-01"


@pytest.mark.parametrize(("zone", "day"), [("Pacific/Auckland", 2), ("America/Lima", 1)])
def test_a_file_is_of_the_day_that_its_owner_saved_it(
    zone: str, day: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = int(datetime(2024, 6, 1, 22, tzinfo=UTC).timestamp() * 1e9)
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        assert document_date(replace(LETTER, mtime_ns=late)) == date(2024, 6, day)
        assert document_date(REPORT) == date(2023, 1, 5)  # as the document says it
    finally:
        monkeypatch.undo()
        time.tzset()


def test_both_ends_of_a_time_are_included() -> None:
    assert names(since=date(2023, 1, 5)) == ["report", "letter"]
    assert names(until=date(2023, 1, 5)) == ["report", "draft"]
    assert names(since=date(2023, 1, 5), until=date(2023, 1, 5)) == ["report"]


def test_what_no_document_has_is_an_error_that_helps() -> None:
    with pytest.raises(InvalidQuestion, match="'colour'") as unknown:
        names(metadata=(MetadataFilter("colour", "red"),))
    assert "author" in unknown.value.hint
    assert "language" in unknown.value.hint
    with pytest.raises(DocumentNotFound, match="'Eve' in its author and a date since 2020"):
        names(metadata=(MetadataFilter("author", "Eve"),), since=date(2020, 1, 1))
    with pytest.raises(InvalidQuestion, match="both since"):
        names(since=date(2024, 1, 1), until=date(2023, 1, 1))


@given(st.dates(min_value=date(1970, 1, 1)))
def test_dates_are_read_as_pdf_and_iso_write_them(day: date) -> None:
    for written in (day.isoformat(), f"D:{day:%Y%m%d}093000Z", f"{day.isoformat()}T09:30:00Z"):
        assert parsed_date(written) == day


@given(st.text(max_size=20))
def test_no_text_breaks_the_reading_of_dates(text: str) -> None:
    parsed_date(text)
    parsed_date(f"D:2023{text}")


def test_a_key_may_ask_for_several_values() -> None:
    filters = metadata_filters({"title": ["rep", "ort"], "author": "ada"})
    assert names(metadata=filters) == ["report"]
    assert names(metadata=metadata_filters({"language": "en"})) == ["report", "draft"]
    assert metadata_values(filters) == {"title": ["rep", "ort"], "author": "ada"}


@given(st.lists(st.tuples(st.sampled_from("abc"), st.text())))
def test_filters_come_back_from_the_form_of_a_request(pairs: list[tuple[str, str]]) -> None:
    filters = [MetadataFilter(key, value) for key, value in pairs]
    assert set(metadata_filters(metadata_values(filters))) == set(filters)


@pytest.mark.parametrize("pages", [(0, 1), (3, 2), (-1, 5), (1, LAST_PAGE + 1)])
def test_what_is_no_range_of_pages_is_refused(pages: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="no range of pages"):
        PageRange(*pages)
