"""The families that people run, as tiny random models: each opens, answers, stops, keeps thoughts
apart, and answers the same with the prefix cache, without it, beside others and beside embedding.

`uv run pytest -m matrix tests/test_families.py` runs the families that are not CHOSEN, too.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
import tiny_models
from tiny_models import CHOSEN, FAMILIES

from rag.compute.mlx_runtime import MLXThread
from rag.config import Settings
from rag.embedders.factory import open_model
from rag.engines.vllm_mlx import VLLMMLXEngine
from rag.engines.vllm_mlx_loading import Limits
from rag.errors import ThoughtsCutOff
from rag.types import Finish, Message, Piece

pytestmark = pytest.mark.asyncio(loop_scope="module")

PASSAGES = "The lease runs for two years, and the deposit is two rents. " * 8
LONGEST = 16
# What a model of each kind writes before its answer.
THOUGHTS = {
    "gpt-oss": (
        "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final<|message|>"
    ),
    "deepseek-r1-distill": "Hm.\n</think>\n\n",
    "qwen3-2507-thinking": "Hm.\n</think>\n\n",
}


class Prompted(VLLMMLXEngine):
    """An engine whose model is made to begin with certain tokens; then it goes on by itself."""

    script: Sequence[int] | None = None

    def say(self, text: str, *, end: bool = False) -> None:
        ids = self._template.tokenizer.encode(text, add_special_tokens=False)
        self.script = [*ids, *([self._template.tokenizer.eos_token_id] if end else [])]

    def _params(self, max_tokens: int, processors: list[Any]) -> Any:
        if self.script is None:
            return super()._params(max_tokens, processors)
        added = list(self._template.tokenizer.added_tokens_decoder)
        return super()._params(max_tokens, [_Forced(self.script, added), *processors])

    def forget(self) -> None:
        """Empty the prefix cache, but not what was said."""
        self._core.scheduler.memory_aware_cache.clear()


class _Forced:
    """Then it writes bytes alone: a random model would begin to think anywhere."""

    def __init__(self, script: Sequence[int], added: list[int]) -> None:
        self._left = list(script)
        self._added = added

    def __call__(self, _: Any, logits: Any) -> Any:
        import mlx.core as mx

        tokens = mx.arange(logits.shape[-1])
        if self._left:
            return mx.where(tokens == self._left.pop(0), logits, -mx.inf)
        return mx.where(tokens < min(self._added), logits, -mx.inf)


def params() -> list[Any]:
    others = [name for name in FAMILIES if name not in CHOSEN]
    return [*CHOSEN, *(pytest.param(name, marks=pytest.mark.matrix) for name in others)]


@pytest.fixture(scope="module", params=params())
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def folder(name: str, tmp_path_factory: pytest.TempPathFactory, mlx_thread: MLXThread) -> Path:
    made = tmp_path_factory.mktemp("families") / name
    return mlx_thread.executor.submit(tiny_models.write_model, made, name).result()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(name: str, folder: Path, mlx_thread: MLXThread) -> AsyncIterator[Prompted]:
    settings = Settings(chat_model=str(folder), thinking_tokens=96)
    limits = Limits(concurrency=4, prefill_tokens=128, prefill_prompts=1)
    engine = await Prompted.open(settings, mlx_thread, limits=limits)
    assert isinstance(engine, Prompted)
    engine.say(THOUGHTS.get(name, ""))
    yield engine
    await engine.close()


async def heard(engine: Prompted, messages: list[Message]) -> list[Piece]:
    stream = engine.stream(messages, max_tokens=LONGEST, temperature=0)
    return [piece async for piece in stream]


async def said(engine: Prompted, messages: list[Message]) -> tuple[str, Finish]:
    pieces = await heard(engine, messages)
    assert pieces[-1].finish is not None
    return "".join(piece.text for piece in pieces), pieces[-1].finish


def asked(question: str) -> list[Message]:
    return [Message("system", "Be brief."), Message("user", f"{PASSAGES}\n{question}")]


async def fresh(engine: Prompted, messages: list[Message]) -> str:
    """The answer without anything cached, to the same ids."""
    await engine._thread.run(engine.forget)
    text, finish = await said(engine, messages)
    assert finish.cached_tokens == 0
    return text


async def test_an_answer_ends_at_the_familys_end_and_has_no_marker(
    engine: Prompted, name: str
) -> None:
    engine.say(THOUGHTS.get(name, "") + "Two years.", end=True)
    pieces = await heard(engine, asked("How long?"))
    engine.say(THOUGHTS.get(name, ""))
    assert "".join(piece.text for piece in pieces) == "Two years."
    assert "".join(piece.thought for piece in pieces).strip() == ("Hm." if name in THOUGHTS else "")
    assert not any(piece.restart for piece in pieces)
    assert pieces[-1].finish is not None
    assert pieces[-1].finish.reason == "stop"
    assert pieces[-1].finish.prompt_tokens == engine.count_tokens(asked("How long?"))


async def test_follow_ups_are_cached_and_answered_as_if_they_were_not(
    engine: Prompted, name: str
) -> None:
    """At least 80% of the prompt from turn 2 on, whatever the family's cache is like; and where a
    message brings new passages, all that was there before."""
    await engine._thread.run(engine.forget)
    messages, told = asked("How long is it?"), list[Finish]()
    answers, prompts = list[str](), list[list[Message]]()
    for question in ("And the deposit?", f"{PASSAGES}\nWhy?", f"{PASSAGES}\nWho?", "When?", ""):
        text, finish = await said(engine, messages)
        answers.append(text)
        prompts.append(messages)
        told.append(finish)
        messages = [*messages, Message("assistant", text), Message("user", question)]
    turns = ", ".join(f"{one.cached_tokens}/{one.prompt_tokens}" for one in told)
    print(f"| {name} | {turns} |")  # with -rP: the table in benchmarks/LOG.md
    assert [finish.cached_tokens for finish in told].count(0) == 1
    for before, finish in pairwise(told):
        new = finish.prompt_tokens - before.prompt_tokens
        assert finish.prompt_tokens - finish.cached_tokens <= new + 256, told
    for turn in (1, 4):
        assert told[turn].cached_tokens >= 0.8 * told[turn].prompt_tokens, told
    assert [await fresh(engine, prompt) for prompt in prompts] == answers


async def test_an_identical_question_and_one_of_the_same_beginning(engine: Prompted) -> None:
    first, other = asked("How long is it?"), asked("How high is the deposit?")
    again = [await said(engine, first), await said(engine, other), await said(engine, first)]
    assert again[0][0] == again[2][0] == await fresh(engine, first)
    assert again[1][0] == await fresh(engine, other)


async def test_answers_at_once_are_as_alone(engine: Prompted) -> None:
    questions = [asked(f"{word * 7}?") for word in ("How long", "When", "Who pays the deposit")]
    together = await asyncio.gather(*(said(engine, question) for question in questions))
    assert [text for text, _ in together] == [await fresh(engine, one) for one in questions]


async def test_embedding_beside_an_answer_changes_neither(
    engine: Prompted, mlx_thread: MLXThread
) -> None:
    embedder = open_model(Settings(embedding_backend="mlx"), mlx_thread)
    alone = await embedder.embed_query("two rents")
    question = asked("How long is it?")
    expected = await fresh(engine, question)
    await engine._thread.run(engine.forget)
    text, *vectors = await asyncio.gather(
        said(engine, question), *(embedder.embed_query("two rents") for _ in range(4))
    )
    await embedder.close()
    assert text[0] == expected
    for vector in vectors:
        np.testing.assert_array_equal(vector, alone)


async def test_json_by_a_schema_needs_no_thoughts(engine: Prompted) -> None:
    engine.script, kept = None, engine.script
    stream = engine.stream(
        asked("Is it?"), max_tokens=9, temperature=0, schema={"enum": ["yes", "no"]}
    )
    text = "".join([piece.text async for piece in stream])
    engine.script = kept
    assert text in ('"yes"', '"no"')


async def test_who_thinks_is_known_and_has_tokens_for_it(engine: Prompted, name: str) -> None:
    assert engine.thinking_tokens == (96 if name in THOUGHTS else 0)
    assert (name in THOUGHTS) == FAMILIES[name].thinks
    assert engine._prompts.rewinds == FAMILIES[name].rewinds
    if name in THOUGHTS:
        engine.say(THOUGHTS[name].partition("Hm.")[0] + "Hm. " * 60)
        with pytest.raises(ThoughtsCutOff):
            await heard(engine, asked("How long?"))
        engine.say(THOUGHTS[name])


async def test_thoughts_are_switched_on_by_the_setting(
    folder: Path, name: str, mlx_thread: MLXThread
) -> None:
    settings = Settings(chat_model=str(folder), thinking_tokens=96, thinking="high")
    engine = await Prompted.open(settings, mlx_thread)
    assert isinstance(engine, Prompted)
    switched = ("qwen3", "qwen3.5", "gemma-4", "gemma-4-e2b", "smollm3")
    assert bool(engine.thinking_tokens) == (FAMILIES[name].thinks or name in switched)
    engine.say(_aloud(name) + "Two years.", end=True)
    pieces = await heard(engine, asked("How long?"))
    await engine.close()
    assert "".join(piece.text for piece in pieces) == "Two years."
    thoughts = "".join(piece.thought for piece in pieces)
    assert ("Hm." in thoughts) == bool(engine.thinking_tokens)


def _aloud(name: str) -> str:
    """How the family writes thoughts where it is told to."""
    if name.startswith("gemma-4"):
        return "<|channel>thought\nHm.<channel|>"
    if name in ("qwen3", "smollm3"):
        return "<think>\nHm.\n</think>\n\n"
    return "Hm.\n</think>\n\n" if name == "qwen3.5" else THOUGHTS.get(name, "")
