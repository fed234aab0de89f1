"""LlamaIndex on LanceDB with sentence-transformers, for benchmarks/peers.py: its defaults."""

from __future__ import annotations

from pathlib import Path

from llama_index.core import StorageContext, VectorStoreIndex
from llama_index.embeddings.huggingface import HuggingFaceEmbedding
from llama_index.readers.file import PyMuPDFReader
from llama_index.vector_stores.lancedb import LanceDBVectorStore

from benchmarks._peer import Place, serve


class LlamaIndex:
    def __init__(self, model: Path, store: Path) -> None:
        self._embedder = HuggingFaceEmbedding(model_name=str(model))
        self._store = LanceDBVectorStore(uri=str(store))
        self._index: VectorStoreIndex | None = None

    def ingest(self, pdfs: list[Path]) -> int:
        reader = PyMuPDFReader()  # a document for each page, so that a page is known
        documents = [page for pdf in pdfs for page in reader.load_data(pdf)]
        context = StorageContext.from_defaults(vector_store=self._store)
        self._index = VectorStoreIndex.from_documents(
            documents, storage_context=context, embed_model=self._embedder
        )
        return self._store.table.count_rows()

    def search(self, question: str, k: int) -> list[Place]:
        assert self._index is not None
        found = self._index.as_retriever(similarity_top_k=k).retrieve(question)
        places = [each.node.metadata for each in found]
        return [(Path(place["file_path"]).name, int(place["source"])) for place in places]


if __name__ == "__main__":
    serve(
        LlamaIndex,
        "llama-index-core",
        "llama-index-vector-stores-lancedb",
        "lancedb",
        "sentence-transformers",
        "torch",
    )
