"""What endpoints are given."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Query, Request

from rag.config import COLLECTION_NAME
from service.state import State


def _state(request: Request) -> State:
    state: State = request.app.state.service
    return state


Service = Annotated[State, Depends(_state)]
CollectionName = Annotated[
    str | None,
    Query(pattern=COLLECTION_NAME, description="default: the service's setting"),
]
