"""Where in a document a question looks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.options import PageRange
from rag.retrieval.locations import locations_in


@pytest.mark.parametrize(
    ("question", "pages"),
    [
        ("What is said on page 12?", [(12, 12)]),
        ("How many logos are in page 10?", [(10, 10)]),
        ("Summarise pages 3-5 and p. 9.", [(3, 5), (9, 9)]),
        ("Was steht auf Seite 7?", [(7, 7)]),
        ("Was steht auf den Seiten 7 bis 9?", [(7, 9)]),
        ("Que dit la page 4 ?", [(4, 4)]),
        ("¿Qué dice la página 4?", [(4, 4)]),
        ("Che cosa dice pagina 4?", [(4, 4)]),
        ("Who is named on the first page?", [(1, 1)]),
        ("Wer steht auf der ersten Seite?", [(1, 1)]),
        ("What does the title page say?", [(1, 1)]),
        ("What is on slide 8?", [(8, 8)]),
        ("Pages 9 to 3", []),
        ("page 0", []),
        ("page 12.5 million", []),
        ("How many pages does it have?", []),
        ("Who is the founder of the home page of 2010s?", []),
        ("page 99999999999", []),
    ],
)
def test_pages(question: str, pages: list[tuple[int, int]]) -> None:
    assert locations_in(question).pages == tuple(PageRange(*each) for each in pages)


@pytest.mark.parametrize(
    ("question", "last"),
    [
        ("Who signed on the last page?", True),
        ("What is on the final slide?", True),
        ("Was steht auf der letzten Seite?", True),
        ("What is the last payment?", False),
    ],
)
def test_the_last_page(question: str, last: bool) -> None:
    assert locations_in(question).last_page is last


@pytest.mark.parametrize(
    ("question", "labels"),
    [
        ("What does section 4.2 say?", ("section 4.2", "sec 4.2", "4.2")),
        ("What does § 12.3 say?", ("12.3",)),
        ("What does Table 3 show?", ("table 3", "tab 3")),
        ("Who answers in Annex B?", ("annex B", "appendix B")),
        ("What is Item 7A about?", ("item 7A",)),
        ("Was sagt Artikel 5?", ("artikel 5", "art 5")),
        ("What note a friend wrote?", ()),
        ("Is there a table a guest can book?", ()),
        ("How many tables are there?", ()),
    ],
)
def test_labels(question: str, labels: tuple[str, ...]) -> None:
    assert locations_in(question).labels == labels


@given(st.text())
def test_any_question_is_read(question: str) -> None:
    for pages in locations_in(question).pages:
        assert 1 <= pages.first <= pages.last
