"""The bundled models behind the service; and models swapped while answers run."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx2
import pytest

from rag.config import Settings
from rag.engines.pool import Engines
from rag.errors import EngineBusy, ModelLoadFailed, ModelNotFound
from rag.models import registry
from rag.testing import FakeEngine
from tests.service_server import LEASE, events, pdf, running, service_settings, upload


def test_the_bundled_models_answer_end_to_end(tmp_path: Path, shared_cache: Path) -> None:
    settings = service_settings(
        tmp_path, shared_cache, k=1, max_tokens=12, chat_model=registry.BUNDLED_CHAT
    )
    with running(settings) as url, httpx2.Client(base_url=url, timeout=250) as client:
        upload(client, ("lease.pdf", pdf(LEASE, "Lease")))
        told = events(client, {"question": "How high is the deposit?"})
        assert [told[0][0], told[-1][0]] == ["retrieved", "done"], told[-1]
        answer = told[-1][1]
        assert answer["text"]
        assert answer["model"] == "SmolLM2-135M-Instruct"
        [model] = [row for row in client.get("/models").json() if row["default"]]
        assert model["loaded"]


class _Engine(FakeEngine):
    open = True

    async def close(self) -> None:
        self.open = False


@pytest.fixture
def opened() -> dict[str, _Engine]:
    return {}


@pytest.fixture
def engines(opened: dict[str, _Engine]) -> Engines:
    """Models of 40 bytes each, 100 bytes to hold them."""

    async def open_engine(settings: Settings) -> _Engine:
        await asyncio.sleep(0)
        name = settings.chat_model
        if name == "missing":
            raise ModelNotFound("no such model")
        opened[name] = _Engine("one two three", model=name)
        return opened[name]

    async def measure(settings: Settings) -> int:
        return 400 if settings.chat_model == "huge" else 40

    return Engines(Settings(chat_model="first"), open_engine, measure, budget=100)


async def test_an_answer_finishes_on_the_model_that_began_it(
    engines: Engines, opened: dict[str, _Engine]
) -> None:
    async with engines.lease() as engine:
        await engines.load("second", default=True)
        await engines.unload("first")
        assert opened["first"].open
        pieces = [piece.text async for piece in engine.stream([], max_tokens=9, temperature=0)]
        assert "".join(pieces) == "one two three"
        async with engines.lease() as newer:
            assert newer.model == "second"
    assert not opened["first"].open
    assert [model.name for model in engines.loaded()] == ["second"]


async def test_the_model_longest_unused_makes_room(
    engines: Engines, opened: dict[str, _Engine]
) -> None:
    for name in ("first", "second", "first", "third"):
        async with engines.lease(name):
            pass
    assert {model.name for model in engines.loaded()} == {"first", "third"}
    assert not opened["second"].open


async def test_no_room_while_all_models_answer(engines: Engines) -> None:
    async with engines.lease("first"), engines.lease("second"):
        with pytest.raises(EngineBusy):
            await engines.load("third")
    with pytest.raises(ModelLoadFailed):
        await engines.load("huge")


async def test_a_model_that_only_finishes_its_answers_still_takes_its_room(
    engines: Engines, opened: dict[str, _Engine]
) -> None:
    async with engines.lease("second"):
        async with engines.lease("first"):
            await engines.unload("first")
            with pytest.raises(EngineBusy):
                await engines.load("third")
        await engines.load("third")
    assert not opened["first"].open


async def test_many_who_want_a_model_load_it_once(
    engines: Engines, opened: dict[str, _Engine]
) -> None:
    async def use() -> int:
        async with engines.lease("second") as engine:
            return id(engine)

    users = [asyncio.create_task(use()) for _ in range(5)]
    await asyncio.sleep(0)
    users[0].cancel()  # one goes away while it loads
    used = await asyncio.gather(*users, return_exceptions=True)
    assert isinstance(used[0], asyncio.CancelledError)
    assert len(set(used[1:])) == 1


async def test_a_model_that_fails_to_load_can_be_tried_again(engines: Engines) -> None:
    for _ in range(2):
        with pytest.raises(ModelNotFound):
            await engines.load("missing")
    with pytest.raises(ModelNotFound):
        await engines.unload("missing")
    await engines.close()
    assert engines.loaded() == []
