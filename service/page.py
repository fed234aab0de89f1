"""The chat page: files of our own, as they are, and the style of highlighted code."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import PurePath
from typing import Annotated

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from rag.config import revealed
from service import code_blocks
from service.deps import Service
from service.problems import Refused
from service.security import COOKIE, COOKIE_DAYS, find_key, make_cookie, parse_keys

router = APIRouter(include_in_schema=False)
_WEB = files("service").joinpath("web")
_TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}


class Login(BaseModel):
    key: Annotated[str, Field(max_length=500)]


@router.get("/")
async def page() -> Response:
    return _file("index.html", "text/html; charset=utf-8")


@router.get("/static/{name}")
async def static(name: str) -> Response:
    if name == "code.css":
        return Response(_code_style(), media_type="text/css", headers=_CACHED)
    suffix = PurePath(name).suffix
    if suffix not in _TYPES or name not in _names():
        raise Refused(404, "no such file")
    return _file(name, _TYPES[suffix])


@router.post("/login", status_code=204)
async def login(body: Login, request: Request, state: Service) -> Response:
    """Trade a key for a cookie, which images and downloads send by themselves."""
    key = find_key(parse_keys(revealed(state.settings.api_key)), body.key)
    if key is None:
        raise Refused(401, "this is not a key of the service")
    response = Response(status_code=204)
    response.set_cookie(
        COOKIE,
        make_cookie(key),
        max_age=COOKIE_DAYS * 86_400,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return response


# Browsers ask again each time: a page must not run the scripts of an earlier version.
_CACHED = {"Cache-Control": "no-cache"}


def _file(name: str, media_type: str) -> Response:
    return Response(_content(name), media_type=media_type, headers=_CACHED)


@cache
def _names() -> frozenset[str]:
    return frozenset(entry.name for entry in _WEB.iterdir())


@cache
def _content(name: str) -> bytes:
    return _WEB.joinpath(name).read_bytes()


@cache
def _code_style() -> str:
    return code_blocks.stylesheet()
