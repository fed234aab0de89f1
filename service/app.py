"""The service put together: `create_app` for any ASGI server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from mcp.server.transport_security import TransportSecuritySettings
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from rag.config import Settings, revealed
from rag.runtime import Runtime
from rag.sessions.store import Sessions
from service import (
    collections_api,
    documents,
    jobs_api,
    models_api,
    operations,
    page,
    problems,
    query,
    running_api,
    sessions_api,
    upload_api,
)
from service.answers import UntilGone
from service.home import only_service
from service.logs import log_unhandled
from service.mcp import make_server
from service.metrics import Measured
from service.openai import chat, embeddings, responses
from service.request_log import Logged
from service.security import Guard, require_safe
from service.state import State

_DESCRIPTION = """\
Private question answering over your own documents, wholly on this machine.

Every failure is a problem document (`application/problem+json`, RFC 9457) with a `hint`.
"""


def create_app(settings: Settings, runtime: Runtime | None = None) -> FastAPI:
    """The whole service. It closes `runtime`, too, when it ends. Raises ConfigError if unsafe."""
    require_safe(settings)
    # The guard stands before MCP, too, and does what its own check would.
    no_second_check = TransportSecuritySettings(enable_dns_rebinding_protection=False)
    mcp_server = make_server(
        lambda name: app.state.service.pipeline(name),
        lambda tell: app.state.service.answers.start(tell),
    )
    mcp_app = mcp_server.streamable_http_app(
        stateless_http=True, json_response=True, transport_security=no_second_check
    )

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        asyncio.get_running_loop().set_exception_handler(log_unhandled)
        with only_service(settings.home):
            sessions = await Sessions.open(settings.home, revealed(settings.service.sessions_url))
            await sessions.recover()
            state = State(settings, runtime or Runtime(settings), sessions)
            app.state.service = state
            state.resume_uploads()
            warming = asyncio.create_task(state.warm_up())
            async with mcp_server.session_manager.run():
                yield
            warming.cancel()
            await asyncio.gather(warming, return_exceptions=True)
            await state.close()

    # No docs pages: they load scripts from another host. The document itself is served.
    app = FastAPI(
        title="rag",
        description=_DESCRIPTION,
        version="0.1.0",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        responses={"default": {"description": "A problem", "content": _PROBLEM}},
    )
    problems.install(app)
    app.add_middleware(Guard, settings=settings)
    app.add_middleware(Measured)
    for module in _ROUTED:
        app.include_router(module.router)
    for route in mcp_app.routes:
        assert isinstance(route, Route)
        app.router.routes.append(Route(route.path, UntilGone(route.endpoint)))
    app.add_middleware(Logged)
    app.add_middleware(_Head)
    return app


_ROUTED = (
    query, upload_api, documents, jobs_api, sessions_api, running_api,
    collections_api, models_api, chat, embeddings, responses, operations, page,
)  # fmt: skip


class _Head:
    """HEAD is a GET of which the server sends no body (RFC 9110, 9.3.2)."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_head = scope["type"] == "http" and scope["method"] == "HEAD"
        await self.app({**scope, "method": "GET"} if is_head else scope, receive, send)


_PROBLEM = {
    "application/problem+json": {
        "schema": {
            "type": "object",
            "required": ["type", "title", "status", "detail"],
            "properties": {
                "type": {"type": "string"},
                "title": {"type": "string"},
                "status": {"type": "integer"},
                "detail": {"type": "string"},
                "hint": {"type": "string"},
            },
        }
    }
}
