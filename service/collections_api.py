"""Collections: sets of documents that do not know of each other."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter
from fastapi.responses import Response
from pydantic import BaseModel

from rag.disk import make_private
from rag.errors import IndexMissing
from service.deps import Service
from service.problems import Refused
from service.schemas import Collection, CollectionIn
from service.state import State

router = APIRouter(prefix="/collections", tags=["collections"])


class CollectionOut(BaseModel):
    name: str
    documents: int
    pages: int
    chunks: int
    default: bool


@router.get("", summary="List collections")
async def collections(state: Service) -> list[CollectionOut]:
    return [await _out(state, name) for name in state.collections()]


@router.post("", status_code=201, summary="Make a collection")
async def create(body: CollectionIn, state: Service) -> CollectionOut:
    folder = state.collection_settings(body.name).collection_dir
    await asyncio.to_thread(make_private, folder)
    return await _out(state, body.name)


@router.delete("/{name}", status_code=204, summary="Delete a collection with its uploads")
async def delete(name: Collection, state: Service) -> Response:
    if not state.collection_settings(name).collection_dir.is_dir():
        raise Refused(404, f"no collection {name!r}")
    await state.delete_collection(name)
    return Response(status_code=204)


async def _out(state: State, name: str) -> CollectionOut:
    try:
        documents = list((await state.pipeline(name).snapshot()).by_id.values())
    except IndexMissing:
        documents = []
    return CollectionOut(
        name=name,
        documents=len(documents),
        pages=sum(document.pages for document in documents),
        chunks=sum(document.chunks for document in documents),
        default=name == state.settings.collection,
    )
