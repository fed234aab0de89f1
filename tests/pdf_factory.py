"""Real PDFs made with PyMuPDF, for tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

PAGE = (595.0, 842.0)  # A4, points
MARGIN = 60.0


def text_pdf(path: Path, pages: Sequence[str], *, title: str = "", size: float = 11) -> Path:
    """One page a text; its lines are wrapped to the page's width. A line "# X" is a heading."""
    import pymupdf

    document = pymupdf.open()
    for text in pages:
        page = document.new_page(width=PAGE[0], height=PAGE[1])
        y = MARGIN + 20
        for line in text.split("\n"):
            y = _write_line(page, line, y, size)
    document.set_metadata({"title": title})
    return save(document, path)


def enclosing_pdf(path: Path, text: str, files: Mapping[str, bytes]) -> Path:
    """A page of text in a document that other files are attached to."""
    import pymupdf

    document = pymupdf.open()
    document.new_page().insert_text((MARGIN, MARGIN), text)
    for name, content in files.items():
        document.embfile_add(name, content, filename=name)
    return save(document, path)


def _write_line(page: Any, line: str, y: float, size: float) -> float:
    if line.startswith("# "):
        page.insert_text((MARGIN, y + 8), line[2:], fontsize=size * 1.6, fontname="hebo")
        return y + size * 3
    for row in wrapped(line, PAGE[0] - 2 * MARGIN, size) or [""]:
        page.insert_text((MARGIN, y), row, fontsize=size, fontname="helv")
        y += size * 1.25
    return y + size * 0.5


def wrapped(text: str, width: float, size: float) -> list[str]:
    """Greedy lines of Helvetica that fit the width."""
    import pymupdf

    rows: list[str] = []
    for word in text.split():
        longer = f"{rows[-1]} {word}" if rows else word
        if rows and pymupdf.get_text_length(longer, fontname="helv", fontsize=size) <= width:
            rows[-1] = longer
        else:
            rows.append(word)
    return rows


def column(page: Any, text: str, box: tuple[float, float, float, float], size: float = 10) -> None:
    """Writes the text into the box line by line."""
    y = box[1] + size
    for row in wrapped(text, box[2] - box[0], size):
        page.insert_text((box[0], y), row, fontsize=size, fontname="helv")
        y += size * 1.2


def table(
    page: Any,
    rows: Sequence[Sequence[str]],
    *,
    at: tuple[float, float],
    columns: Sequence[float],
    size: float = 9,
) -> None:
    """A table without rules: the first column left-aligned, the others right-aligned at x."""
    import pymupdf

    for i, row in enumerate(rows):
        y = at[1] + i * size * 1.5
        for j, text in enumerate(row):
            width = pymupdf.get_text_length(text, fontname="helv", fontsize=size)
            x = at[0] if j == 0 else columns[j - 1] - width
            page.insert_text((x, y), text, fontsize=size, fontname="helv")


def scanned_pdf(path: Path, text: str) -> Path:
    """A page that is only the picture of a text."""
    import pymupdf

    source = pymupdf.open()
    page = source.new_page(width=PAGE[0], height=PAGE[1])
    column(page, text, (MARGIN, MARGIN, PAGE[0] - MARGIN, PAGE[1]), size=14)
    picture = page.get_pixmap(dpi=200).tobytes("png")
    document = pymupdf.open()
    document.new_page(width=PAGE[0], height=PAGE[1]).insert_image((0, 0, *PAGE), stream=picture)
    return save(document, path)


def encrypted_pdf(path: Path, text: str, *, password: str) -> Path:
    import pymupdf

    document = pymupdf.open()
    document.new_page().insert_text((72, 72), text)
    document.save(
        path, encryption=pymupdf.PDF_ENCRYPT_AES_256, user_pw=password, owner_pw=f"{password}2"
    )
    return path


def raw_pdf(path: Path, objects: Sequence[str]) -> Path:
    """A PDF of these objects (number 1 the catalog), with a correct cross-reference table."""
    data = b"%PDF-1.7\n"
    offsets = []
    for number, body in enumerate(objects, 1):
        offsets.append(len(data))
        data += f"{number} 0 obj\n{body}\nendobj\n".encode("latin-1")
    start = len(data)
    data += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode()
    data += b"".join(f"{offset:010d} 00000 n \n".encode() for offset in offsets)
    data += (
        f"trailer\n<</Size {len(objects) + 1}/Root 1 0 R>>\nstartxref\n{start}\n%%EOF\n".encode()
    )
    path.write_bytes(data)
    return path


def stream(dictionary: str, content: str) -> str:
    """A stream object's body."""
    return f"<<{dictionary}/Length {len(content)}>>\nstream\n{content}\nendstream"


def nested_forms(depth: int) -> list[str]:
    """Objects of a page whose form draws another form twice, and so on: 2^depth drawings."""
    forms = [
        stream(
            f"/Type/XObject/Subtype/Form/BBox[0 0 9 9]/Resources<</XObject<</F {i + 6} 0 R>>>>",
            "/F Do /F Do",
        )
        for i in range(depth)
    ]
    last = stream("/Type/XObject/Subtype/Form/BBox[0 0 9 9]", "0 0 1 1 re f")
    return [*page_objects("/XObject<</F 5 0 R>>", "/F Do"), *forms, last]


def page_objects(resources: str, content: str, *, count: str = "1") -> list[str]:
    return [
        "<</Type/Catalog/Pages 2 0 R>>",
        f"<</Type/Pages/Kids[3 0 R]/Count {count}>>",
        "<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]/Contents 4 0 R"
        f"/Resources<<{resources}>>>>",
        stream("", content),
    ]


def save(document: Any, path: Path) -> Path:
    document.save(path)
    document.close()
    return path
