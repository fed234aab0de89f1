"""Events as server-sent events."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Any

from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

# A comment this often keeps proxies from closing a stream that waits for its turn.
PING_S = 15.0
PING = b": still here\n\n"
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


def event(name: str, data: Mapping[str, Any]) -> bytes:
    """One event. JSON keeps line breaks inside strings, so `data` is always one line."""
    return f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n".encode()


def data(document: Mapping[str, Any]) -> bytes:
    """An event without a name, as OpenAI sends them."""
    return f"data: {json.dumps(document, ensure_ascii=False)}\n\n".encode()


class Stream(StreamingResponse):
    """A response of events. `at_end` is called however it ends: at the last event, when the client
    goes away, and also when it was gone before the first."""

    media_type = "text/event-stream"

    def __init__(
        self, events: AsyncGenerator[bytes], at_end: Callable[[], None] | None = None
    ) -> None:
        super().__init__(events, headers=HEADERS)
        self._at_end = at_end

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            if self._at_end is not None:
                self._at_end()
