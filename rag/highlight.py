"""From a quote to boxes on its page, and the page as an image with the quote marked."""

from __future__ import annotations

import asyncio
import math
import os
import pickle
import re
import sys
from bisect import bisect_right
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from rag.errors import DamagedFile, ExtractionError, LimitExceeded, UnsupportedFile
from rag.terms import fold
from rag.types import Box, Page, Word

_PEN: Final = (1.0, 0.92, 0.3)  # red, green, blue: a yellow highlighter
_MARGIN: Final = 1.0  # points left and right of the words
_PNG: Final = b"\x89PNG"


def span_boxes(page: Page, start: int, end: int) -> tuple[Box, ...]:
    """Boxes around the words of `page.text[start:end]`: one a line, within the page."""
    lines: list[Box] = []
    for index in range(bisect_right(page.words, start, key=_word_end), len(page.words)):
        word = page.words[index]
        if word.start >= end:
            break
        box = _clipped(word.box, page)
        if lines and _same_line(lines[-1], box):
            lines[-1] = _around(lines[-1], box)
        else:
            lines.append(box)
    return tuple(lines)


def _word_end(word: Word) -> int:
    return word.end


def quote_boxes(page: Page, quote: str) -> tuple[Box, ...]:
    """Boxes of a quote; () if it is not on the page. Case, blanks, quotation marks, dashes and
    hyphens at line ends do not matter."""
    span = find_quote(page.text, quote)
    return span_boxes(page, *span) if span else ()


def find_quote(text: str, quote: str) -> tuple[int, int] | None:
    """Where the words of a quote follow each other in a text, as a span of it."""
    at = text.find(quote)
    if at >= 0 and quote.strip():
        return at, at + len(quote)
    words, wanted = _words(text), [word for word, _, _ in _words(quote)]
    if not wanted:
        return None
    # Letters only: "co-\noperate" and "cooperate" meet, and so do all kinds of dashes and blanks.
    joined = "".join(word for word, _, _ in words)
    starts: dict[int, int] = {}
    ends: dict[int, int] = {}
    length = 0
    for word, start, end in words:
        starts[length] = start
        length += len(word)
        ends[length] = end
    target = "".join(wanted)
    at = joined.find(target)
    while at >= 0:
        if at in starts and at + len(target) in ends:
            return starts[at], ends[at + len(target)]
        at = joined.find(target, at + 1)
    return None


def _words(text: str) -> list[tuple[str, int, int]]:
    return [(fold(m.group()), m.start(), m.end()) for m in re.finditer(r"[^\W_]+", text)]


def _clipped(box: Box, page: Page) -> Box:
    x0, y0, x1, y1 = box
    return (
        min(max(x0, 0.0), page.width), min(max(y0, 0.0), page.height),
        min(max(x1, 0.0), page.width), min(max(y1, 0.0), page.height),
    )  # fmt: skip


def _same_line(a: Box, b: Box) -> bool:
    """Whether b goes on the line of a: to its right, however far (the next cell of a row), or
    close by in another direction (text of a turned page)."""
    width, height = min(a[2] - a[0], b[2] - b[0]), min(a[3] - a[1], b[3] - b[1])
    across = min(a[2], b[2]) - max(a[0], b[0])
    down = min(a[3], b[3]) - max(a[1], b[1])
    if down > 0.5 * height:
        return b[0] >= a[0] or -across < 1.5 * height
    upright = max((box[3] - box[1]) / max(box[2] - box[0], 0.1) for box in (a, b)) > 1.5
    return upright and across > 0.5 * width and -down < 1.5 * width


def _around(*boxes: Box) -> Box:
    return (
        min(b[0] for b in boxes), min(b[1] for b in boxes),
        max(b[2] for b in boxes), max(b[3] for b in boxes),
    )  # fmt: skip


# ── the page as an image ──────────────────────────────────────────────────────────────────────


def render_page(
    path: Path,
    number: int,
    boxes: Sequence[Box] = (),
    *,
    dpi: int = 110,
    max_pixels: int = 16_000_000,
    password: str | None = None,
) -> bytes:
    """Page `number` (from 1) as PNG with `boxes` marked as by a highlighter pen.

    A page larger than `max_pixels` at `dpi` is drawn smaller. Raises ExtractionError subclasses.
    A hostile page may take forever: use render_page_contained for files of others.
    """
    from rag.ingest.formats import sniff
    from rag.ingest.pdf import open_document

    if not path.is_file():
        raise DamagedFile(f"{path.name}: no such file", hint="Put it back, or run: rag ingest")
    if sniff(path) not in ("pdf", "reflowable"):
        raise UnsupportedFile(f"{path.name}: plain text has no page image")
    with open_document(path, password=password, max_pages=sys.maxsize) as document:
        if not 1 <= number <= document.page_count:
            pages = document.page_count
            raise UnsupportedFile(
                f"{path.name}: no page {number}", hint=f"It has {pages} page{'s' * (pages != 1)}."
            )
        return _draw(document, path, number, boxes, dpi, max_pixels)


def _draw(
    document: Any, path: Path, number: int, boxes: Sequence[Box], dpi: int, max_pixels: int
) -> bytes:
    import pymupdf

    try:
        page = document[number - 1]
        width, height = page.rect.width, page.rect.height
        if not (0 < width < math.inf and 0 < height < math.inf):
            raise DamagedFile(f"{path.name}: page {number} has no size")
        zoom = min(dpi / 72, math.sqrt(max_pixels / (width * height)))
        zoom = min(zoom, max_pixels / max(width, height))  # a line of a page, mile-long
        image = page.get_pixmap(matrix=pymupdf.Matrix(zoom, zoom), alpha=False)
        _mark(image, boxes, zoom)
        return bytes(image.tobytes("png"))
    except (RuntimeError, ValueError, pymupdf.mupdf.FzErrorBase) as error:
        raise DamagedFile(f"{path.name}: page {number} cannot be drawn ({error})") from error


def _mark(image: Any, boxes: Sequence[Box], zoom: float) -> None:
    """Multiplies the pixels with the pen's colour, so that the text below stays black.

    In the image and not in the PDF: boxes are of the page as displayed, whatever its rotation.
    """
    import numpy as np

    pixels = np.frombuffer(image.samples_mv, np.uint8)
    pixels = pixels.reshape(image.height, image.stride)[:, : image.width * image.n]
    pixels = pixels.reshape(image.height, image.width, image.n)
    marked = np.zeros((image.height, image.width), bool)
    for x0, y0, x1, y1 in boxes:
        left, top = math.floor((x0 - _MARGIN) * zoom), math.floor(y0 * zoom)
        right, bottom = math.ceil((x1 + _MARGIN) * zoom), math.ceil(y1 * zoom)
        marked[max(0, top) : max(0, bottom), max(0, left) : max(0, right)] = True
    pixels[marked] = (pixels[marked] * np.array(_PEN)).astype(np.uint8)


async def render_page_contained(
    path: Path,
    number: int,
    boxes: Sequence[Box] = (),
    *,
    dpi: int = 110,
    max_pixels: int = 16_000_000,
    password: str | None = None,
    timeout_s: float = 20.0,
    memory_mb: int = 2048,
) -> bytes:
    """render_page in a process of its own, killed after `timeout_s` or beyond `memory_mb`.

    Costs about 1.5 s more, the start of Python and PyMuPDF. Raises as render_page does, and
    LimitExceeded. Cancelling it kills the process.
    """
    task = (path.absolute(), number, tuple(boxes), dpi, max_pixels, password, memory_mb, timeout_s)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "rag.highlight"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": _python_path()},
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(pickle.dumps(task)), timeout_s)
    except TimeoutError:
        raise LimitExceeded(f"{path.name}: page {number} not drawn in {timeout_s:g} s") from None
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    return _result(output, path, number)


def _python_path() -> str:
    """This very package, wherever it was imported from."""
    root = str(Path(__file__).parent.parent)
    return os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])


def _result(output: bytes, path: Path, number: int) -> bytes:
    if output.startswith(_PNG):
        return output
    if not output:
        raise LimitExceeded(f"{path.name}: page {number} crashed the renderer, or took its memory")
    kind, message, hint = pickle.loads(output)
    raise kind(message, hint=hint)


def _serve() -> None:
    """The child: one task from stdin, a PNG or a pickled error to stdout."""
    path, number, boxes, dpi, max_pixels, password, memory_mb, seconds = pickle.load(
        sys.stdin.buffer
    )
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # nothing that a library prints gets into the image
    with suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (memory_mb << 20, memory_mb << 20))
        # The parent kills in time; this is for when the parent is gone.
        resource.setrlimit(resource.RLIMIT_CPU, (int(seconds) + 5, int(seconds) + 6))
    try:
        image = render_page(path, number, boxes, dpi=dpi, max_pixels=max_pixels, password=password)
    except ExtractionError as error:
        image = pickle.dumps((type(error), str(error), error.hint))
    out.write(image)
    out.close()


if __name__ == "__main__":
    _serve()
