"""Chunks: exact slices, within the limit, nothing lost, structure kept."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from rag.ingest.chunking import chunk_document
from rag.readers.text import text_pages
from rag.types import Chunk, ParsedDocument


def count_words(texts: Sequence[str]) -> list[int]:
    return [len(text.split()) for text in texts]


def count_pieces(texts: Sequence[str]) -> list[int]:
    """Of three characters, so that counts of parts do not add up."""
    return [(len(text) + 2) // 3 for text in texts]


def document(*pages: str, title: str = "The title") -> ParsedDocument:
    """A page a Markdown text."""
    read = []
    for number, text in enumerate(pages, 1):
        found = text_pages(text, markdown=True)
        assert len(found) == 1
        read.append(found[0].__class__(number, *_rest(found[0])))
    return ParsedDocument(title=title, language="en", pages=tuple(read))


def _rest(page: object) -> list[object]:
    names = ("label", "text", "blocks", "words", "width", "height", "source")
    return [getattr(page, name) for name in names]


def chunks(parsed: ParsedDocument, limit: int) -> list[Chunk]:
    return chunk_document(parsed, limit=limit, count_tokens=count_words)


def prose(words: int, word: str = "word") -> str:
    return " ".join(f"{word}{i}" for i in range(words))


def test_a_section_is_one_chunk_that_begins_with_its_heading() -> None:
    parsed = document(f"# One\n\n{prose(20)}\n\n{prose(10)}\n\n# Two\n\n{prose(30)}")
    first, second = chunks(parsed, 64)
    assert first.text.startswith("One\n\nword0")
    assert first.header == "The title > One"
    assert second.text.startswith("Two")
    assert second.header == "The title > Two"


def test_tiny_sections_share_a_chunk() -> None:
    parsed = document("# One\n\nfew words\n\n# Two\n\nfew more\n\n# Three\n\n" + prose(20))
    assert len(chunks(parsed, 64)) == 1


def test_a_long_table_is_cut_between_rows_and_its_head_goes_along() -> None:
    rows = [f"| Row {i} | {i} | {i * 2} |" for i in range(30)]
    table = "\n".join(["| Item | 2021 | 2022 |", "|-|-|-|", *rows])
    found = chunks(document(f"# Sales\n\n(in millions)\n\n{table}"), 60)
    assert len(found) > 3
    assert found[0].text.startswith("Sales\n\n(in millions)\n\n| Item")
    for chunk in found:
        assert chunk.kind == "table"
        assert all(line.startswith("|") for line in chunk.text.split("\n\n")[-1].split("\n"))
    for chunk in found[1:]:
        assert chunk.header == "The title > Sales\n(in millions)\n| Item | 2021 | 2022 |"
        assert "Item" not in chunk.text
    lines = [line for chunk in found for line in chunk.text.split("\n")]
    assert [line for line in lines if line.startswith("| Row")] == rows


def test_a_table_that_goes_on_over_the_page_takes_its_header_row_along() -> None:
    rows = [f"| Row {i} | {i} | {i * 2} |" for i in range(24)]
    pages = [
        "\n".join(["| Item | 2021 | 2022 |", "|-|-|-|", *rows[:8]]) + "\n\nHarbour office",
        "\n".join(["| | | |", "|-|-|-|", *rows[8:16]]),
        "Continued\n\n" + "\n".join(["| | | |", "|-|-|-|", *rows[16:]]),
    ]
    for limit in (60, 240):
        found = [c for c in chunks(document(*pages), limit) if c.first_page > 1 and "Row" in c.text]
        assert found
        assert all(c.header == "The title\n| Item | 2021 | 2022 |" for c in found)


def test_another_table_on_the_next_page_keeps_to_itself() -> None:
    table = "| Item | 2021 | 2022 |\n|-|-|-|\n| Coal | 1 | 2 |"
    for following in (
        "| | |\n|-|-|\n| Tin | 3 |",  # other columns
        "| Ore | 1999 | 2000 |\n|-|-|-|\n| Tin | 3 | 4 |",  # names its own
        prose(40) + "\n\n| | | |\n|-|-|-|\n| Tin | 3 | 4 |",  # after a text
        "# Ores\n\n| | | |\n|-|-|-|\n| Tin | 3 | 4 |",  # in a section of its own
    ):
        assert all("2021" not in c.header for c in chunks(document(table, following), 240))


def test_a_short_table_stays_whole_with_its_caption() -> None:
    table = "| A | B |\n|-|-|\n| 1 | 2 |\n| 3 | 4 |"
    found = chunks(document(f"{prose(50)}\n\nTable of things\n\n{table}"), 64)
    assert found[-1].text == f"Table of things\n\n{table}"


def test_a_long_list_is_cut_between_items() -> None:
    items = [f"- item {i} {prose(6)}" for i in range(20)]
    found = chunks(document("\n".join(items)), 50)
    assert [line for chunk in found for line in chunk.text.split("\n")] == items


def test_headings_go_on_to_the_next_page() -> None:
    first, second = chunks(document(f"# A\n\n## B\n\n{prose(30)}", prose(30, "next")), 64)
    assert first.header == second.header == "The title > A > B"
    assert (first.first_page, second.first_page, second.last_page) == (1, 2, 2)


def test_long_titles_leave_room_for_text() -> None:
    parsed = document(f"# {prose(40, 'heading')}\n\n{prose(300)}", title=prose(200, "title"))
    found = chunks(parsed, 60)
    assert all(len(chunk.header.split()) <= 20 for chunk in found)
    assert all(chunk.header.startswith("title0 ") for chunk in found)


words = st.text(st.characters(codec="utf-8", categories=("L", "N", "P")), min_size=1, max_size=12)
paragraph = st.lists(words, min_size=1, max_size=80).map(" ".join)
heading = st.tuples(st.integers(1, 6), st.lists(words, min_size=1, max_size=12)).map(
    lambda pair: "#" * pair[0] + " " + " ".join(pair[1])
)
table_rows = st.lists(st.lists(words, min_size=2, max_size=2), min_size=2, max_size=30).map(
    lambda rows: "\n".join(f"| {one} | {other} |" for one, other in rows)
)
page = st.lists(st.one_of(paragraph, heading, table_rows, words), min_size=0, max_size=8)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(page.map("\n\n".join), min_size=1, max_size=4),
    st.integers(16, 120),
    st.sampled_from([count_words, count_pieces]),
    paragraph,
)
def test_chunks_keep_their_promises(
    pages: list[str], limit: int, count: object, title: str
) -> None:
    assert callable(count)
    parsed = ParsedDocument(
        title=title,
        language="",
        pages=tuple(p for text in pages for p in text_pages(text, markdown=True)),
    )
    found = chunk_document(parsed, limit=limit, count_tokens=count)
    text = parsed.text
    bounds = page_bounds(parsed)
    covered = [False] * len(text)
    for chunk in found:
        assert chunk.text
        assert chunk.text == text[chunk.start : chunk.end]
        assert chunk.tokens == count([chunk.content])[0] <= limit
        assert any(lo <= chunk.start and chunk.end <= hi for lo, hi in bounds)
        covered[chunk.start : chunk.end] = [True] * (chunk.end - chunk.start)
    assert all(done or char.isspace() for done, char in zip(covered, text, strict=True))
    assert [c.start for c in found] == sorted(c.start for c in found)
    assert all(one.end <= other.start for one, other in pairwise(found))


def page_bounds(parsed: ParsedDocument) -> list[tuple[int, int]]:
    bounds, start = [], 0
    for each in parsed.pages:
        bounds.append((start, start + len(each.text)))
        start += len(each.text) + 2
    return bounds
