"""One line of the log for each request, and the outermost edge: what nobody foresaw ends here."""

from __future__ import annotations

import logging
import re
import secrets
import time

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.logs import request_id
from service.problems import CLIENT_GONE, unexpected

HEADER = "X-Request-ID"
# Under this key of a request's scope stands who asks, once it is known: a key's name or an address.
CLIENT = "rag.client"
_GIVEN = re.compile(r"[A-Za-z0-9._-]{1,64}")
# Asked every few seconds, or by each page: told where they fail alone.
_QUIET = {"/health", "/ready", "/metrics", "/static/{name}"}
_log = logging.getLogger(__name__)


class Logged:
    """ASGI middleware. A request is named by its route, never by what a client wrote into it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = Headers(scope=scope).get(HEADER, "")
        id_ = given if _GIVEN.fullmatch(given) else secrets.token_hex(6)
        before = request_id.set(id_)
        started, status = time.perf_counter(), 0

        async def told(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[HEADER] = id_
            await send(message)

        try:
            await self.app(scope, receive, told)
        except ClientDisconnect:
            status = CLIENT_GONE
        except Exception as error:  # noqa: BLE001 - the outermost edge
            _log.error("unexpected %s", type(error).__name__, exc_info=error)
            if not status:
                await unexpected(scope)(scope, receive, told)
        finally:
            _tell(scope, status or CLIENT_GONE, time.perf_counter() - started)
            request_id.reset(before)


def _tell(scope: Scope, status: int, seconds: float) -> None:
    route = getattr(scope.get("route"), "path", "none")
    quiet = route in _QUIET and status < 500
    level = logging.DEBUG if quiet else logging.ERROR if status >= 500 else logging.INFO
    told = {
        "method": scope["method"],
        "route": route,
        "status": status,
        "duration_ms": round(1000 * seconds, 1),
        "client": scope.get(CLIENT, "-"),
    }
    words = "%(method)s %(route)s %(status)d %(duration_ms).0f ms %(client)s"
    _log.log(level, words, told, extra=told)
