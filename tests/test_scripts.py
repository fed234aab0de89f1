"""Scripts that do not run from left to right: Hebrew, Arabic, Japanese in columns."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import Any

import pymupdf
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rag
from rag.config import Extraction, Settings
from rag.readers.bidi import in_order, marks_joined, plain_letters, words_from_right
from rag.readers.document import parse_document
from rag.terms import indexed_terms, query_terms

DEJAVU = Path("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf")
needs_dejavu = pytest.mark.skipif(not DEJAVU.exists(), reason="needs the DejaVu fonts")
HEBREW = ["חוזה", "שכירות", "מע״מ", "הסכום,", "היום.", "(כולל)", "בית-ספר", "ה-10"]
LATIN = [
    "4,500",
    "iPhone 15 Pro",
    "Apple",
    "2031",
    "50%",
    "3.14",
    "12:30",
    "ABC-12",
    "03-1234567",
    "10-20",
]
LEASE = """<div dir="rtl"><p>דמי השכירות הם 4,500 שקלים לחודש (כולל מים).</p>
<p>תקופת ההודעה היא שלושים יום, והערבות תוחזר ביום 28 לחודש.</p></div>"""
SHAPED = ["ﻋﻘﺪ ﺇﻳﺠﺎﺭ ﺑﻴﻦ ﺍﻟﻄﺮﻓﻴﻦ", "ﺍﻹﻳﺠﺎﺭ ﺍﻟﺸﻬﺮﻱ ﻫﻮ 750 ﺩﻳﻨﺎﺭ"]
COLUMNS = ["賃貸借契約書", "月額の家賃は八万五千円とする。", "解約の予告期間は三十日とする。"]


def is_hebrew(char: str) -> bool:
    return "\u0590" <= char <= "\u05ff"


def shown(words: list[str]) -> dict[str, Any]:
    """The words as a line of a page shows them: the first on the right, its first letter on the
    right; what is Latin or a number the other way. The content is in the order of the page."""
    glyphs: list[tuple[str, float]] = []
    x = 500.0
    for word in words:
        block = list(word)
        if not any(map(is_hebrew, word)):
            block.reverse()
        elif word[-1].isdigit():  # "ה-10"
            head = word.rstrip("0123456789")
            block = [*head, *reversed(word[len(head) :])]
        for char in block:
            x -= 6
            glyphs.append((char, x))
        x -= 6
        glyphs.append((" ", x))
    glyphs.sort(key=lambda one: one[1])
    chars = [{"c": char, "bbox": (x, 100.0, x + 6, 110.0)} for char, x in glyphs]
    return {"spans": [{"chars": chars}]}


@given(st.lists(st.tuples(st.sampled_from(HEBREW), st.sampled_from(LATIN)), min_size=1, max_size=6))
def test_a_line_is_read_as_it_was_written(pairs: list[tuple[str, str]]) -> None:
    # A Hebrew word without a number at its end stands on both sides of what is Latin.
    words = [word for hebrew, latin in pairs for word in (hebrew, "של", latin, "בלבד")]
    assert " ".join(word[4] for word in words_from_right(shown(words))) == " ".join(words)


def test_each_word_has_its_box() -> None:
    first, number, last = words_from_right(shown(["חוזה", "2031", "היום"]))
    assert first[:4] == (476.0, 100.0, 500.0, 110.0)
    assert number[4] == "2031"
    assert number[2] < first[0]
    assert last[2] < number[0]


@pytest.mark.parametrize("edge", ["left", "right"])
def test_a_ligature_s_letters_keep_their_order(edge: str) -> None:
    """Lam and alef are one glyph: the alef has no width and stands at one of its edges."""
    boxes = {"ا": (90, 94), "ل": (80, 90), "ي": (76, 80)}
    chars = [{"c": c, "bbox": (x0, 0.0, x1, 10.0)} for c, (x0, x1) in boxes.items()]
    at = 80.0 if edge == "left" else 90.0
    chars.insert(1 if edge == "right" else 2, {"c": "إ", "bbox": (at, 0.0, at, 10.0)})
    (word,) = words_from_right({"spans": [{"chars": chars}]})
    assert word[4] == "الإي"


def test_letters_with_points_have_the_place_of_their_blank() -> None:
    """As browsers print them: letters and points without width, the blank at their right theirs."""
    chars = [
        ("\u05bc", 571.0, 571.0), ("\u05b0", 571.0, 571.0), ("ב", 571.0, 571.0),
        (" ", 563.7, 571.0), ("\u05b5", 563.7, 563.7), ("ר", 563.7, 563.7), ("א", 556.5, 563.7),
        (" ", 552.0, 556.5), ("ש", 544.0, 552.0), ("ם", 536.0, 544.0),
    ]  # fmt: skip
    line = {"spans": [{"chars": [{"c": c, "bbox": (a, 0.0, b, 12.0)} for c, a, b in chars]}]}
    assert [word[4] for word in words_from_right(line)] == ["ב\u05bc\u05b0ר\u05b5א", "שם"]


def test_a_blank_in_whose_place_a_letter_is_drawn_parts_nothing() -> None:
    """As LibreOffice prints a quotation mark within a word."""
    at = [("ו", 227), ("א", 221), ('"', 215), (" ", 215), ("ל", 209), (" ", 203), ("ש", 197)]
    chars = [{"c": c, "bbox": (x, 0.0, x + 6.0, 12.0)} for c, x in at]
    words = words_from_right({"spans": [{"chars": chars}]})
    assert [word[4] for word in words] == ['וא"ל', "ש"]


def test_a_point_that_is_drawn_twice_is_read_once() -> None:
    at = [("ש", 60, 66), ("\u05b8", 60, 60), ("\u05b8", 60, 60), ("ל", 54, 60)]
    chars = [{"c": c, "bbox": (float(a), 0.0, float(b), 12.0)} for c, a, b in at]
    (word,) = words_from_right({"spans": [{"chars": chars}]})
    assert word[4] == "ש\u05b8ל"


@pytest.mark.parametrize(
    ("words", "read"),
    [
        ([("לדירה", 0, 30), (".", 30, 33)], "לדירה."),
        ([("(", 0, 4), ("כולל", 4, 30), (").", 30, 37)], "(כולל)."),
        ([("06", 0, 12), ("-", 12, 16), ("1234567", 16, 50)], "06-1234567"),
        ([("office@example.com", 0, 90), (".", 90, 93)], "office@example.com."),
        ([("•", 0, 5), ("אסור", 5, 30)], "• אסור"),
        ([("אבג", 0, 20), ("דהו", 20, 40)], "אבג דהו"),
        ([("אבג", 0, 20), ("-", 24, 28), ("דהו", 32, 50)], "אבג - דהו"),
        ([("כן\u05b0", 0, 12), ("לא", 12, 24)], "כן\u05b0 לא"),
        ([("כן\u05b0", 0, 12), ("\u05b0", 12, 12), ("לא", 15, 24)], "כן\u05b0 לא"),
    ],
)
def test_marks_that_touch_a_word_are_its_own(
    words: list[tuple[str, float, float]], read: str
) -> None:
    raw = [(x0, 0.0, x1, 12.0, text) for text, x0, x1 in words]
    assert " ".join(word[4] for word in marks_joined(raw)) == read


@needs_dejavu
def test_marks_of_their_own_on_a_hebrew_page(tmp_path: Path) -> None:
    """As LibreOffice prints the end of a sentence: the full stop and the bracket by themselves."""
    font = pymupdf.Font(fontfile=str(DEJAVU))
    with pymupdf.open() as document:
        page = document.new_page()
        page.insert_font("F0", fontfile=str(DEJAVU))
        line = ["חוזה", "שכירות", "לדירה"]
        right = 500.0
        for n, word in enumerate(line):
            left = right - font.text_length(word, 12)
            page.insert_text((left, 100), word[::-1], fontname="F0", fontsize=12)
            if n == 2:
                size = font.text_length(".)", 12)
                page.insert_text((left - size, 100), ".)", fontname="F0", fontsize=12)
            right = left - 4
        document.save(tmp_path / "a.pdf")
    parsed = parse_document(tmp_path / "a.pdf", Extraction(ocr=False), password=None)
    assert parsed.pages[0].text.strip() == "חוזה שכירות לדירה)."


def test_among_arabic_letters_a_hyphen_parts_two_numbers() -> None:
    """Shown as "1234567-050", by UAX #9; among Hebrew ones it is shown as it is written."""
    glyphs = [*"رقم", " ", *"050"[::-1], "-", *"1234567"[::-1]]
    chars = [
        {"c": char, "bbox": (500 - 6 * at, 100.0, 506 - 6 * at, 110.0)}
        for at, char in enumerate(glyphs)
    ]
    words = words_from_right({"spans": [{"chars": chars[::-1]}]})
    assert [word[4] for word in words] == ["رقم", "050-1234567"]


def test_brackets_that_were_drawn_are_written() -> None:
    """Some programs write the bracket that is seen, others the one that was typed."""
    typed = words_from_right(shown(["שלום", "(כולל)", "היום"]))
    drawn = words_from_right(shown(["שלום", ")כולל(", "היום"]))
    assert [word[4] for word in typed] == [word[4] for word in drawn] == ["שלום", "(כולל)", "היום"]


@pytest.mark.parametrize(
    ("from_right", "frame", "read"),
    [
        (False, "the words שלום עולם mean", "the words עולם שלום mean"),
        (False, "from 3 שלום 4 עולם to 5", "from 3 עולם 4 שלום to 5"),
        (False, "plain words of 2031", "plain words of 2031"),
        (True, "של 15 iPhone בלבד", "של iPhone 15 בלבד"),
        (True, "סכום 12 345 שקל", "סכום 12 345 שקל"),
    ],
)
def test_runs_of_the_other_direction_are_turned(from_right: bool, frame: str, read: str) -> None:
    words = [(10.0 * i, 0.0, 10.0 * i + 9, 9.0, text) for i, text in enumerate(frame.split())]
    assert " ".join(w[4] for w in in_order(words, from_right=from_right)) == read


def test_shapes_become_letters_and_nothing_else_changes() -> None:
    assert plain_letters("ﻋﻘﺪ ﻻ") == "عقد لا"
    assert plain_letters("ﬁne ½ Ａ") == "ﬁne ½ Ａ"


@pytest.mark.parametrize(
    ("language", "written", "asked"),
    [
        ("he", "בְּרֵאשִׁית בָּרָא", "בראשית ברא"),
        ("ar", "مُدَّةُ العقــدِ", "مدة العقد"),
        ("", "مُدَّة", "مدة"),
    ],
)
def test_vowel_points_make_no_other_word(language: str, written: str, asked: str) -> None:
    assert set(query_terms(asked, language)) <= set(indexed_terms(written, language or "en"))


# ── pages ─────────────────────────────────────────────────────────────────────────────────────


def hebrew(path: Path) -> None:
    with pymupdf.open() as document:
        document.new_page().insert_htmlbox(pymupdf.Rect(50, 50, 500, 400), LEASE)
        document.save(path)


def arabic(path: Path) -> None:
    """As report generators draw it: shaped letters from left to right."""
    with pymupdf.open() as document:
        page = document.new_page()
        font = pymupdf.Font(fontfile=str(DEJAVU))
        for number, line in enumerate(SHAPED):
            drawn = " ".join(
                word if word.isdigit() else word[::-1] for word in reversed(line.split())
            )
            writer = pymupdf.TextWriter(page.rect)
            writer.append((520 - font.text_length(drawn, 14), 80 + 24 * number), drawn, font, 14)
            writer.write_text(page)
        document.save(path)


def japanese(path: Path) -> None:
    """As browsers print columns: each letter on its own."""
    with pymupdf.open() as document:
        page = document.new_page()
        font = pymupdf.Font("japan")
        writer = pymupdf.TextWriter(page.rect)
        for column, text in enumerate(COLUMNS):
            for row, letter in enumerate(text):
                writer.append((520 - 24 * column, 80 + 14 * row), letter, font, 14)
        writer.write_text(page)
        page.insert_text((300, 800), "- 1 -", fontsize=8)
        document.save(path)


@pytest.mark.parametrize(
    ("make", "line"),
    [
        (hebrew, "דמי השכירות הם 4,500 שקלים לחודש (כולל מים)."),
        pytest.param(arabic, "الإيجار الشهري هو 750 دينار", marks=needs_dejavu),
        (japanese, COLUMNS[1]),
    ],
)
def test_a_page_is_read_in_its_order(make: Any, line: str, tmp_path: Path) -> None:
    make(tmp_path / "page.pdf")
    parsed = parse_document(tmp_path / "page.pdf", Extraction(ocr=False), password=None)
    (page,) = parsed.pages
    assert line in unicodedata.normalize("NFC", " ".join(page.text.split()))
    with pymupdf.open(tmp_path / "page.pdf") as document:
        rect = document[0].rect
        for word in page.words:
            assert rect.contains(pymupdf.Rect(word.box)), page.text[word.start : word.end]


def test_the_first_word_of_a_hebrew_line_is_marked_on_the_right(tmp_path: Path) -> None:
    hebrew(tmp_path / "page.pdf")
    parsed = parse_document(tmp_path / "page.pdf", Extraction(ocr=False), password=None)
    page = parsed.pages[0]
    boxes = {page.text[word.start : word.end]: word.box for word in page.words}
    assert boxes["דמי"][0] > boxes["השכירות"][0] > boxes["4,500"][0] > boxes["לחודש"][0]


@pytest.mark.parametrize(
    ("make", "question", "quote"),
    [
        (hebrew, "כמה הם דמי השכירות לחודש?", "4,500"),
        pytest.param(arabic, "كم الإيجار الشهري؟", "750", marks=needs_dejavu),
        (japanese, "月額の家賃はいくらですか。", "八万五千円"),
    ],
)
async def test_a_question_is_answered_in_its_script(
    make: Any, question: str, quote: str, settings: Settings, tmp_path: Path
) -> None:
    make(tmp_path / "contract.pdf")
    async with rag.open_collection(
        "scripts", home=settings.home, cache=settings.cache, refusal_threshold=0
    ) as collection:
        await collection.ingest(tmp_path / "contract.pdf")
        (hit, *_) = await collection.search(question)
        assert quote in hit.chunk.text
        answer = await collection.ask(question, options=rag.AskOptions(quotes=True))
    assert quote in answer.text
    assert answer.citations[0].page == 1
