"""Bytes at the border: whatever enters is text that any encoding can write, and paths come back."""

from __future__ import annotations

import os
from pathlib import Path

import pymupdf
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.config import Extraction
from rag.encoding import decode, decode_input, path_of, stored_path, well_formed
from rag.readers.document import parse_document

RUSSIAN = "Плата за стоянку составляет 47 крон в сутки. Договор расторгается за тридцать дней."
JAPANESE = "停泊料は一日四十七クローネです。契約は三十日前に解除できます。"
CHINESE = "停泊费为每天四十七克朗。合同可提前三十天解除。"
GERMAN = "Die Gebühr beträgt 47 Kronen für jeden Tag, größere Boote zahlen mehr."
FRENCH = "Le loyer s’élève à 35 couronnes. Où est l’œuvre ? Déjà payé à Noël."

WRITTEN = [
    (RUSSIAN, "cp1251"), (RUSSIAN, "koi8-r"), (RUSSIAN, "cp866"), (RUSSIAN, "utf-16-le"),
    ("Орендна плата становить 35 крон на місяць, їхній ґанок.", "koi8-u"),
    (JAPANESE, "shift_jis"), (JAPANESE, "euc-jp"), (JAPANESE, "utf-16-be"),
    (CHINESE, "gb18030"), ("租金為每月三十五克朗。合約可提前解除。", "big5"),
    ("임대료는 한 달에 삼십오 크로네입니다.", "euc-kr"),
    (GERMAN, "cp1252"), (GERMAN, "utf-16-le"), (GERMAN, "mac-roman"), (FRENCH, "cp1252"),
    ("Nájemné činí třicet pět korun měsíčně.", "cp1250"),
    ("דמי השכירות הם שלושים וחמש כתרים לחודש", "cp1255"),
    ("Το μίσθωμα είναι τριάντα πέντε κορώνες.", "cp1253"),
    ("Plain words, nothing else.", "utf-16-le"), ("Plain words, nothing else.", "utf-16-be"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "encoding"), WRITTEN, ids=lambda value: value[:12])
def test_a_text_file_that_declares_nothing(text: str, encoding: str, tmp_path: Path) -> None:
    file = tmp_path / "note.txt"
    file.write_bytes(text.encode(encoding))
    parsed = parse_document(file, Extraction(), password=None)
    assert parsed.pages[0].text == text
    assert bool(parsed.warnings) == (not encoding.startswith("utf"))


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark_is_believed(encoding: str) -> None:
    assert decode(GERMAN.encode(encoding)) == (GERMAN, "")


HTML = "<html><head>{}<title>Hafen</title></head><body><p>{}</p></body></html>"
DECLARED = [
    ("page.html", '<meta charset="{}">', GERMAN, "windows-1252"),
    ("page.htm", '<meta http-equiv="Content-Type" content="text/html; charset={}">', GERMAN,
     "iso-8859-1"),
    ("page.html", "<META CHARSET={}>", RUSSIAN, "koi8-r"),
    ("page.html", '<meta charset="{}">', JAPANESE, "Shift_JIS"),
    ("page.html", '<meta charset="{}">', CHINESE, "gb2312"),
    ("page.html", "", GERMAN, "utf-8"),
    ("page.html", "", RUSSIAN, "windows-1251"),
    ("page.html", '<meta charset="no-such-charset">', GERMAN, "utf-8"),
    ("page.html", '<meta charset="windows-1252">', GERMAN, "utf-8-sig"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "declaration", "text", "encoding"), DECLARED)
def test_a_web_page_in_the_encoding_that_it_declares(
    name: str, declaration: str, text: str, encoding: str, tmp_path: Path
) -> None:
    file = tmp_path / name
    file.write_bytes(HTML.format(declaration.format(encoding), text).encode(encoding))
    parsed = parse_document(file, Extraction(), password=None)
    assert "".join(text.split()) in "".join(parsed.pages[0].text.split())


def test_an_xml_book_in_the_encoding_that_it_declares(tmp_path: Path) -> None:
    file = tmp_path / "book.fb2"
    file.write_bytes(
        '<?xml version="1.0" encoding="windows-1251"?><FictionBook><body><section>'
        f"<p>{RUSSIAN}</p></section></body></FictionBook>".encode("cp1251")
    )
    parsed = parse_document(file, Extraction(), password=None)
    assert "Плата за стоянку" in " ".join(parsed.pages[0].text.split())


@given(st.binary(max_size=300), st.booleans())
def test_any_bytes_become_text_that_can_be_written(data: bytes, markup: bool) -> None:
    decode(data, markup=markup)[0].encode()
    decode_input(data).encode()


@given(st.text(st.characters(), max_size=40))
def test_text_that_is_well_formed_stays_and_other_keeps_its_length(text: str) -> None:
    found = well_formed(text)
    found.encode()
    assert len(found) == len(text)
    assert well_formed(found) == found
    assert (found == text) == (not any("\ud800" <= char <= "\udfff" for char in text))


def test_a_byte_of_latin_1_is_read_as_such() -> None:
    assert well_formed(os.fsdecode(b"gauge caf\xe9")) == "gauge café"
    assert decode_input(b"What gauge in the caf\xe9?\n") == "What gauge in the café?\n"


@given(st.binary(min_size=1, max_size=40).filter(lambda data: b"\x00" not in data))
def test_a_stored_path_comes_back_byte_for_byte(data: bytes) -> None:
    path = Path(os.fsdecode(b"/" + data))
    stored = stored_path(path)
    stored.encode()
    assert os.fsencode(path_of(stored)) == os.fsencode(path)


@pytest.mark.parametrize("name", ["/a/b c.pdf", "/ü/漢字.pdf", "/with \U0010ffff mark.pdf"])
def test_an_ordinary_path_is_stored_as_it_is_unless_it_holds_the_mark(name: str) -> None:
    assert (stored_path(Path(name)) == name) == ("\U0010ffff" not in name)
    assert path_of(stored_path(Path(name))) == Path(name)


def test_the_page_that_is_drawn_is_the_page_that_was_read(tmp_path: Path) -> None:
    from rag.page_image import render_page

    file = tmp_path / "page.html"
    file.write_bytes(HTML.format('<meta charset="koi8-r">', RUSSIAN).encode("koi8-r"))
    assert pymupdf.Pixmap(render_page(file, 1)).width > 100
