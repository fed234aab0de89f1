"""Documents: upload, list, look at, delete; and the jobs that ingest them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import FileResponse, Response
from pydantic import BaseModel, Field

from rag.encoding import name_key
from rag.errors import DocumentNotFound, ExtractionError, IndexMissing
from rag.pipeline import Pipeline
from rag.store import Snapshot
from rag.types import Box, Document
from service import uploads
from service.deps import CollectionName, Service
from service.jobs_api import FileOut, JobOut, job_out
from service.multipart import Form
from service.problems import Refused, problem_of
from service.schemas import DocumentOut
from service.state import State

router = APIRouter(tags=["documents"])


class FailureOut(BaseModel):
    name: str
    kind: str
    reason: str
    hint: str


class DocumentsOut(BaseModel):
    documents: list[DocumentOut]
    failures: list[FailureOut] = Field(description="files that could not be read, unchanged since")
    total: int


class UploadOut(BaseModel):
    """`job` is null where nothing is left to do."""

    job: JobOut | None
    files: list[FileOut]


class DocumentDetail(DocumentOut):
    file_url: str


class DeletedOut(BaseModel):
    deleted: list[str]


# ── documents ─────────────────────────────────────────────────────────────────────────────────


_UPLOAD_BODY = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["file"],
                "properties": {
                    "file": {"type": "array", "items": {"type": "string", "format": "binary"}}
                },
            }
        },
        "application/pdf": {"schema": {"type": "string", "format": "binary"}},
    },
}


@router.post(
    "/documents",
    status_code=202,
    summary="Upload documents and ingest them",
    openapi_extra={"requestBody": _UPLOAD_BODY},
)
async def upload(
    request: Request,
    state: Service,
    collection: CollectionName = None,
    name: Annotated[str, Query(max_length=500, description="of a body that is the file")] = "",
) -> UploadOut:
    """One or more files as a form (`file`), or one file as the body itself with `?name=`.

    They are kept by the service and ingested by a job: follow `GET /jobs/{id}`. A file whose
    content is in the collection already is answered with its document.
    """
    pipeline = state.pipeline(collection)
    folder = state.files_dir(pipeline.settings.collection)
    known = await _known(pipeline)
    files: list[FileOut] = []
    fresh: dict[str, Path] = {}
    async with _received(request, name, folder, state) as parts:
        for part in parts:
            out = part if isinstance(part, FileOut) else _accepted(part, folder, known, fresh)
            files.append(out)
    if not files:
        raise Refused(422, "no file was sent", "Send a form with `file`, or a body with ?name=.")
    if len(files) == 1 and files[0].problem:
        raise Refused(
            files[0].problem["status"], files[0].problem["detail"], files[0].problem["hint"]
        )
    job = state.jobs.add(pipeline.settings.collection, list(fresh.values())) if fresh else None
    return UploadOut(job=job and job_out(job), files=files)


def _accepted(
    received: uploads.Upload, folder: Path, known: dict[str, Document], fresh: dict[str, Path]
) -> FileOut:
    if received.sha256 in known or received.sha256 in fresh:
        uploads.forget(received.path)
        document = known.get(received.sha256)
        id_ = document and document.id
        return FileOut(name=received.name, status="duplicate", document_id=id_)
    fresh[received.sha256] = path = uploads.keep(received, folder)
    return FileOut(name=path.name, status="queued")


async def _known(pipeline: Pipeline) -> dict[str, Document]:
    snapshot = await _snapshot(pipeline)
    return {document.sha256: document for document in snapshot.by_path.values()}


@asynccontextmanager
async def _received(
    request: Request, name: str, folder: Path, state: State
) -> AsyncGenerator[list[uploads.Upload | FileOut]]:
    """All files of a request, aside, once they have arrived: a request is taken whole or not at
    all. What nobody has moved away at the end is deleted."""
    limit = state.settings.service.max_upload_mb << 20
    parts: list[uploads.Upload | FileOut] = []
    try:
        async with aclosing(_parts(request, name)) as sent:
            async for file_name, pieces in sent:
                try:
                    parts.append(await uploads.receive(file_name, pieces, folder, limit))
                except ExtractionError as error:
                    told = problem_of(error)
                    parts.append(FileOut(name=file_name[:200], status="failed", problem=told))
        yield parts
    finally:
        for part in parts:
            if isinstance(part, uploads.Upload):
                uploads.forget(part.path)


async def _parts(request: Request, name: str) -> AsyncGenerator[tuple[str, AsyncIterable[bytes]]]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        async with aclosing(Form(request).files()) as sent:
            async for file_name, pieces in sent:
                yield file_name or "document", pieces
    elif kind == "application/json":
        raise Refused(415, "JSON is no document", "Send a form with `file`, or the file itself.")
    else:
        yield name or "document", request.stream()


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
    snapshot = await _snapshot(pipeline)
    wanted = name_key(q)
    found = [
        document
        for document in snapshot.by_path.values()
        if wanted in name_key(document.name) or wanted in name_key(document.title)
    ]
    shown = [wire.document(document) for document in found[offset : offset + limit]]
    return DocumentsOut(documents=shown, failures=await _failures(pipeline), total=len(found))


async def _snapshot(pipeline: Pipeline) -> Snapshot:
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
    url = f"/documents/{found.id}/file?collection={wire.collection}"
    return DocumentDetail(**wire.document(found).model_dump(), file_url=url)


@router.delete("/documents/{document_id}", summary="Take a document out of the index")
async def delete(document_id: str, state: Service, collection: CollectionName = None) -> DeletedOut:
    """An uploaded file is deleted with it; a file that was ingested from elsewhere stays."""
    pipeline = state.pipeline(collection)
    found = await _document(pipeline, document_id)
    removed = await pipeline.remove([found.id])
    folder = state.files_dir(pipeline.settings.collection)
    for gone in removed:
        if gone.path.is_relative_to(folder):
            gone.path.unlink(missing_ok=True)
    return DeletedOut(deleted=[gone.name for gone in removed])


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
    found = (await _snapshot(pipeline)).by_id.get(document_id)
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
