"""Quotes drawn on their pages: real PDFs, real images."""

import asyncio
from pathlib import Path

import pymupdf
import pytest

from rag.errors import DamagedFile, EncryptedFile, LimitExceeded, PageNotFound, PathNotFound
from rag.page_image import render_page, render_page_contained
from rag.quotes import find_quote, quote_boxes, span_boxes
from rag.types import Page, Word

TEXT = "The quick brown fox jumps over the lazy dog near the river bank and then it co-\noperates."


@pytest.fixture
def pdf(tmp_path: Path) -> Path:
    return make_pdf(tmp_path / "a.pdf")


def make_pdf(path: Path, *, rotation: int = 0, size: tuple[float, float] = (300, 200)) -> Path:
    with pymupdf.open() as document:
        page = document.new_page(width=size[0], height=size[1])
        page.insert_textbox((20, 20, 180, 180), TEXT, fontsize=12)
        page.set_rotation(rotation)
        document.save(path)
    return path


def read(path: Path) -> Page:
    """A page as extraction makes it: words in order, boxes of the page as displayed."""
    with pymupdf.open(path) as document:
        page = document[0]
        parts, words, length = [], [], 0
        for *box, text, _, _, _ in page.get_text("words"):
            rect = pymupdf.Rect(box) * page.rotation_matrix
            words.append(Word(length, length + len(text), tuple(rect)))
            parts.append(text)
            length += len(text) + 1
        width, height = page.rect.width, page.rect.height
    return Page(1, "1", " ".join(parts), (), tuple(words), width, height, "text")


def marked(png: bytes) -> pymupdf.IRect:
    """The box around all yellow pixels."""
    image = pymupdf.Pixmap(png)
    found = [
        (x, y)
        for y in range(image.height)
        for x in range(image.width)
        if image.pixel(x, y)[0] > 200 and image.pixel(x, y)[2] < 100
    ]
    xs, ys = [x for x, _ in found], [y for _, y in found]
    return pymupdf.IRect(min(xs), min(ys), max(xs) + 1, max(ys) + 1)


@pytest.mark.parametrize(
    ("quote", "found"),
    [
        ("quick brown", "quick brown"),
        ("QUICK  brown\nfox", "quick brown fox"),
        ("“quick—brown”", "quick brown"),
        ("cooperates", "co-\noperates"),
        ("co operates", "co-\noperates"),
        ("quick fox", None),
        ("uick brow", "uick brow"),
        ("UICK BROW", None),
        ("", None),
        ("…", None),
    ],
)
def test_find_quote(quote, found):
    span = find_quote(TEXT, quote)
    assert (TEXT[slice(*span)] if span else None) == found


def test_one_box_a_line_around_the_words_of_the_quote(pdf):
    page = read(pdf)
    quote = "fox jumps over the lazy"
    boxes = quote_boxes(page, quote)
    start = page.text.index(quote)
    words = [w.box for w in page.words if start <= w.start < start + len(quote)]
    assert len(words) == 5
    assert len(boxes) == len({round(box[1]) for box in words}) == 2
    for word in words:
        assert any(pymupdf.Rect(box).contains(pymupdf.Rect(word)) for box in boxes)
    outside = [w.box for w in page.words if not start <= w.start < start + len(quote)]
    for word in outside:
        middle = pymupdf.Point((word[0] + word[2]) / 2, (word[1] + word[3]) / 2)
        assert not any(pymupdf.Rect(box).contains(middle) for box in boxes)
    assert span_boxes(page, start, start + len(quote)) == boxes
    assert quote_boxes(page, "not there") == ()


def test_boxes_stay_within_the_page():
    page = Page(1, "1", "wide", (), (Word(0, 4, (-50, -5, 900, 20)),), 300, 200, "text")
    assert quote_boxes(page, "wide") == ((0, 0, 300, 20),)


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_the_marked_place_is_where_the_words_are_drawn(tmp_path, rotation):
    path = make_pdf(tmp_path / "r.pdf", rotation=rotation)
    page = read(path)
    (box,) = quote_boxes(page, "quick brown")
    png = render_page(path, 1, [box], dpi=144)
    x0, y0, x1, y1 = (round(2 * v) for v in box)
    assert marked(png) in pymupdf.IRect(x0 - 4, y0 - 2, x1 + 4, y1 + 2)
    image = pymupdf.Pixmap(png)
    dark = [image.pixel(x, y) for x in range(x0, x1) for y in range(y0, y1)]
    assert min(max(pixel) for pixel in dark) < 60  # the letters below stay black


def test_without_boxes_nothing_is_marked(pdf):
    image = pymupdf.Pixmap(render_page(pdf, 1))
    assert image.pixel(0, 0) == image.pixel(image.width - 1, image.height - 1) == (255, 255, 255)
    assert all(pixel[0] == pixel[2] for pixel in (image.pixel(x, 40) for x in range(image.width)))


@pytest.mark.parametrize("size", [(14_000, 14_000), (200_000, 1), (3, 3)])
def test_a_page_of_any_size_stays_below_the_cap(tmp_path, size):
    path = make_pdf(tmp_path / "big.pdf", size=size)
    image = pymupdf.Pixmap(render_page(path, 1, [(0, 0, 99, 99)], max_pixels=50_000))
    assert image.width * image.height <= 51_000


def test_errors_are_ours(tmp_path, pdf):
    (tmp_path / "a.txt").write_text("text")
    (tmp_path / "bad.pdf").write_bytes(b"%PDF-1.7 nothing")
    with pymupdf.open(pdf) as document:
        document.save(
            tmp_path / "locked.pdf",
            encryption=pymupdf.PDF_ENCRYPT_AES_256,
            user_pw="x",
            owner_pw="y",
        )
    with pytest.raises(PageNotFound, match="no page 2"):
        render_page(pdf, 2)
    with pytest.raises(PageNotFound):
        render_page(tmp_path / "a.txt", 1)
    with pytest.raises(DamagedFile):
        render_page(tmp_path / "bad.pdf", 1)
    with pytest.raises(PathNotFound):
        render_page(tmp_path / "gone.pdf", 1)
    with pytest.raises(EncryptedFile):
        render_page(tmp_path / "locked.pdf", 1)
    assert render_page(tmp_path / "locked.pdf", 1, password="x") == render_page(pdf, 1)


async def test_contained_gives_the_same_image_and_the_same_errors(pdf):
    boxes = quote_boxes(read(pdf), "lazy dog")
    assert await render_page_contained(pdf, 1, boxes, timeout_s=60) == render_page(pdf, 1, boxes)
    with pytest.raises(PageNotFound, match="no page 7") as caught:
        await render_page_contained(pdf, 7, timeout_s=60)
    assert caught.value.hint == "It has 1 page."


def nested_forms(path: Path, depth: int = 40) -> Path:
    """A page that draws a form twice that draws a form twice…: 2^depth drawings."""
    with pymupdf.open() as document:
        page = document.new_page()
        page.insert_text((20, 20), "x")
        inner = page.get_contents()[0]
        document.update_stream(inner, b"0 0 m 1 1 l S")
        forms = [document.get_new_xref() for _ in range(depth)]
        for form, following in zip(forms, [*forms[1:], None], strict=True):
            resources = f"/Resources<</XObject<</F {following} 0 R>>>>" if following else ""
            document.update_object(
                form, f"<</Type/XObject/Subtype/Form/BBox[0 0 99 99]{resources}>>"
            )
            document.update_stream(form, b"/F Do /F Do" if following else b"0 0 m 9 9 l S")
        document.xref_set_key(page.xref, "Resources", f"<</XObject<</F {forms[0]} 0 R>>>>")
        document.update_stream(inner, b"/F Do")
        document.save(path)
    return path


async def test_a_page_that_never_ends_is_stopped(tmp_path):
    path = nested_forms(tmp_path / "bomb.pdf")
    with pytest.raises(LimitExceeded, match="page 1"):
        await render_page_contained(path, 1, timeout_s=4)


async def test_cancelling_stops_the_process(tmp_path):
    path = nested_forms(tmp_path / "bomb.pdf")
    task = asyncio.create_task(render_page_contained(path, 1, timeout_s=60))
    await asyncio.sleep(0.5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
