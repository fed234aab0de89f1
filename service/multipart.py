"""The files of a form as they arrive: no copy of them is made on the way to their place."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, field

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request

from service.problems import Refused

FILES = 200
_FIELDS = 20
_HEADER_BYTES = 8192  # of one part


@dataclass(slots=True)
class _Part:
    """A part whose headers are read. `filename` is None for a field that is no file."""

    filename: str | None


@dataclass(slots=True)
class _Events:
    """What the parser has found and nobody has taken yet: a part, its bytes, its end (None)."""

    found: deque[_Part | bytes | None] = field(default_factory=deque)
    parts: int = 0
    fields: int = 0
    _name: bytes = b""
    _value: bytes = b""
    _disposition: bytes = b""
    _size: int = 0

    def on_part_begin(self) -> None:
        self._name = self._value = self._disposition = b""
        self._size = 0

    def on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._name += self._counted(data[start:end])

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += self._counted(data[start:end])

    def on_header_end(self) -> None:
        if self._name.lower() == b"content-disposition":
            self._disposition = self._value
        self._name = self._value = b""

    def on_headers_finished(self) -> None:
        _, options = parse_options_header(self._disposition)
        name = options.get(b"filename")
        self.parts += name is not None
        self.fields += name is None
        if self.parts > FILES or self.fields > _FIELDS:
            raise Refused(400, f"more than {FILES} files in one form", "Send them in parts.")
        self.found.append(_Part(None if name is None else name.decode("utf-8", "replace")))

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        self.found.append(data[start:end])

    def on_part_end(self) -> None:
        self.found.append(None)

    def _counted(self, data: bytes) -> bytes:
        self._size += len(data)
        if self._size > _HEADER_BYTES:
            raise Refused(400, "a part of the form has too many headers")
        return data


class Form:
    """A request whose body is a form."""

    def __init__(self, request: Request) -> None:
        self._events = _Events()
        self._body = request.stream()
        _, options = parse_options_header(request.headers.get("content-type", ""))
        boundary = options.get(b"boundary", b"")
        if not boundary:
            raise Refused(400, "the form does not name its boundary")
        events = {name: getattr(self._events, name) for name in dir(_Events) if name[:3] == "on_"}
        self._parser = MultipartParser(boundary, events)  # type: ignore[arg-type]

    async def files(self) -> AsyncGenerator[tuple[str, AsyncIterator[bytes]]]:
        """Each with its name and its bytes, which are to be read before the next is asked for.

        Raises ClientDisconnect, and Refused for what is no form.
        """
        async for event in self._told():
            if isinstance(event, _Part) and event.filename is not None:
                yield event.filename, self._pieces()

    async def _pieces(self) -> AsyncIterator[bytes]:
        async for event in self._told():
            if not isinstance(event, bytes):
                return
            yield event
        raise Refused(400, "the form ends in the middle of a file")

    async def _told(self) -> AsyncIterator[_Part | bytes | None]:
        found = self._events.found
        while True:
            while found:
                yield found.popleft()
            try:
                chunk = await anext(self._body, b"")
                if not chunk:
                    self._parser.finalize()
                    return
                self._parser.write(chunk)
            except FormParserError as error:
                raise Refused(400, "the body is no form as its header says") from error
