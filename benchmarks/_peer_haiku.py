"""haiku.rag's store and search, for benchmarks/peers.py: its chunker and its hybrid search.

Its own converter is docling, whose layout models come from a model hub; so the text is PyMuPDF's,
block by block, through the calls that haiku.rag documents for pipelines of one's own. Its default
embedder is an outside server too: here a server with the same weights (_peer_embeddings.py).
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pymupdf
from docling_core.types.doc.base import BoundingBox, Size
from docling_core.types.doc.document import DoclingDocument, ProvenanceItem
from docling_core.types.doc.labels import DocItemLabel
from haiku.rag.client import HaikuRAG
from haiku.rag.config import AppConfig

from benchmarks._peer import Place, serve


class Haiku:
    def __init__(self, model: Path, store: Path) -> None:
        server = subprocess.Popen(
            [sys.argv[3], "-m", "benchmarks._peer_embeddings", str(model)],
            stdin=subprocess.PIPE,  # it ends when this process does
            stdout=subprocess.PIPE,
            text=True,
        )
        assert server.stdout is not None
        self._server, url = server, server.stdout.readline().strip()
        embedder = {"provider": "openai", "name": model.name, "vector_dim": 384}
        config = AppConfig.model_validate(
            {
                "embeddings": {"model": {**embedder, "base_url": url, "api_key": "none"}},
                "processing": {"chunking_tokenizer": str(model)},
            }
        )
        self._runner = asyncio.Runner()
        self._client = HaikuRAG(store / "haiku.lancedb", config=config, create=True)
        self._runner.run(self._client.__aenter__())

    def ingest(self, pdfs: list[Path]) -> int:
        return self._runner.run(self._ingest(pdfs))

    async def _ingest(self, pdfs: list[Path]) -> int:
        chunks = 0
        for pdf in pdfs:
            document = read(pdf)
            own = await self._client.chunk(document)
            await self._client.import_document(document, own, uri=pdf.name)
            chunks += len(own)
        return chunks

    def search(self, question: str, k: int) -> list[Place]:
        found = self._runner.run(self._client.search(question, limit=k))
        return [(str(each.document_uri), min(each.page_numbers)) for each in found]


def read(pdf: Path) -> DoclingDocument:
    """The blocks of text of a PDF with their places."""
    document = DoclingDocument(name=pdf.name)
    with pymupdf.open(pdf) as pages:
        for page in pages:
            number = page.number + 1
            document.add_page(number, Size(width=page.rect.width, height=page.rect.height))
            for *box, text, _, kind in page.get_text("blocks"):
                if kind == 0 and text.strip():
                    left, top, right, bottom = box
                    place = ProvenanceItem(
                        page_no=number,
                        bbox=BoundingBox(l=left, t=top, r=right, b=bottom),
                        charspan=(0, len(text.strip())),
                    )
                    document.add_text(DocItemLabel.TEXT, text.strip(), prov=place)
    return document


if __name__ == "__main__":
    serve(Haiku, "haiku.rag-slim", "docling-core", "lancedb", "pymupdf")
