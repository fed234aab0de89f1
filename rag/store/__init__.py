"""The index on disk: the only package that imports lancedb.

A collection is a folder with a LanceDB database of four tables (documents, pages, chunks, failures)
and `index.json`, which names the chunks table in use. A document is in the index from the moment
its row stands in `documents`: that row is written last, in one transaction, and searches drop
chunks whose document has none. So a crash leaves rows that nobody sees and `repair` deletes.
"""

from rag.store.reader import Store
from rag.store.search import ChunkRef, Filter, Found, Searcher, Snapshot
from rag.store.writer import Addition, StoreWriter

__all__ = [
    "Addition",
    "ChunkRef",
    "Filter",
    "Found",
    "Searcher",
    "Snapshot",
    "Store",
    "StoreWriter",
]
