"""Page images: drawn in a process of their own, the latest kept in memory."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence

from rag.pipeline import Pipeline
from rag.types import Box, Document

# Drawing takes a core and up to 2 GiB: more at once would starve the answers.
_AT_ONCE = 2
_CACHE_BYTES = 64 << 20

_Key = tuple[str, int, tuple[Box, ...]]


class PageImages:
    """PNG images by document, page and marked boxes. Every image asked for twice is drawn once."""

    def __init__(self) -> None:
        self._images: OrderedDict[_Key, bytes] = OrderedDict()
        self._bytes = 0
        self._drawing: dict[_Key, asyncio.Task[bytes]] = {}
        self._slots = asyncio.Semaphore(_AT_ONCE)

    async def image(
        self,
        pipeline: Pipeline,
        document: Document,
        number: int,
        *,
        quote: str,
        boxes: Sequence[Box],
    ) -> bytes:
        """Raises ExtractionError: damaged, or stopped by a limit, or text without pages."""
        marked = tuple(boxes) or await _quoted(pipeline, document, number, quote)
        key = (f"{document.sha256} {document.path}", number, marked)
        if key in self._images:
            self._images.move_to_end(key)
            return self._images[key]
        if key not in self._drawing:
            self._drawing[key] = task = asyncio.create_task(self._draw(key, document))
            task.add_done_callback(lambda _: self._drawing.pop(key, None))
        return await asyncio.shield(self._drawing[key])

    async def _draw(self, key: _Key, document: Document) -> bytes:
        from rag.page_image import render_page_contained

        async with self._slots:
            image = await render_page_contained(document.path, key[1], key[2])
        self._images[key] = image
        self._bytes += len(image)
        while self._bytes > _CACHE_BYTES:
            self._bytes -= len(self._images.popitem(last=False)[1])
        return image


async def _quoted(
    pipeline: Pipeline, document: Document, number: int, quote: str
) -> tuple[Box, ...]:
    from rag.quotes import quote_boxes

    if not quote.strip():
        return ()
    pages = await (await pipeline.store()).pages(document.id, [number])
    return quote_boxes(pages[0], quote) if pages else ()
