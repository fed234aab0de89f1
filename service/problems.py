"""Errors as HTTP: a status for each of ours, and problem documents (RFC 9457) for all of them."""

from __future__ import annotations

import http
import logging
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import Scope

from rag import errors
from rag.types import Failure

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 2

# The nearest class in an error's ancestry counts.
STATUS: Mapping[type[errors.RagError], int] = {
    errors.RagError: 500,
    errors.ConfigError: 500,
    errors.ModelError: 503,
    errors.ModelNotFound: 404,
    errors.ModelLoadFailed: 503,
    errors.ExtractionError: 422,
    errors.UnsupportedFile: 415,
    errors.LimitExceeded: 413,
    errors.StoreError: 500,
    errors.IndexMissing: 404,
    errors.IndexPending: 409,
    errors.IndexMismatch: 409,
    errors.IndexLocked: 423,
    errors.StorageFull: 507,
    errors.DocumentNotFound: 404,
    errors.EmbeddingError: 500,
    errors.EngineError: 502,
    errors.EngineBusy: 429,
    errors.EngineTimeout: 504,
    errors.PromptTooLong: 422,
    errors.ServiceRunning: 409,
    errors.PathNotFound: 404,
    errors.PageNotFound: 404,
    errors.SessionBusy: 409,
    errors.SessionNotFound: 404,
    errors.InvalidQuestion: 422,
    errors.InvalidName: 422,
}
# What a hint for a terminal becomes for whoever talks HTTP.
_HINTS: Mapping[type[errors.RagError], str] = {
    errors.IndexPending: 'Ask again once they are read, or with "wait": true.',
    errors.IndexMissing: "Upload documents first: POST /documents.",
    errors.DocumentNotFound: "GET /documents lists what there is.",
    errors.PageNotFound: "Ask for one that the document has.",
    errors.StorageFull: "Free some space on the service's disk, then send this again.",
    errors.EncryptedFile: "Remove the password, or ingest the file with: rag ingest --password.",
}
# What a proxy in front writes into its log for a client that did not wait.
CLIENT_GONE = 499
# The framework's words of routes, as ours and with a hint.
_FRAMEWORKS: Mapping[str, tuple[str, str]] = {
    "Not Found": ("nothing is at this address", "/docs lists what there is."),
    "Method Not Allowed": ("this address does not take that method", "/docs lists those it takes."),
}
_TITLES = {CLIENT_GONE: "Client Closed Request"}
_log = logging.getLogger(__name__)


class Refused(HTTPException):
    """A request that is turned away before it reaches the pipeline. `param`: the parameter that
    is at fault, for OpenAI's clients."""

    code = ""
    param: str | None = None

    def __init__(self, status: int, detail: str, hint: str = "", **headers: str) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        super().__init__(status, detail, named)
        self.hint = hint


def status_of(error: errors.RagError) -> int:
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def problem(
    status: int, detail: str, *, code: str = "", hint: str = "", **more: Any
) -> dict[str, Any]:
    """The members of a problem document."""
    title = _TITLES.get(status) or http.HTTPStatus(status).phrase
    kind = code or title.lower().replace(" ", "_")
    return {
        "type": f"urn:rag:problem:{kind}",
        "title": title,
        "status": status,
        "detail": detail,
        "hint": hint,
        "code": kind,
        **more,
    }


def problem_of(error: errors.RagError) -> dict[str, Any]:
    """A problem document for an error of ours, named after its class."""
    hint = _hint(type(error), error.hint)
    return problem(status_of(error), str(error), code=_snake(type(error).__name__), hint=hint)


def problem_of_file(failure: Failure) -> dict[str, Any]:
    """A problem document for a file that an ingest could not read."""
    kinds = {kind.kind: kind for kind in errors.ExtractionError.__subclasses__()}
    hint = _hint(kinds.get(failure.kind, errors.ExtractionError), failure.hint)
    return problem(422, failure.reason, code=failure.kind, hint=hint)


def _hint(error: type[errors.RagError], default: str) -> str:
    return next((_HINTS[kind] for kind in error.__mro__ if kind in _HINTS), default)


def in_openais_form(body: Mapping[str, Any], param: str | None = None) -> dict[str, Any]:
    """A problem document that says it as OpenAI's clients expect, too."""
    status: int = body["status"]
    kind = _OPENAIS_KINDS.get(status, "server_error" if status >= 500 else "invalid_request_error")
    message = f"{body['detail']}. {body['hint']}" if body["hint"] else body["detail"]
    error = {"message": message, "type": kind, "code": body["code"], "param": param}
    return {**body, "error": error}


_OPENAIS_KINDS = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
}


def response(
    scope: Scope,
    body: Mapping[str, Any],
    headers: Mapping[str, str] | None = None,
    param: str | None = None,
) -> JSONResponse:
    """A problem document; on OpenAI's routes in their clients' form, too."""
    if str(scope["path"]).removeprefix(scope.get("root_path", "")).startswith("/v1/"):
        body = in_openais_form(body, param)
    extra = dict(headers or {})
    if body["status"] in (423, 429):
        extra.setdefault("Retry-After", str(RETRY_AFTER_S))
    return JSONResponse(body, body["status"], extra, MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Make every failure of the app a problem document."""
    app.add_exception_handler(errors.RagError, _rag_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _invalid)


async def _rag_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, errors.RagError)
    body = problem_of(error)
    if body["status"] >= 500:
        _log.error("%s: %s", type(error).__name__, error)
    return response(request.scope, body)


async def _http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return told(error, request.scope)


def told(error: HTTPException, scope: Scope) -> JSONResponse:
    """A refusal, ours or the framework's, as a response."""
    hint, code = getattr(error, "hint", ""), getattr(error, "code", "")
    if isinstance(error.detail, str) and error.detail in _FRAMEWORKS:  # said of a route
        error.detail, hint = _FRAMEWORKS[error.detail]
    body = problem(error.status_code, str(error.detail), code=code, hint=hint)
    return response(scope, body, error.headers, getattr(error, "param", None))


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    faults = [
        {"at": ".".join(str(part) for part in fault["loc"]), "problem": fault["msg"]}
        for fault in error.errors()
    ]
    detail = "; ".join(f"{fault['at']}: {fault['problem']}" for fault in faults)
    param = ".".join(str(part) for part in error.errors()[0]["loc"][1:])
    body = problem(422, detail, code="invalid_request", errors=faults)
    return response(request.scope, body, param=param or None)


def unexpected(scope: Scope) -> JSONResponse:
    """What nobody foresaw, told without its details."""
    hint = "This is a fault in the service; its log says more."
    body = problem(500, "something went wrong inside the service", hint=hint)
    return response(scope, body)


def _snake(name: str) -> str:
    return "".join(f"_{char.lower()}" if char.isupper() else char for char in name).lstrip("_")
