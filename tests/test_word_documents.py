"""DOCX: what the word processor shows is what is read, with its numbers and tables, on pages."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import docx
import pymupdf
import pytest
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls
from docx.shared import Inches

from rag.config import Extraction
from rag.errors import DamagedFile, EncryptedFile, ExtractionError, LimitExceeded, UnsupportedFile
from rag.page_image import render_page
from rag.readers.document import parse_document
from rag.readers.word_numbering import counted
from rag.types import ParsedDocument

W = nsdecls("w")


def read(path: Path) -> ParsedDocument:
    return parse_document(path, Extraction(), password=None)


def saved(document: Any, path: Path) -> ParsedDocument:
    document.save(path)
    return read(path)


def add(document: Any, xml: str) -> Any:
    """Adds a paragraph of WordprocessingML, or a table, before the section's properties."""
    element = parse_xml(xml.replace(">", f" {W}>", 1) if "/>" not in xml[:20] else xml)
    document.element.body.insert(len(document.element.body) - 1, element)
    return element


def numbered(document: Any, levels: list[tuple[str, str]]) -> None:
    """Gives the document a list, number 77, of these levels (format, text)."""
    xml = "".join(
        f'<w:lvl w:ilvl="{i}"><w:start w:val="1"/><w:numFmt w:val="{kind}"/>'
        f'<w:lvlText w:val="{text}"/></w:lvl>'
        for i, (kind, text) in enumerate(levels)
    )
    root = document.part.numbering_part.element
    root.insert(0, parse_xml(f'<w:abstractNum {W} w:abstractNumId="77">{xml}</w:abstractNum>'))
    root.append(parse_xml(f'<w:num {W} w:numId="77"><w:abstractNumId w:val="77"/></w:num>'))


def item(text: str, level: int) -> str:
    number = f'<w:numPr><w:ilvl w:val="{level}"/><w:numId w:val="77"/></w:numPr>'
    return f"<w:p><w:pPr>{number}</w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>"


def test_clauses_have_their_numbers(tmp_path: Path) -> None:
    document = docx.Document()
    numbered(document, [("decimal", "%1."), ("decimal", "%1.%2"), ("lowerLetter", "(%3)")])
    for text, level in [
        ("Term", 0), ("Rent", 0), ("Due date", 1), ("Late payment", 1), ("interest", 2),
        ("notice", 2), ("Deposit", 0), ("Amount", 1), ("in cash", 2),
    ]:  # fmt: skip
        add(document, item(text, level))
    (page,) = saved(document, tmp_path / "lease.docx").pages
    assert page.text.splitlines() == [
        "1. Term", "2. Rent", "2.1 Due date", "2.2 Late payment", "(a) interest", "(b) notice",
        "3. Deposit", "3.1 Amount", "(a) in cash",
    ]  # fmt: skip
    assert [block.kind for block in page.blocks] == ["list"]


def test_headings_have_levels_and_the_numbers_of_their_style(tmp_path: Path) -> None:
    document = docx.Document()
    numbered(document, [("upperRoman", "%1"), ("decimal", "%1.%2")])
    for level in (0, 1):
        style = document.styles[f"Heading {level + 1}"].element
        number = f'<w:numPr {W}><w:ilvl w:val="{level}"/><w:numId w:val="77"/></w:numPr>'
        style.get_or_add_pPr().append(parse_xml(number))
    for text, level in (("Scope", 1), ("Pay", 1), ("Overtime", 2)):
        document.add_heading(text, level)
        document.add_paragraph("As agreed.")
    found = saved(document, tmp_path / "terms.docx")
    (page,) = found.pages
    headings = [(b.level, page.text[b.start : b.end]) for b in page.blocks if b.kind == "heading"]
    assert headings == [(1, "I Scope"), (1, "II Pay"), (2, "II.1 Overtime")]
    assert found.title == "I Scope"


def test_tables_have_heads_and_merged_cells(tmp_path: Path) -> None:
    document = docx.Document()
    table = document.add_table(4, 3)
    for r, row in enumerate([("Region", "Year", "Tons | net"), ("North", "2030", "5"),
                             ("", "2031", "7"), ("Total", "", "12")]):  # fmt: skip
        for c, text in enumerate(row):
            table.cell(r, c).text = text
    table.cell(1, 0).merge(table.cell(2, 0))
    table.cell(3, 0).merge(table.cell(3, 1))
    (page,) = saved(document, tmp_path / "t.docx").pages
    assert page.text == (
        "| Region | Year | Tons \\| net |\n|-|-|-|\n| North | 2030 | 5 |\n| North | 2031 | 7 |\n"
        "| Total | | 12 |"
    )
    assert [block.kind for block in page.blocks] == ["table"]


def test_changes_notes_boxes_and_running_heads(tmp_path: Path) -> None:
    document = docx.Document()
    section = document.sections[0]
    section.header.paragraphs[0].text = "Harbour Board"
    section.footer.paragraphs[0].text = "Confidential"
    add(document, "<w:p><w:r><w:t>The deposit is </w:t></w:r>"
        '<w:ins w:id="1" w:author="a"><w:r><w:t>40</w:t></w:r></w:ins>'
        '<w:del w:id="2" w:author="a"><w:r><w:delText>30</w:delText></w:r></w:del>'
        "<w:r><w:t xml:space='preserve'> crowns.</w:t></w:r>"
        "<w:r><w:rPr><w:vanish/></w:rPr><w:t>HIDDEN</w:t></w:r></w:p>")  # fmt: skip
    add(document, "<w:p><w:r><w:t>Beside it</w:t></w:r><w:r><w:pict><w:txbxContent><w:p><w:r>"
        "<w:t>In the box</w:t></w:r></w:p></w:txbxContent></w:pict></w:r></w:p>")  # fmt: skip
    add(
        document,
        "<w:p><w:r><w:fldChar w:fldCharType='begin'><w:ffData><w:checkBox>"
        "<w:default w:val='0'/><w:checked/></w:checkBox></w:ffData></w:fldChar></w:r>"
        "<w:r><w:instrText>FORMCHECKBOX</w:instrText></w:r><w:r><w:t>married</w:t></w:r>"
        "<w:r><w:sym w:font='Wingdings' w:char='F0A8'/></w:r><w:r><w:t> single</w:t></w:r></w:p>",
    )
    document.add_comment(document.paragraphs[0].runs, text="Ask Ada", author="a", initials="a")
    found = saved(document, tmp_path / "c.docx")
    (page,) = found.pages
    assert page.text.split("\n\n") == [
        "Harbour Board", "The deposit is 40 crowns.", "Beside it", "In the box",
        "[x] married☐ single", "Confidential",
    ]  # fmt: skip
    assert found.warnings == ("comments not read: 1", "tracked changes are read as if accepted")


def with_part(path: Path, name: str, kind: str, xml: str) -> None:
    """Puts another part into a saved document."""
    with ZipFile(path) as packed:
        files = {entry: packed.read(entry) for entry in packed.namelist()}
    types = "application/vnd.openxmlformats-officedocument.wordprocessingml"
    files["[Content_Types].xml"] = files["[Content_Types].xml"].replace(
        b"</Types>",
        f'<Override PartName="/word/{name}" ContentType="{types}.{kind}+xml"/></Types>'.encode(),
    )
    relations = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    files["word/_rels/document.xml.rels"] = files["word/_rels/document.xml.rels"].replace(
        b"</Relationships>",
        f'<Relationship Id="rIdN" Type="{relations}/{kind}" Target="{name}"/></Relationships>'
        .encode(),
    )  # fmt: skip
    files[f"word/{name}"] = xml.encode()
    with ZipFile(path, "w", ZIP_DEFLATED) as packed:
        for entry, data in files.items():
            packed.writestr(entry, data)


def test_footnotes_stand_after_the_paragraph_that_names_them(tmp_path: Path) -> None:
    document = docx.Document()
    add(document, "<w:p><w:r><w:t>Rent rises</w:t></w:r><w:r><w:footnoteReference w:id='5'/></w:r>"
        "<w:r><w:t> yearly.</w:t></w:r></w:p>")  # fmt: skip
    document.add_paragraph("Next.")
    document.save(tmp_path / "n.docx")
    with_part(tmp_path / "n.docx", "footnotes.xml", "footnotes",
        f"<w:footnotes {W}><w:footnote w:id='5'><w:p><w:r><w:t>By two per cent.</w:t></w:r></w:p>"
        "</w:footnote></w:footnotes>")  # fmt: skip
    (page,) = read(tmp_path / "n.docx").pages
    assert page.text == "Rent rises[1] yearly.\n\n[1] By two per cent.\n\nNext."


def test_pages_end_where_the_word_processor_ended_them(tmp_path: Path) -> None:
    document = docx.Document()
    for number in range(1, 5):
        ended = "<w:lastRenderedPageBreak/>" if number > 1 else ""
        add(document, f"<w:p><w:r>{ended}<w:t>Page {number} has this.</w:t></w:r></w:p>")
        for _ in range(90 if number == 2 else 1):
            document.add_paragraph(f"Filler of {number}.")
    pages = saved(document, tmp_path / "w.docx").pages
    assert [page.text[:16] for page in pages] == [f"Page {n} has this."[:16] for n in range(1, 5)]
    assert pages[1].height > pages[0].height


def test_a_page_break_of_the_author_ends_a_page(tmp_path: Path) -> None:
    document = docx.Document()
    document.add_paragraph("First.")
    document.add_page_break()
    document.add_paragraph("Second.")
    assert [page.text for page in saved(document, tmp_path / "b.docx").pages] == [
        "First.", "Second.",
    ]  # fmt: skip


def test_each_word_has_its_place_on_the_image_of_its_page(tmp_path: Path) -> None:
    import numpy as np

    document = docx.Document()
    for number in range(120):
        document.add_paragraph(f"Clause {number} affects the office of harbour affairs. " * 2)
    table = document.add_table(60, 2)
    for number, row in enumerate(table.rows):
        row.cells[0].text, row.cells[1].text = f"key{number}", f"value{number}"
    document.add_paragraph("שלום עולם, the last (paragraph).")
    path = tmp_path / "p.docx"
    pages = saved(document, path).pages
    assert len(pages) > 4
    for page in pages:
        missing = len(page.text.replace("|", " ").split()) - len(page.words)
        assert missing <= 6  # the head of a table that goes on, its rule
        image = pymupdf.Pixmap(render_page(path, page.number, dpi=72))
        assert (image.width, image.height) == (page.width, page.height)
        grey = np.frombuffer(image.samples, np.uint8).reshape(image.height, image.stride)
        for word in page.words:
            x0, y0, x1, y1 = map(int, word.box)
            assert grey[y0 : y1 + 1, 3 * x0 : 3 * x1 + 3].min() < 128, page.text[word.start :][:20]
    last = pages[-1]
    assert last.text.endswith("שלום עולם, the last (paragraph).")
    assert all(f"| key{n} | value{n} |" in "".join(p.text for p in pages) for n in range(60))


def test_right_to_left_text_is_in_its_order(tmp_path: Path) -> None:
    document = docx.Document()
    document.add_paragraph("הסכם שכירות מיום 3.4.2031 בין הצדדים")
    table = document.add_table(1, 2)
    table.cell(0, 0).text, table.cell(0, 1).text = "اسم المستأجر", "أحمد"
    (page,) = saved(document, tmp_path / "r.docx").pages
    assert page.text.startswith("הסכם שכירות מיום 3.4.2031 בין הצדדים")
    assert "| اسم المستأجر | أحمد |" in page.text
    assert len(page.words) == 9


def test_columns_that_no_cell_begins_at_are_none(tmp_path: Path) -> None:
    document = docx.Document()
    span = "<w:tcPr><w:gridSpan w:val='{}'/></w:tcPr>"
    cell = f"<w:tc>{span}<w:p><w:r><w:t>{{}}</w:t></w:r></w:p></w:tc>"
    rows = (((3, "Name"), (4, "Paid")), ((3, "Ada"), (99999999, "40")))
    xml = "".join(f"<w:tr>{''.join(cell.format(*each) for each in row)}</w:tr>" for row in rows)
    add(document, f"<w:tbl>{xml}</w:tbl>")
    (page,) = saved(document, tmp_path / "c.docx").pages
    assert page.text == "| Name | Paid |\n|-|-|\n| Ada | 40 |"


def test_a_table_in_a_table_and_one_around_the_text(tmp_path: Path) -> None:
    document = docx.Document()
    outer = document.add_table(2, 2)
    outer.cell(0, 0).text, outer.cell(0, 1).text = "Name", "Ships"
    inner = outer.cell(1, 1).add_table(2, 2)
    for cell, text in zip(inner._cells, ("Ada", "1", "Bea", "2"), strict=True):
        cell.text = text
    frame = document.add_table(1, 1)
    frame.cell(0, 0).text = "Framed text"
    (page,) = saved(document, tmp_path / "n.docx").pages
    assert page.text == "| Name | Ships |\n|-|-|\n| | Ada, 1; Bea, 2; |\n\nFramed text"


def long_table(path: Path) -> Path:
    document = docx.Document()
    row = "<w:tr>" + "".join(
        f"<w:tc><w:p><w:r><w:t>{'%s'}{c}</w:t></w:r></w:p></w:tc>" for c in "ab"
    )
    rows = "".join(row % (f"row{n}", f"cell{n}") + "</w:tr>" for n in range(3000))
    add(document, f"<w:tbl>{rows}</w:tbl>")
    document.save(path)
    return path


def test_a_table_of_3000_rows_keeps_its_head_on_each_page(tmp_path: Path) -> None:
    pages = read(long_table(tmp_path / "long.docx")).pages
    assert len(pages) > 20
    assert all(page.text.startswith("| row0a | cell0b |\n|-|-|") for page in pages)
    text = "".join(page.text for page in pages)
    assert all(text.count(f"| row{n}a |") == 1 for n in range(1, 3000))


def bomb(path: Path) -> None:
    with ZipFile(path, "w", ZIP_DEFLATED) as packed:
        packed.writestr("word/document.xml", b" " * (300 * 2**20))


def entities(path: Path) -> None:
    document = docx.Document()
    document.save(path)
    with ZipFile(path) as packed:
        files = {name: packed.read(name) for name in packed.namelist()}
    levels = "".join(f'<!ENTITY e{i} "{f"&e{i - 1};" * 10}">' for i in range(1, 12))
    head = f'<?xml version="1.0"?><!DOCTYPE d [<!ENTITY e0 "ha">{levels}]>'
    body = f"<w:document {W}><w:body><w:p><w:r><w:t>&e11;</w:t></w:r></w:p></w:body></w:document>"
    files["word/document.xml"] = (head + body).encode()
    with ZipFile(path, "w") as packed:
        for name, data in files.items():
            packed.writestr(name, data)


def truncated(path: Path) -> None:
    data = BytesIO()
    docx.Document().save(data)
    path.write_bytes(data.getvalue()[:5000])


def encrypted(path: Path) -> None:
    path.write_bytes(
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600) + "EncryptedPackage".encode("utf-16-le")
    )


def older(path: Path) -> None:
    path.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(2000))


def deep(path: Path) -> None:
    document = docx.Document()
    nested = "<w:tbl><w:tr><w:tc>" * 40 + "<w:p/>" + "</w:tc></w:tr></w:tbl>" * 40
    add(document, nested)
    document.save(path)


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (bomb, LimitExceeded),
        (truncated, DamagedFile),
        (encrypted, EncryptedFile),
        (older, UnsupportedFile),
        (deep, ExtractionError),
        (lambda path: docx.Document().save(path), ExtractionError),
        (lambda path: path.write_bytes(b""), DamagedFile),
        (lambda path: path.write_bytes(b"no zip"), UnsupportedFile),
        (lambda path: path.write_bytes(b"PK\x03\x04" + bytes(50)), DamagedFile),
    ],
)
def test_files_that_cannot_be_read(
    make: Callable[[Path], None], error: type[ExtractionError], tmp_path: Path
) -> None:
    make(tmp_path / "x.docx")
    with pytest.raises(error) as raised:
        read(tmp_path / "x.docx")
    assert raised.value.hint


def test_entities_are_not_unfolded(tmp_path: Path) -> None:
    entities(tmp_path / "e.docx")
    assert len(read(tmp_path / "e.docx").text) < 10


def test_a_document_with_macros_is_read_without_them(tmp_path: Path) -> None:
    document = docx.Document()
    document.add_paragraph("The macro is not run.")
    document.save(tmp_path / "m.docx")
    with ZipFile(tmp_path / "m.docx") as packed:
        files = {name: packed.read(name) for name in packed.namelist()}
    files["[Content_Types].xml"] = files["[Content_Types].xml"].replace(
        b"application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml",
        b"application/vnd.ms-word.document.macroEnabled.main+xml",
    )
    files["word/vbaProject.bin"] = b"Sub AutoOpen()"
    with ZipFile(tmp_path / "m.docm", "w") as packed:
        for name, data in files.items():
            packed.writestr(name, data)
    (page,) = read(tmp_path / "m.docm").pages
    assert page.text == "The macro is not run."
    assert page.width > 500  # by python-docx, not by MuPDF, whose pages are small


def test_large_pictures_are_told_and_logos_are_not(tmp_path: Path) -> None:
    picture = pymupdf.Pixmap(pymupdf.csRGB, (0, 0, 40, 30)).tobytes("png")
    document = docx.Document()
    document.add_paragraph("Below stands a plan.")
    document.add_picture(BytesIO(picture), width=Inches(5), height=Inches(4))
    document.add_picture(BytesIO(picture), width=Inches(1), height=Inches(1))
    (warning,) = saved(document, tmp_path / "p.docx").warnings
    assert warning.startswith("pictures not read: 1;")


def test_formulas_keep_their_fractions_and_powers(tmp_path: Path) -> None:
    space = 'xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math"'
    run = "<m:r><m:t>{}</m:t></m:r>".format
    power = f"<m:sSup><m:e>{run(10)}</m:e><m:sup>{run(-6)}</m:sup></m:sSup>"
    ratio = f"<m:f><m:num>{run('a')}</m:num><m:den>{run('b')}</m:den></m:f>"
    document = docx.Document()
    add(document, f"<w:p><m:oMath {space}>{ratio}{run('=')}{power}</m:oMath></w:p>")
    (page,) = saved(document, tmp_path / "f.docx").pages
    assert page.text == "a/b=10^(-6)"


@pytest.mark.parametrize(
    ("number", "kind", "text"),
    [
        (27, "lowerLetter", "aa"), (3, "upperLetter", "C"), (1994, "upperRoman", "MCMXCIV"),
        (4, "lowerRoman", "iv"), (7, "decimalZero", "07"), (12, "decimal", "12"),
        (0, "lowerRoman", "0"), (5, "chicago", "5"),
    ],
)  # fmt: skip
def test_numbers_by_their_format(number: int, kind: str, text: str) -> None:
    assert counted(number, kind) == text
