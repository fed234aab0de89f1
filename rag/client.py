"""A running service as seen from another program: found by its note in `home`, asked over HTTP.

A command then starts at once and finds the models warm. The events are those of the pipeline.
"""

from __future__ import annotations

import json
import os
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rag import errors
from rag.config import Settings, revealed
from rag.disk import make_private
from rag.events import AnswerEvent, Delta, Done, MapProgress, Quoted, Retrieved, Thought
from rag.options import AskOptions, Scope, metadata_values
from rag.retrieval.document_lookup import Lookup
from rag.types import Answer, Citation, Document, Hit, Message

if TYPE_CHECKING:
    import httpx2
    from pydantic import TypeAdapter

    from rag.answering.conversation import Conversation

_NOTE = "service.json"
_FIND_S = 1.0  # to answer /health: a service on this machine takes milliseconds
_CONNECT_S = 5.0


def announce(home: Path, url: str) -> Path:
    """Leave a note in `home` that a service of this process answers at `url`. No key is in it."""
    make_private(home)
    note = home / _NOTE
    aside = note.with_suffix(f".{os.getpid()}")
    aside.write_text(json.dumps({"url": url, "pid": os.getpid()}))
    aside.replace(note)
    return note


def announced(home: Path) -> str | None:
    """The address of the service that says it runs on `home`, if its process lives."""
    note = _read_note(home)
    return str(note["url"]) if note else None


def withdraw(home: Path) -> None:
    """Take the note away, if it is this process's."""
    note = home / _NOTE
    with suppress(OSError, ValueError, KeyError):
        if json.loads(note.read_text())["pid"] == os.getpid():
            note.unlink()


class ServiceClient:
    """A Backend: a service. Make one with `running`, or `open` if you know its address."""

    def __init__(self, http: httpx2.AsyncClient, url: str, settings: Settings) -> None:
        self.url = url
        self._http = http
        self._settings = settings

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str, settings: Settings) -> AsyncIterator[ServiceClient]:
        """Uses the first of the settings' api_key. Nothing is sent before the first call."""
        import httpx2

        timeout = httpx2.Timeout(settings.request_timeout_s, connect=_CONNECT_S)
        headers = {"Authorization": f"Bearer {key}"} if (key := _key(settings)) else {}
        # Not by way of a proxy: the service is on this machine, or named by its address.
        async with httpx2.AsyncClient(
            base_url=url, headers=headers, timeout=timeout, trust_env=False
        ) as http:
            yield cls(http, url, settings)

    @classmethod
    @asynccontextmanager
    async def running(cls, settings: Settings) -> AsyncIterator[ServiceClient | None]:
        """The service that runs on this `home`; None if there is none, or it does not answer."""
        note = _read_note(settings.home)
        if note is None:
            yield None
            return
        async with cls.open(note["url"], settings) as client:
            yield client if await client._is(note["pid"]) else None

    async def _is(self, pid: int) -> bool:
        """Another program may have taken the port since."""
        import httpx2

        try:
            answer = await self._http.get("/health", timeout=_FIND_S)
            return bool(answer.status_code == 200 and answer.json()["pid"] == pid)
        except (httpx2.HTTPError, ValueError, KeyError, TypeError):
            return False

    async def ask(
        self,
        question: str,
        history: Sequence[Message] = (),
        *,
        scope: Scope | None = None,
        options: AskOptions | None = None,
        conversation: Conversation | None = None,
    ) -> AsyncGenerator[AnswerEvent]:
        """As Backend.ask; raises EngineUnreachable if the service goes away.

        A `conversation` is a session of the service, which begins with its first question.
        """
        from httpx2 import EventSource, HTTPError

        body = self._body(question, history, scope) | {"stream": True} | _options(options)
        if conversation is not None:
            body["session_id"] = await self._session(conversation)
        heard = "session_id" not in body
        try:
            async with self._http.stream("POST", "/query", json=body) as response:
                await _require_success(response)
                async for event in EventSource(response, max_event_size=None):
                    heard = heard or event.event in ("done", "error", "stopped")
                    yield _event(event.event, json.loads(event.data))
        except HTTPError as error:
            raise _unreachable(self.url, error) from error
        finally:
            if not heard:  # a session's answer runs on without a listener
                with suppress(HTTPError):
                    await self._http.post(f"/sessions/{body['session_id']}/stop")

    async def search(
        self,
        question: str,
        history: Sequence[Message] = (),
        *,
        k: int | None = None,
        scope: Scope | None = None,
    ) -> Retrieved:
        """As Backend.search. `documents` stays empty."""
        body = self._body(question, history, scope) | ({} if k is None else {"k": k})
        found = await self._json("POST", "/search", json=body)
        return replace(_retrieved(found), pages=scope.pages if scope else None)

    async def documents(self) -> list[Document]:
        """Raises IndexMissing."""
        found: list[Document] = []
        total = 1
        while len(found) < total:
            asked = {"collection": self._settings.collection, "limit": 1000, "offset": len(found)}
            page = await self._json("GET", "/documents", params=asked)
            if not page["documents"]:
                raise errors.IndexMissing(f"{self._settings.collection} holds no documents")
            found += [_adapter(Document).validate_python(row) for row in page["documents"]]
            total = page["total"]
        return found

    async def find(self, name: str) -> list[Document]:
        """As Backend.find."""
        return Lookup(await self.documents()).find(name)

    async def load(self, model: str | None) -> str:
        """As Backend.load. The service loads only models that it offers."""
        if model is not None:
            await self._json("POST", "/models", json={"model": model})
            return model
        known = await self._json("GET", "/models")
        return next(str(row["name"]) for row in known if row["default"])

    @asynccontextmanager
    async def loading(self, model: str | None) -> AsyncIterator[None]:  # noqa: ARG002
        """As Backend.loading: the service has its models loaded."""
        yield

    async def _session(self, conversation: Conversation) -> str:
        if conversation.session is None:
            asked = {"collection": self._settings.collection}
            conversation.session = (await self._json("POST", "/sessions", json=asked))["id"]
        return conversation.session

    async def _json(self, method: str, path: str, **request: Any) -> Any:
        from httpx2 import HTTPError

        try:
            response = await self._http.request(method, path, **request)
            await _require_success(response)
            return response.json()
        except HTTPError as error:
            raise _unreachable(self.url, error) from error

    def _body(
        self, question: str, history: Sequence[Message], scope: Scope | None
    ) -> dict[str, Any]:
        body: dict[str, Any] = {
            "question": question,
            "collection": self._settings.collection,
            "history": [{"role": turn.role, "content": turn.content} for turn in history],
            "k": self._settings.k,
        }
        if scope is not None and scope.documents:
            body["documents"] = list(scope.documents)
        if scope is not None and scope.pages:
            body["pages"] = asdict(scope.pages)
        if scope is not None:
            days = {"since": scope.since, "until": scope.until}
            body |= {name: day.isoformat() for name, day in days.items() if day is not None}
            body["metadata"] = metadata_values(scope.metadata)
        return body


def _read_note(home: Path) -> dict[str, Any] | None:
    try:
        note: dict[str, Any] = json.loads((home / _NOTE).read_text())
        os.kill(int(note["pid"]), 0)
        return note if str(note["url"]).startswith(("http://", "https://")) else None
    except PermissionError:  # alive, somebody else's
        return None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _key(settings: Settings) -> str:
    return revealed(settings.api_key).split(",")[0].rpartition(":")[2].strip()


def _options(options: AskOptions | None) -> dict[str, Any]:
    """The service names them as AskOptions does, but for what it has begun itself."""
    given = {} if options is None else asdict(options)
    return {n: value for n, value in given.items() if value not in (None, ()) and n != "begun"}


async def _require_success(response: httpx2.Response) -> None:
    if response.status_code >= 400:
        await response.aread()
        try:
            raise _error(response.json())
        except (ValueError, KeyError):
            raise errors.RagError(f"the service answered {response.status_code}") from None


def _event(name: str, data: Mapping[str, Any]) -> AnswerEvent:
    """Raises the error that an `error` event tells of."""
    if name == "retrieved":
        return _retrieved(data)
    if name == "quoted":
        return Quoted(
            data["text"], _adapter(tuple[Citation, ...]).validate_python(data["citations"])
        )
    if name == "map_progress":
        return MapProgress(**data)
    if name == "thought":
        return Thought(data["text"], data["restart"])
    if name == "delta":
        return Delta(data["text"])
    if name == "done":
        return Done(_adapter(Answer).validate_python(data))
    if name == "stopped":
        raise errors.AnswerStopped("the answer was stopped")
    raise _error(data)


def _retrieved(data: Mapping[str, Any]) -> Retrieved:
    hits = tuple(_adapter(Hit).validate_python(hit) for hit in data["hits"])
    return Retrieved(data["question"], data["search_text"], hits)


def _error(problem: Mapping[str, Any]) -> errors.RagError:
    """The error that a problem document tells of, by the name of its class."""
    name = "".join(part.title() for part in str(problem["code"]).split("_"))
    kind = getattr(errors, name, errors.RagError)
    known = isinstance(kind, type) and issubclass(kind, errors.RagError)
    error: errors.RagError = (kind if known else errors.RagError)(
        str(problem["detail"]), hint=str(problem.get("hint", ""))
    )
    return error


def _unreachable(url: str, error: Exception) -> errors.EngineUnreachable:
    return errors.EngineUnreachable(
        f"the service at {url} went away ({type(error).__name__})",
        hint="Start it again with rag serve, or pass --local.",
    )


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    from pydantic import TypeAdapter

    return TypeAdapter(kind)
