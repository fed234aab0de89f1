"""The service's log, plain or as JSON, written by a thread of its own.

What is never in it: questions, answers, keys, query strings, and the words of an error that nobody
foresaw, which may quote any of these. Of such an error stand there its type and the places that it
came through.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from logging.handlers import QueueHandler, QueueListener
from types import TracebackType
from typing import Any, Literal

from pythonjsonlogger.json import JsonFormatter

LogFormat = Literal["plain", "json"]
request_id: ContextVar[str] = ContextVar("request_id", default="-")
_OURS = ("rag", "service")
# Lines that may wait while the terminal stands still; then they are dropped, not the service.
_WAITING = 10_000
_CHAIN = 4  # errors that an error came of
_ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
_log = logging.getLogger(__name__)


@contextmanager
def written(kind: LogFormat) -> Iterator[None]:
    """Everything that is logged in this process goes to stderr, in our words, until the end."""
    records: queue.Queue[logging.LogRecord] = queue.Queue(_WAITING)
    target = logging.StreamHandler(sys.stderr)
    target.setFormatter(_Json() if kind == "json" else _Plain())
    listener = QueueListener(records, target)
    root = logging.getLogger()
    before, root.handlers = root.handlers, [_Handing(records)]
    for name in _OURS:
        logging.getLogger(name).setLevel(logging.INFO)
    listener.start()
    try:
        yield
    finally:
        root.handlers = before
        listener.stop()


class _Handing(QueueHandler):
    """Hands a record over as it is. Formatting one, with a trace at worst, is no work for the
    event loop."""

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        record.request_id = request_id.get()
        return record

    def enqueue(self, record: logging.LogRecord) -> None:
        with suppress(queue.Full):
            self.queue.put_nowait(record)


class _Plain(logging.Formatter):
    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(request_id)s %(message)s", "%H:%M:%S")

    def formatException(self, ei: _ExcInfo) -> str:  # noqa: N802 - the library's name
        return _trace(ei[1])


class _Json(JsonFormatter):
    def __init__(self) -> None:
        names = "%(asctime)s %(levelname)s %(name)s %(message)s %(request_id)s"
        renamed = {"asctime": "time", "levelname": "level", "name": "logger"}
        super().__init__(names, "%Y-%m-%dT%H:%M:%S%z", rename_fields=renamed)

    def formatException(self, ei: _ExcInfo) -> str:  # noqa: N802 - the library's name
        return _trace(ei[1])


def _trace(error: BaseException | None) -> str:
    """The types of an error and of those that it came of, each with its places."""
    parts: list[str] = []
    while error is not None and len(parts) < _CHAIN:
        parts.append(type(error).__qualname__)
        parts[-1] += "\n" + "".join(traceback.format_tb(error.__traceback__)).rstrip()
        if isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        else:
            error = error.__cause__ or error.__context__
    return "\nthat came of\n".join(parts)


def log_unhandled(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """An event loop's exception handler. asyncio's own writes the error's words out."""
    error = context.get("exception")
    kind = type(error).__name__ if error is not None else ""
    _log.error("unhandled: %s %s", context.get("message", ""), kind, exc_info=error)
