"""The fakes keep the contracts of what they stand for."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.embedders.base import Embedder
from rag.engines.base import Engine
from rag.errors import PromptTooLong
from rag.testing import FakeEmbedder, FakeEngine
from rag.types import Finish, Message, Piece

ASKED = [Message("system", "Be brief."), Message("user", "one two  three\n")]


async def heard(engine: Engine, max_tokens: int = 100) -> list[Piece]:
    return [piece async for piece in engine.stream(ASKED, max_tokens=max_tokens, temperature=0)]


async def test_words_in_common_make_texts_near() -> None:
    embedder: Embedder = FakeEmbedder()
    cats, dogs, engines = await embedder.embed_documents(
        ["cats purr at night", "dogs bark at night", "turbine maintenance schedule"]
    )
    query = await embedder.embed_query("why cats purr")
    assert query @ cats > query @ dogs
    assert cats @ dogs > cats @ engines


@given(texts=st.lists(st.text(max_size=40), max_size=6))
def test_vectors_are_unit_and_repeatable(texts: list[str]) -> None:
    first, again = (asyncio.run(FakeEmbedder().embed_documents(texts)) for _ in range(2))
    assert first.shape == (len(texts), 64)
    assert first.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(first, axis=1), 1, atol=1e-5)
    assert first.tobytes() == again.tobytes()


async def test_calls_are_counted() -> None:
    embedder = FakeEmbedder()
    await embedder.embed_documents(["a", "b"])
    await embedder.embed_query("a")
    assert (embedder.calls, embedder.embedded) == (2, 2)


async def test_echo_word_by_word() -> None:
    engine = FakeEngine()
    *words, last = await heard(engine)
    assert [piece.text for piece in words] == ["one", " two", "  three", "\n"]
    assert last == Piece("", Finish("stop", 5, 0, 4))
    assert engine.calls == [tuple(ASKED)]


async def test_a_script_goes_round() -> None:
    engine = FakeEngine(["yes", "no"])
    answers = ["".join(piece.text for piece in await heard(engine)) for _ in range(3)]
    assert answers == ["yes", "no", "yes"]


async def test_a_function_sees_the_messages() -> None:
    engine = FakeEngine(lambda messages: messages[0].content)
    assert "".join(piece.text for piece in await heard(engine)) == "Be brief."


async def test_the_limit_on_tokens() -> None:
    *words, last = await heard(FakeEngine("a b c d"), max_tokens=2)
    assert [piece.text for piece in words] == ["a", " b"]
    assert last.finish is not None
    assert last.finish.reason == "length"


async def test_closing_stops_it() -> None:
    engine = FakeEngine("a b c", delay_s=0.001)
    stream = engine.stream(ASKED, max_tokens=9, temperature=0)
    assert (await anext(stream)).text == "a"
    assert engine.active == 1
    await stream.aclose()
    assert (engine.active, engine.closed) == (0, 1)


async def test_a_prompt_that_does_not_fit() -> None:
    with pytest.raises(PromptTooLong):
        await heard(FakeEngine(context_tokens=20))
