"""The service run by uvicorn: found by other commands, and ended gracefully."""

from __future__ import annotations

import asyncio
import math
import socket
from collections.abc import Callable
from typing import Any

import uvicorn
from fastapi import FastAPI

from rag import client
from rag.config import Settings, revealed
from rag.errors import ConfigError
from rag.runtime import Runtime
from rag.sessions.store import Sessions
from service import logs
from service.app import create_app
from service.home import only_service
from service.security import require_safe

_KEEP_ALIVE_S = 30
# Answers that the end of the service stops say so to their clients.
_TELL_S = 2


class Server(uvicorn.Server):
    """Tells where it listens once it does; ends streams that would go on for ever first."""

    def __init__(self, app: FastAPI, settings: Settings, tell: Callable[[str], None]) -> None:
        service = settings.service
        super().__init__(
            uvicorn.Config(
                app,
                log_config=None,
                log_level="warning",
                access_log=False,
                server_header=False,
                timeout_keep_alive=_KEEP_ALIVE_S,
                timeout_graceful_shutdown=math.ceil(service.shutdown_s) + _TELL_S,
            )
        )
        self._app, self._settings, self._tell = app, settings, tell

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if sockets and not self.should_exit:
            url = _url(sockets[0])
            client.announce(self._settings.home, url)
            self._tell(url)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        client.withdraw(self._settings.home)
        state = getattr(self._app.state, "service", None)
        if state is None:
            await super().shutdown(sockets)
            return
        state.jobs.stop_watching()
        draining = state.answers.drain(self._settings.service.shutdown_s)
        await asyncio.gather(draining, super().shutdown(sockets))


async def _require_sessions(settings: Settings) -> None:
    """Raises ConfigError, StorageFull."""
    await (await Sessions.open(settings.home, revealed(settings.service.sessions_url))).close()


def serve(
    settings: Settings, tell: Callable[[str], None], *, runtime: Runtime | None = None
) -> None:
    """Serve until interrupted; `tell` is given the address. Raises ConfigError, ServiceRunning."""
    require_safe(settings)
    # Inside uvicorn's startup either would end as a trace.
    with only_service(settings.home):
        asyncio.run(_require_sessions(settings))
    with logs.written(settings.service.log):
        app = create_app(settings, runtime)
        asyncio.run(Server(app, settings, tell).serve([listen(settings)]))


def listen(settings: Settings) -> socket.socket:
    """A bound socket. Raises ConfigError where that cannot be."""
    host, port = settings.service.host, settings.service.port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol named: asyncio turns Nagle's delay (40 ms an event) off only then.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise ConfigError(
            f"cannot listen on {host}:{port} ({error.strerror})",
            hint="Choose another --port; 0 takes a free one.",
        ) from error
    return bound


def _url(bound: socket.socket) -> str:
    address: Any = bound.getsockname()
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address[0], address[0])
    return f"http://[{host}]:{address[1]}" if ":" in host else f"http://{host}:{address[1]}"
