"""Chat sessions: list, look at, rename, delete, export."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Query
from fastapi.responses import Response

from rag.sessions.store import Session, SessionTurn
from service import markdown
from service.ask_request import AS_READ
from service.deps import Service
from service.query import answer_html
from service.schemas import SessionDetail, SessionIn, SessionOut, SessionPatch, TurnOut
from service.uploads import safe_name

router = APIRouter(prefix="/sessions", tags=["sessions"])


@router.post("", status_code=201, summary="Begin a session")
async def create(body: SessionIn, state: Service) -> SessionOut:
    collection = state.collection_settings(body.collection).collection
    return SessionOut.model_validate(await state.sessions.create(collection, body.title))


@router.get("", summary="List sessions, the latest first")
async def sessions(
    state: Service,
    q: Annotated[str, Query(max_length=200, description="text of a title or a turn")] = "",
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    offset: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
) -> list[SessionOut]:
    found = await state.sessions.find(q, limit=limit, offset=offset)
    return [SessionOut.model_validate(session) for session in found]


@router.get("/{session_id}", summary="One session with its turns")
async def session(
    session_id: str, state: Service, render: Annotated[bool, Query()] = False
) -> SessionDetail:
    """With `render`, answers also as HTML that is safe to show."""
    found, turns = await state.sessions.get(session_id), await state.sessions.turns(session_id)
    out = SessionOut.model_validate(found).model_dump()
    return SessionDetail(**out, messages=[_turn_out(turn, render=render) for turn in turns])


def _turn_out(turn: SessionTurn, *, render: bool) -> TurnOut:
    return TurnOut(
        id=turn.id,
        question=turn.question,
        text=turn.text,
        state=turn.state,
        created_at=turn.created_at,
        details={name: value for name, value in turn.details.items() if name != AS_READ},
        html=_html(turn) if render else None,
        branches=list(turn.branches),
    )


def _html(turn: SessionTurn) -> str | None:
    if turn.state == "done":
        return answer_html(dict(turn.details))
    return markdown.provisional(turn.text) if turn.text else None


@router.patch("/{session_id}", summary="Rename a session")
async def rename(session_id: str, body: SessionPatch, state: Service) -> SessionOut:
    return SessionOut.model_validate(await state.sessions.rename(session_id, body.title))


@router.delete("/{session_id}", status_code=204, summary="Delete a session")
async def delete(session_id: str, state: Service) -> Response:
    await state.answers.stop(session_id)
    await state.sessions.delete(session_id)
    await asyncio.to_thread(state.runtime.forget, [session_id])
    return Response(status_code=204)


@router.get(
    "/{session_id}/export.md",
    summary="A session as Markdown",
    response_class=Response,
    responses={200: {"content": {"text/markdown": {}}}},
)
async def export(session_id: str, state: Service) -> Response:
    found, turns = await state.sessions.get(session_id), await state.sessions.turns(session_id)
    name = quote(safe_name(found.title or "session"))
    return Response(
        as_markdown(found, turns),
        media_type="text/markdown",
        headers={"Content-Disposition": f"attachment; filename*=UTF-8''{name}.md"},
    )


def as_markdown(session: Session, turns: list[SessionTurn]) -> str:
    """Questions as headings, answers as they stand, and under each its sources."""
    parts = [f"# {session.title or 'Untitled session'}", f"*{session.created_at}*"]
    for turn in turns:
        parts += [f"## {' '.join(turn.question.split())}", turn.text or f"*({turn.state})*"]
        if sources := _sources(turn.details.get("citations", [])):
            parts.append(sources)
    return "\n\n".join(parts) + "\n"


def _sources(citations: list[dict[str, Any]]) -> str:
    return "\n".join(
        f"{c['number']}. {c['document']['name']}, p. {c['page_label'] or c['page']}: "
        f"“{' '.join(c['quote'].split())}”"
        for c in citations
    )
