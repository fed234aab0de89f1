"""The rows of the index: Arrow schemas, and the way from our types to rows and back."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
import pyarrow as pa

from rag.embedders.base import Vectors
from rag.encoding import path_of, stored_path, well_formed
from rag.terms import indexed_terms
from rag.types import Block, Chunk, Coverage, Document, Failure, Page, StoredChunk, Word

# Raised with each step in rag/store/migrations.py.
FORMAT: Final = 2
FULL_TEXT_INDEX: Final = "terms_full_text"

DOCUMENTS: Final = pa.schema(
    {
        "path": pa.string(),
        "id": pa.string(),
        "title": pa.string(),
        "sha256": pa.string(),
        "recipe": pa.string(),
        "size": pa.int64(),
        "mtime_ns": pa.int64(),
        "pages": pa.int32(),
        "chunks": pa.int32(),
        "language": pa.string(),
        "coverage": pa.string(),  # JSON
        "metadata": pa.string(),  # JSON
        "added_at": pa.string(),
        "warnings": pa.string(),  # JSON
    }
)

PAGES: Final = pa.schema(
    {
        "document_id": pa.string(),
        "number": pa.int32(),
        "label": pa.string(),
        "text": pa.string(),
        "width": pa.float32(),
        "height": pa.float32(),
        "source": pa.string(),
        "blocks": pa.string(),  # JSON
        "words": pa.binary(),  # deflated float32 (n, 6): start, end, box
    }
)

FAILURES: Final = pa.schema(
    {
        "path": pa.string(),
        "kind": pa.string(),
        "reason": pa.string(),
        "hint": pa.string(),
        "size": pa.int64(),
        "mtime_ns": pa.int64(),
    }
)

CHUNK_COLUMNS: Final = (
    "id",
    "document_id",
    "ordinal",
    "text",
    "header",
    "start",
    "end",
    "first_page",
    "last_page",
    "kind",
    "tokens",
)


def chunks_schema(embedder_id: str, dimensions: int) -> pa.Schema:
    """The chunks table. Which embedder made its vectors stands in the schema's metadata."""
    return pa.schema(
        {
            "id": pa.string(),
            "document_id": pa.string(),
            "ordinal": pa.int32(),
            "text": pa.string(),
            "header": pa.string(),
            "terms": pa.string(),
            "start": pa.int32(),
            "end": pa.int32(),
            "first_page": pa.int32(),
            "last_page": pa.int32(),
            "kind": pa.string(),
            "tokens": pa.int32(),
            "vector": pa.list_(pa.float32(), dimensions),
        },
        metadata={"rag.embedder": embedder_id},
    )


def chunk_id(document_id: str, ordinal: int) -> str:
    return f"{document_id}:{ordinal:05d}"


def chunk_rows(
    document_id: str, chunks: Sequence[Chunk], vectors: Vectors, language: str, schema: pa.Schema
) -> pa.Table:
    """Rows of one document. `vectors` has shape (len(chunks), dimensions)."""
    flat = pa.array(np.ascontiguousarray(vectors, dtype=np.float32).reshape(-1))
    columns: dict[str, Any] = {
        "id": [chunk_id(document_id, ordinal) for ordinal in range(len(chunks))],
        "document_id": [document_id] * len(chunks),
        "ordinal": range(len(chunks)),
        "text": [chunk.text for chunk in chunks],
        "header": [chunk.header for chunk in chunks],
        "terms": [" ".join(indexed_terms(chunk.content, language)) for chunk in chunks],
        "start": [chunk.start for chunk in chunks],
        "end": [chunk.end for chunk in chunks],
        "first_page": [chunk.first_page for chunk in chunks],
        "last_page": [chunk.last_page for chunk in chunks],
        "kind": [chunk.kind for chunk in chunks],
        "tokens": [chunk.tokens for chunk in chunks],
        "vector": pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1]),
    }
    return pa.table(columns, schema=schema)


def stored_chunks(table: pa.Table) -> list[StoredChunk]:
    columns = (table[name].to_pylist() for name in CHUNK_COLUMNS)
    return [StoredChunk(*values) for values in zip(*columns, strict=True)]


def page_rows(document_id: str, pages: Iterable[Page]) -> pa.Table:
    rows = [
        {
            "document_id": document_id,
            "number": page.number,
            "label": page.label,
            "text": page.text,
            "width": page.width,
            "height": page.height,
            "source": page.source,
            "blocks": json.dumps(
                [
                    (b.kind, b.start, b.end, [round(x, 1) for x in b.box], b.level)
                    for b in page.blocks
                ]
            ),
            "words": _pack_words(page.words),
        }
        for page in pages
    ]
    return pa.Table.from_pylist(rows, schema=PAGES)


def stored_page(row: Mapping[str, Any]) -> Page:
    return Page(
        number=row["number"],
        label=row["label"],
        text=row["text"],
        blocks=tuple(
            Block(kind, start, end, tuple(box), level)
            for kind, start, end, box, level in json.loads(row["blocks"])
        ),
        words=_unpack_words(row["words"]),
        width=row["width"],
        height=row["height"],
        source=row["source"],
    )


def _pack_words(words: Sequence[Word]) -> bytes:
    # float32 holds offsets up to 2^24 exactly: a page of sixteen million characters.
    table = np.array([(w.start, w.end, *w.box) for w in words], dtype=np.float32)
    return zlib.compress(table.tobytes(), level=1)


def _unpack_words(packed: bytes) -> tuple[Word, ...]:
    table = np.frombuffer(zlib.decompress(packed), dtype=np.float32).reshape(-1, 6)
    return tuple(
        Word(int(start), int(end), (x0, y0, x1, y1))
        for start, end, x0, y0, x1, y1 in table.tolist()
    )


def document_row(document: Document, recipe: str) -> dict[str, Any]:
    return {
        "path": stored_path(document.path),
        "id": document.id,
        "title": well_formed(document.title),
        "sha256": document.sha256,
        "recipe": recipe,
        "size": document.size,
        "mtime_ns": document.mtime_ns,
        "pages": document.pages,
        "chunks": document.chunks,
        "language": document.language,
        "coverage": json.dumps(
            {
                "text": document.coverage.text,
                "layout": document.coverage.layout,
                "ocr": document.coverage.ocr,
                "empty": document.coverage.empty,
                "unread": dict(document.coverage.unread),
            }
        ),
        "metadata": json.dumps(dict(document.metadata), ensure_ascii=False),
        "added_at": document.added_at,
        "warnings": json.dumps(document.warnings, ensure_ascii=False),
    }


def stored_document(row: Mapping[str, Any]) -> Document:
    coverage = json.loads(row["coverage"])
    return Document(
        id=row["id"],
        path=path_of(row["path"]),
        title=row["title"],
        sha256=row["sha256"],
        size=row["size"],
        mtime_ns=row["mtime_ns"],
        pages=row["pages"],
        chunks=row["chunks"],
        language=row["language"],
        coverage=Coverage(
            coverage["text"],
            coverage["layout"],
            coverage["ocr"],
            tuple(coverage["empty"]),
            {kind: tuple(pages) for kind, pages in coverage.get("unread", {}).items()},
        ),
        metadata=json.loads(row["metadata"]),
        added_at=row["added_at"],
        warnings=tuple(json.loads(row.get("warnings", "[]"))),  # not in rows of format 1
    )


def failure_row(failure: Failure) -> dict[str, Any]:
    return {
        "path": stored_path(failure.path),
        "kind": failure.kind,
        "reason": well_formed(failure.reason),
        "hint": failure.hint,
        "size": failure.size,
        "mtime_ns": failure.mtime_ns,
    }


def stored_failure(row: Mapping[str, Any]) -> Failure:
    return Failure(**{**row, "path": path_of(row["path"])})


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
