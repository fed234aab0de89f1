"""The jobs that ingest uploads and remove documents, to be asked for or followed."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any, Literal

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from service import sse
from service.deps import Service
from service.job import Job
from service.jobs import Jobs

router = APIRouter(tags=["jobs"])
_JOB_PING_S = 10.0


class FileOut(BaseModel):
    name: str
    status: Literal["queued", "done", "failed", "duplicate"]
    document_id: str | None = None
    problem: dict[str, Any] | None = None


class ProgressOut(BaseModel):
    files_done: int
    files_total: int
    pages: int
    chunks_extracted: int
    chunks_embedded: int
    current: str | None


class JobOut(BaseModel):
    id: str
    collection: str
    kind: Literal["ingest", "remove"]
    status: Literal["queued", "running", "done", "failed"]
    files: list[FileOut]
    progress: ProgressOut | None
    problem: dict[str, Any] | None = Field(None, description="what it waits for, or why it failed")


@router.get("/jobs", summary="Jobs, the latest first")
async def jobs(state: Service) -> list[JobOut]:
    return [job_out(job) for job in state.jobs.all()]


@router.get("/jobs/{job_id}", summary="One job", response_model=JobOut)
async def job(job_id: str, request: Request, state: Service) -> JobOut | StreamingResponse:
    """With `Accept: text/event-stream`, an event `job` at each change until the job has ended."""
    found = state.jobs.get(job_id)
    if "text/event-stream" in request.headers.get("accept", ""):
        return sse.Stream(_told(state.jobs, found))
    return job_out(found)


async def _told(jobs: Jobs, job: Job) -> AsyncGenerator[bytes]:
    while True:
        yield sse.event("job", job_out(job).model_dump(mode="json"))
        if job.ended or jobs.closing:
            return
        while not await job.change(_JOB_PING_S):
            yield sse.PING


def job_out(job: Job) -> JobOut:
    progress = job.progress
    return JobOut(
        id=job.id,
        collection=job.collection,
        kind=job.kind,
        problem=job.problem,
        status=job.status,
        files=[
            FileOut(
                name=file.path.name,
                status=file.status,
                document_id=file.document_id,
                problem=file.problem,
            )
            for file in job.files
        ],
        progress=progress
        and ProgressOut(
            files_done=progress.files_done,
            files_total=progress.files_total,
            pages=progress.pages,
            chunks_extracted=progress.chunks_extracted,
            chunks_embedded=progress.chunks_embedded,
            current=progress.current.name if progress.current else None,
        ),
    )
