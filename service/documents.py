"""Documents: list, look at, remove."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import FileResponse, Response
from pydantic import BaseModel, Field

from rag.encoding import name_key
from rag.errors import DocumentNotFound, IndexMissing
from rag.pipeline import Pipeline
from rag.store import Snapshot
from rag.types import Box, Document
from service.deps import CollectionName, Service
from service.jobs_api import JobOut, job_out
from service.problems import Refused
from service.schemas import DocumentOut
from service.wire import Wire

router = APIRouter(tags=["documents"])


class FailureOut(BaseModel):
    name: str
    kind: str
    reason: str
    hint: str


class DocumentRow(DocumentOut):
    names: list[str] = Field(description="of the files that hold this very content")


class DocumentsOut(BaseModel):
    documents: list[DocumentRow]
    failures: list[FailureOut] = Field(description="files that could not be read, unchanged since")
    total: int


class DocumentDetail(DocumentRow):
    file_url: str


class DeletedOut(BaseModel):
    """`job` is null where the document is gone; else it goes once what is written before it is."""

    deleted: list[str]
    job: JobOut | None = None


# A removal that takes longer is told of as a job.
_SOON_S = 5.0


# ── documents ─────────────────────────────────────────────────────────────────────────────────


@router.get("/documents", summary="List documents")
async def documents(
    state: Service,
    collection: CollectionName = None,
    q: Annotated[str, Query(max_length=200, description="part of a name or title")] = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
    offset: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
) -> DocumentsOut:
    pipeline = state.pipeline(collection)
    wire = state.wire(pipeline.settings.collection)
    snapshot = await snapshot_of(pipeline)
    wanted = name_key(q)
    found = [
        document
        for document in snapshot.by_path.values()
        if wanted in name_key(document.name) or wanted in name_key(document.title)
    ]
    names = _names(snapshot)
    unique = list({document.id: document for document in found}.values())
    shown = [_row(wire, document, names) for document in unique[offset : offset + limit]]
    return DocumentsOut(documents=shown, failures=await _failures(pipeline), total=len(unique))


def _names(snapshot: Snapshot) -> dict[str, list[str]]:
    """Document id → the names of its files."""
    names: dict[str, list[str]] = {}
    for document in snapshot.by_path.values():
        names.setdefault(document.id, []).append(document.name)
    return names


def _row(wire: Wire, document: Document, names: dict[str, list[str]]) -> DocumentRow:
    return DocumentRow(**wire.document(document).model_dump(), names=names[document.id])


async def snapshot_of(pipeline: Pipeline) -> Snapshot:
    """The documents now; none where nothing was ingested yet."""
    try:
        return await pipeline.snapshot()
    except IndexMissing:
        return Snapshot(0, {}, {})


async def _failures(pipeline: Pipeline) -> list[FailureOut]:
    try:
        failures = (await (await pipeline.store()).failures()).values()
    except IndexMissing:
        return []
    there = await asyncio.to_thread(lambda: [f for f in failures if f.path.exists()])
    return [FailureOut(name=f.path.name, kind=f.kind, reason=f.reason, hint=f.hint) for f in there]


@router.get("/documents/{document_id}", summary="One document")
async def document(
    document_id: str, state: Service, collection: CollectionName = None
) -> DocumentDetail:
    pipeline = state.pipeline(collection)
    wire = state.wire(pipeline.settings.collection)
    found = await _document(pipeline, document_id)
    row = _row(wire, found, _names(await snapshot_of(pipeline)))
    url = f"/documents/{found.id}/file?collection={wire.collection}"
    return DocumentDetail(**row.model_dump(), file_url=url)


@router.delete(
    "/documents/{document_id}",
    summary="Remove a document from the index",
    responses={202: {"model": DeletedOut, "description": "it waits for what is written first"}},
)
async def delete(
    document_id: str, state: Service, response: Response, collection: CollectionName = None
) -> DeletedOut:
    """Under all its names. Uploaded files are deleted with it; a file that was ingested from
    elsewhere stays. Behind a long ingest the answer is 202 with the job that will do it."""
    pipeline = state.pipeline(collection)
    found = await _document(pipeline, document_id)
    job = state.jobs.add_removal(pipeline.settings.collection, found.id)
    if not await job.end(_SOON_S):
        response.status_code = 202
        return DeletedOut(deleted=[], job=job_out(job))
    if job.problem is not None:
        raise Refused(job.problem["status"], job.problem["detail"], job.problem["hint"])
    return DeletedOut(deleted=[file.path.name for file in job.files])


@router.get(
    "/documents/{document_id}/file",
    summary="The file itself",
    response_class=FileResponse,
    responses={200: {"content": {"application/pdf": {}}}},
)
async def file(document_id: str, state: Service, collection: CollectionName = None) -> FileResponse:
    found = await _document(state.pipeline(collection), document_id)
    path = _present(found)
    is_pdf = path.suffix.lower() == ".pdf"
    # Only a PDF is shown by the browser: HTML from a document must not run as a page of ours.
    return FileResponse(
        path,
        media_type="application/pdf" if is_pdf else "application/octet-stream",
        filename=found.name,
        content_disposition_type="inline" if is_pdf else "attachment",
    )


@router.get(
    "/documents/{document_id}/pages/{number}.png",
    summary="A page as an image",
    response_class=Response,
    responses={200: {"content": {"image/png": {}}}},
)
async def page_image(
    document_id: str,
    number: int,
    state: Service,
    collection: CollectionName = None,
    quote: Annotated[str, Query(max_length=4000, description="words of the page to mark")] = "",
    boxes: Annotated[
        str,
        Query(max_length=16_000, description="x0,y0,x1,y1;… in points", examples=["72,72,200,90"]),
    ] = "",
) -> Response:
    """With `quote` or `boxes` marked. Rendered in a process of its own, within limits."""
    pipeline = state.pipeline(collection)
    found = await _document(pipeline, document_id)
    _present(found)
    if not 1 <= number <= found.pages:
        raise Refused(404, f"{found.name} has pages 1 to {found.pages}")
    image = await state.pages.image(pipeline, found, number, quote=quote, boxes=_boxes(boxes))
    return Response(
        image, media_type="image/png", headers={"Cache-Control": "private, max-age=3600"}
    )


async def _document(pipeline: Pipeline, document_id: str) -> Document:
    """By its exact id: a client's text is never matched as a path or pattern here."""
    found = (await snapshot_of(pipeline)).by_id.get(document_id)
    if found is None:
        raise DocumentNotFound(f"no document {document_id[:80]!r}")
    return found


def _present(document: Document) -> Path:
    if not document.path.is_file():
        raise Refused(410, f"{document.name} is in the index, but the file is gone")
    return document.path


def _boxes(text: str) -> tuple[Box, ...]:
    try:
        boxes = [tuple(map(float, part.split(","))) for part in text.split(";") if part]
    except ValueError:
        boxes = [()]
    if any(len(box) != 4 or not all(abs(side) < 1e6 for side in box) for box in boxes):
        raise Refused(422, "boxes: wants x0,y0,x1,y1;… in points")
    return tuple((box[0], box[1], box[2], box[3]) for box in boxes)
