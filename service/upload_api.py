"""Uploads: files become documents of a collection by a job."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel

from rag.errors import ExtractionError
from rag.pipeline import Pipeline
from service import uploads
from service.deps import CollectionName, Service
from service.documents import snapshot_of
from service.job import Job
from service.jobs import Jobs
from service.jobs_api import FileOut, JobOut, job_out
from service.multipart import Form
from service.problems import Refused, problem_of
from service.state import State

router = APIRouter(tags=["documents"])


class UploadOut(BaseModel):
    """`job` is null where nothing is left to do."""

    job: JobOut | None
    files: list[FileOut]


@dataclass(slots=True)
class Known:
    """The contents of a collection by SHA-256: their names, also of those that wait to be read."""

    names: dict[str, set[str]]
    ids: dict[str, str]
    jobs: dict[str, Job]  # that are to read them
    job: Job | None = None  # that reads what came again

    @classmethod
    async def of(cls, pipeline: Pipeline, jobs: Jobs) -> Known:
        under_way = jobs.under_way(pipeline.settings.collection)
        leaving = {job.document_id for job in under_way if job.kind == "remove"}
        known = cls({}, {}, {})
        for document in (await snapshot_of(pipeline)).by_path.values():
            if document.id not in leaving:
                known.names.setdefault(document.sha256, set()).add(document.name)
                known.ids[document.sha256] = document.id
        for job in under_way:
            for file in job.files if job.kind == "ingest" else ():
                known.names.setdefault(file.sha256, set()).add(file.path.name)
                known.jobs[file.sha256] = job
        return known


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

    They are kept by the service and ingested by a job: follow `GET /jobs/{id}`. A content that is
    in the collection already stays one document, and gains a name if it comes under a new one.
    """
    pipeline = state.pipeline(collection)
    folder = state.files_dir(pipeline.settings.collection)
    files: list[FileOut] = []
    fresh: dict[Path, str] = {}
    async with _received(request, name, folder, state) as parts:
        known = await Known.of(pipeline, state.jobs)
        for part in parts:
            out = part if isinstance(part, FileOut) else _accepted(part, folder, known, fresh)
            files.append(out)
    if not files:
        raise Refused(422, "no file was sent", "Send a form with `file`, or a body with ?name=.")
    if len(files) == 1 and files[0].problem:
        raise Refused(
            files[0].problem["status"], files[0].problem["detail"], files[0].problem["hint"]
        )
    job = state.jobs.add(pipeline.settings.collection, fresh) if fresh else known.job
    return UploadOut(job=job and job_out(job), files=files)


def _accepted(
    received: uploads.Upload, folder: Path, known: Known, fresh: dict[Path, str]
) -> FileOut:
    content, name = received.sha256, received.name
    is_known = content in known.names
    if is_known and name in known.names[content]:
        uploads.forget(received.path)
        known.job = known.jobs.get(content, known.job)
    else:
        path = uploads.keep(received, folder)
        name, fresh[path] = path.name, content
    known.names.setdefault(content, set()).update({received.name, name})
    status: Literal["duplicate", "queued"] = "duplicate" if is_known else "queued"
    return FileOut(name=name, status=status, document_id=known.ids.get(content))


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
