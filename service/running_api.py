"""The answer that a session is writing: heard by whoever comes, stopped by who says so."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response, StreamingResponse

from service import sse
from service.deps import Service
from service.problems import Refused
from service.query import told
from service.schemas import BranchIn

router = APIRouter(prefix="/sessions/{session_id}", tags=["sessions"])


@router.get(
    "/answer",
    summary="Hear the answer that is being written",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
)
async def answer(
    session_id: str, state: Service, render: Annotated[bool, Query()] = False
) -> StreamingResponse:
    """The events of `POST /query` from the first, what was written before you came as one piece.
    404 where no answer is being written: the session has it then."""
    await state.sessions.get(session_id)
    running = state.answers.of(session_id)
    if running is None:
        raise Refused(404, "no answer is being written", "See the session: it has the last one.")
    return sse.Stream(told(running, render=render))


@router.post("/stop", status_code=204, summary="Stop the answer that is being written")
async def stop(session_id: str, state: Service) -> Response:
    """What was written stays, as stopped. Nothing happens where no answer is being written."""
    await state.sessions.get(session_id)
    await state.answers.stop(session_id)
    return Response(status_code=204)


@router.put("/branch", status_code=204, summary="Show the branch through a turn")
async def show(session_id: str, body: BranchIn, state: Service) -> Response:
    """The session goes on from the latest end of that branch; the others stay."""
    await state.sessions.show(session_id, body.turn)
    return Response(status_code=204)
