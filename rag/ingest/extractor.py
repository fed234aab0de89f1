"""What reads files for an ingest: worker processes, this process, or another machine."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, Protocol

from rag.config import Extraction
from rag.ingest.extract import TokenCounter, extract_file, prepare
from rag.ingest.messages import Extracted, Setup

# The rules of extraction and chunking. Bump it whenever their output changes: documents are then
# extracted again.
RECIPE: Final = "10"


def recipe(limits: Extraction, chunk_tokens: int) -> str:
    """The rules by which a document is extracted and cut. It is stored with each document."""
    return f"{RECIPE} {chunk_tokens} layout={limits.layout:d} ocr={limits.ocr:d}"


class Extractor(Protocol):
    """Reads files by one Setup. Whoever made it closes it, if it wants closing."""

    async def extract(self, path: Path, *, password: str | None = None) -> Extracted:
        """The file's text and chunks. An ingest asks for several files at once.

        Raises ExtractionError subclasses, which cost the ingest this file only.
        """


class InProcessExtractor:
    """An Extractor on a thread of this process, one file at a time.

    Nothing contains a file that hangs, bloats or crashes the reader: for files that one trusts, for
    tests, and for hosts that contain the whole process themselves.
    """

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._counter: TokenCounter | None = None
        # MuPDF is not thread-safe, and a call that nobody waits for any more goes on.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="extract")

    async def extract(self, path: Path, *, password: str | None = None) -> Extracted:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._extract, path, password)

    def _extract(self, path: Path, password: str | None) -> Extracted:
        if self._counter is None:
            self._counter = prepare(self._setup)
        return extract_file(self._setup, path, self._counter, password=password)
