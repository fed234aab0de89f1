"""A page as an image, with boxes marked as by a highlighter pen."""

from __future__ import annotations

import asyncio
import math
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rag import worker_process
from rag.errors import DamagedFile, LimitExceeded, PageNotFound, PathNotFound, RagError
from rag.process_memory import SYSTEM_KEEPS_LIMITS, end_beyond
from rag.types import Box
from rag.worker_process import WorkerProcess

_PEN: Final = (1.0, 0.92, 0.3)  # red, green, blue: a yellow highlighter
_MARGIN: Final = 1.0  # points left and right of the words


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

    A page larger than `max_pixels` at `dpi` is drawn smaller. Raises ExtractionError subclasses,
    PathNotFound, PageNotFound.
    A hostile page may take forever: use render_page_contained for files of others.
    """
    from rag.readers.formats import sniff
    from rag.readers.pdf import open_document

    if not path.is_file():
        raise PathNotFound(f"{path.name}: no such file", hint="Put it back, or run: rag ingest")
    format_ = sniff(path)
    if not format_.drawable:
        raise PageNotFound(f"{path.name}: plain text has no page image")
    with (
        format_.lay_out(path)
        if format_.lay_out
        else open_document(path, password=password, max_pages=sys.maxsize)
    ) as document:
        if not 1 <= number <= document.page_count:
            pages = document.page_count
            raise PageNotFound(
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
    password: str | None = None,
    timeout_s: float = 20.0,
    memory_mb: int = 2048,
) -> bytes:
    """render_page in a process of its own, killed after `timeout_s` or beyond `memory_mb`.

    Costs about 1.5 s more, the start of Python and PyMuPDF. Raises as render_page does, and
    LimitExceeded. Cancelling it kills the process.
    """
    task = _Task(path.absolute(), number, tuple(boxes), password, timeout_s, memory_mb)
    process = await WorkerProcess.start("rag.page_image", quiet=True)
    watch = asyncio.create_task(_watch(process.id, memory_mb))
    try:
        async with asyncio.timeout(timeout_s):
            await process.send(task)
            image = await process.receive()
    except TimeoutError:
        raise LimitExceeded(f"{path.name}: page {number} not drawn in {timeout_s:g} s") from None
    except (ConnectionError, asyncio.IncompleteReadError):
        why = "crashed the renderer, or took its memory"
        raise LimitExceeded(f"{path.name}: page {number} {why}") from None
    finally:
        watch.cancel()
        await process.kill()
    if isinstance(image, RagError):
        raise image
    return bytes(image)


async def _watch(process_id: int, megabytes: int) -> None:
    if not SYSTEM_KEEPS_LIMITS:
        await end_beyond(process_id, megabytes)


@dataclass(frozen=True, slots=True)
class _Task:
    path: Path
    number: int
    boxes: tuple[Box, ...]
    password: str | None
    timeout_s: float
    memory_mb: int


def main() -> None:
    """The child: draws one page."""
    tasks, images = worker_process.pipes()
    task: _Task = worker_process.read(tasks)
    worker_process.limit_memory(task.memory_mb)
    # The parent kills in time; this is for when the parent is gone.
    worker_process.limit_cpu(time.process_time() + task.timeout_s + 5)
    try:
        drawn = render_page(task.path, task.number, task.boxes, password=task.password)
    except RagError as error:
        worker_process.write(images, error)
    else:
        worker_process.write(images, drawn)


if __name__ == "__main__":
    main()
