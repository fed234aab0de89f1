"""What PDFs hold beside their pages, and hints that fit what is there instead of text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pymupdf
import pytest
from pdf_factory import enclosing_pdf, save

from rag.config import Extraction
from rag.errors import NoText, UnsupportedFile
from rag.readers.document import parse_document

LIMITS = Extraction(ocr=False, layout=False)


def warnings(path: Path) -> tuple[str, ...]:
    return parse_document(path, LIMITS, password=None).warnings


def made(path: Path, change: Callable[[Any], None], text: str = "The page itself.") -> Path:
    document = pymupdf.open()
    document.new_page().insert_text((72, 72), text)
    change(document)
    return save(document, path)


def test_attachments_are_named(tmp_path: Path) -> None:
    files = {f"Größe {n}.pdf": b"x" for n in range(1, 8)}
    path = enclosing_pdf(tmp_path / "a.pdf", "See the parts.", files)
    assert warnings(path) == (
        "attachments not read: Größe 1.pdf, Größe 2.pdf, Größe 3.pdf, Größe 4.pdf, Größe 5.pdf "
        "and 2 more",
    )


def test_a_file_pinned_to_a_place_is_named_once(tmp_path: Path) -> None:
    def pin(document: Any) -> None:
        for y in (100, 200):
            document[0].add_file_annot((72, y), b"x", "Übersicht.xlsx")

    path = made(tmp_path / "a.pdf", pin)
    assert warnings(path) == ("attachments not read: Übersicht.xlsx",)


def test_a_portfolio_is_called_one(tmp_path: Path) -> None:
    def collect(document: Any) -> None:
        document.embfile_add("deed.pdf", b"x", filename="deed.pdf")
        document.xref_set_key(document.pdf_catalog(), "Collection", "<</View/D>>")

    path = made(tmp_path / "a.pdf", collect)
    assert warnings(path) == ("a portfolio; its files are not read: deed.pdf",)


@pytest.mark.parametrize(
    ("form", "told"),
    [
        ("<</XFA (x) /Fields []>>", True),
        ("<</XFA (x)>>", True),
        ("<</XFA (x) /Fields [1 0 R]>>", False),  # stands on its pages
        ("<</Fields []>>", False),
    ],
)
def test_a_form_that_only_one_viewer_lays_out_is_told(
    tmp_path: Path, form: str, told: bool
) -> None:
    path = made(
        tmp_path / "a.pdf",
        lambda document: document.xref_set_key(document.pdf_catalog(), "AcroForm", form),
        "Please wait …",
    )
    assert any("XFA" in warning for warning in warnings(path)) == told


def test_a_file_that_has_nothing_is_not_told_to_be_a_scan(tmp_path: Path) -> None:
    with pytest.raises(NoText) as raised:
        warnings(made(tmp_path / "a.pdf", lambda _: None, ""))
    assert "OCR" not in raised.value.hint


def test_a_file_whose_text_is_attached_says_so(tmp_path: Path) -> None:
    with pytest.raises(NoText, match=r"attachments not read: deed\.pdf") as raised:
        warnings(enclosing_pdf(tmp_path / "a.pdf", "", {"deed.pdf": b"x"}))
    assert "attachments" in raised.value.hint


@pytest.mark.parametrize(("name", "hint"), [("a.doc", ".docx"), ("a.zip", "Unpack"), ("a.x", "")])
def test_a_format_that_is_not_read_says_what_to_do(tmp_path: Path, name: str, hint: str) -> None:
    (tmp_path / name).write_bytes(b"content")
    with pytest.raises(UnsupportedFile) as raised:
        warnings(tmp_path / name)
    assert hint in raised.value.hint
