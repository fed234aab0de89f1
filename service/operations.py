"""Whether the service lives and is ready, and what it counts."""

from __future__ import annotations

import os

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel

from service.deps import Service

router = APIRouter(tags=["operations"])


class Health(BaseModel):
    status: str
    pid: int


class Ready(BaseModel):
    ready: bool
    model: str
    answering: int
    jobs: int


@router.get("/health", summary="The process answers")
async def health() -> Health:
    return Health(status="ok", pid=os.getpid())


@router.get(
    "/ready",
    summary="The models are loaded",
    response_model=Ready,
    responses={503: {"model": Ready}},
)
async def ready(state: Service) -> Response:
    out = Ready(
        ready=state.warm,
        model=state.runtime.engines.default_name,
        answering=len(state.answers),
        jobs=sum(not job.ended for job in state.jobs.all()),
    )
    return JSONResponse(out.model_dump(), 200 if state.warm else 503)


@router.get("/metrics", summary="For Prometheus", response_class=Response)
async def metrics(state: Service) -> Response:
    numbers = state.metrics
    numbers.answering.set(len(state.answers))
    numbers.models.set(len(state.runtime.engines.loaded()))
    for status in ("queued", "running", "done", "failed"):
        count = sum(job.status == status for job in state.jobs.all())
        numbers.jobs.labels(status).set(count)
    return Response(numbers.text(), headers={"Content-Type": CONTENT_TYPE_LATEST})
