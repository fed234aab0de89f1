"""Chat models: list, load, unload, and choose the default, while answers run."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response
from pydantic import BaseModel

from rag.errors import ModelNotFound
from service.deps import Service
from service.schemas import ModelIn
from service.state import State

router = APIRouter(prefix="/models", tags=["models"])


class ModelOut(BaseModel):
    """`size` is in bytes, where known; `answering` counts answers under way."""

    name: str
    loaded: bool
    default: bool
    answering: int
    size: int | None


@router.get("", summary="List chat models: in memory, or on this machine")
async def models(state: Service) -> list[ModelOut]:
    loaded = {model.name: model for model in state.runtime.engines.loaded()}
    out = [
        ModelOut(
            name=model.name,
            loaded=True,
            default=model.default,
            answering=model.answering,
            size=model.size or None,
        )
        for model in loaded.values()
    ]
    default_waits = not any(model.default for model in loaded.values())
    for name, size in (await available(state)).items():
        if name not in loaded:
            default = default_waits and name == await default_name(state)
            out.append(ModelOut(name=name, loaded=False, default=default, answering=0, size=size))
    return out


@router.post("", summary="Load a model, or make it the default one")
async def load(body: ModelIn, state: Service) -> list[ModelOut]:
    """Answers under way finish on the model that they began with."""
    await require_known(state, body.model)
    await state.runtime.engines.load(body.model, default=body.default)
    return await models(state)


@router.delete("/{name:path}", status_code=204, summary="Unload a model")
async def unload(name: str, state: Service) -> Response:
    """It takes no new answers; its memory is free when those under way are done."""
    await state.runtime.engines.unload(name)
    return Response(status_code=204)


async def available(state: State) -> dict[str, int | None]:
    """Models that clients may use, with their sizes. Nothing is downloaded on a client's word."""
    from rag.models.listing import list_models

    settings = state.settings
    names: dict[str, int | None] = {await default_name(state): None}
    names.update(dict.fromkeys(settings.service.models))
    if settings.engine_url is None:
        rows = await state.runtime.thread.run(list_models, settings)
        here = [row for row in rows if row.role == "chat" and row.state != "missing"]
        names.update({row.name: row.size for row in here})
    return names


async def default_name(state: State) -> str:
    from rag.models.registry import chat_choice

    engines = state.runtime.engines
    if state.settings.engine_url is not None or engines.default_name != "auto":
        return engines.default_name
    return (await state.runtime.thread.run(chat_choice, state.settings))[0]


async def require_known(state: State, name: str | None) -> None:
    """Raises ModelNotFound unless clients may use it: a name could be any folder's."""
    loaded = {model.name for model in state.runtime.engines.loaded()}
    if name is not None and name not in loaded and name not in await available(state):
        raise ModelNotFound(f"no model {name[:80]!r} here", hint="GET /models lists them.")
