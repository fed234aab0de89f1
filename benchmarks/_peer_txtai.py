"""txtai, for benchmarks/peers.py: content kept, its defaults otherwise.

Its own Textractor needs Java or docling and knows no pages, so the text is PyMuPDF's; it is cut by
txtai's Segmentation into paragraphs, as txtai's own RAG application does.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pymupdf
from txtai import Embeddings
from txtai.pipeline import Segmentation

from benchmarks._peer import Place, serve


class Txtai:
    def __init__(self, model: Path, store: Path) -> None:
        self._store = store
        self._embeddings = Embeddings(path=str(model), content=True)
        self._paragraphs = Segmentation(paragraphs=True)
        self._places: list[Place] = []

    def ingest(self, pdfs: list[Path]) -> int:
        self._embeddings.index(self._rows(pdfs))
        self._embeddings.save(str(self._store))
        return self._embeddings.count()

    def _rows(self, pdfs: list[Path]) -> Iterator[tuple[int, str, None]]:
        for pdf in pdfs:
            with pymupdf.open(pdf) as document:
                for page in document:
                    blocks = [text for *_, text, _, kind in page.get_text("blocks") if kind == 0]
                    for paragraph in self._paragraphs("\n\n".join(blocks)):
                        self._places.append((pdf.name, page.number + 1))
                        yield len(self._places) - 1, paragraph, None

    def search(self, question: str, k: int) -> list[Place]:
        return [self._places[int(row["id"])] for row in self._embeddings.search(question, k)]


if __name__ == "__main__":
    serve(Txtai, "txtai", "faiss-cpu", "transformers", "torch", "pymupdf")
