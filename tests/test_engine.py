"""The engine in this process, with the bundled model: one engine for the whole file."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from rag.answering.prompting import SYSTEM
from rag.compute.mlx_runtime import MLXThread
from rag.config import Settings
from rag.engines.base import Engine, open_engine
from rag.engines.chat_template import ChatTemplate, _without_system
from rag.engines.vllm_mlx import VLLMMLXEngine
from rag.engines.vllm_mlx_loading import Limits
from rag.errors import (
    EngineBusy,
    EngineError,
    EngineTimeout,
    InvalidSchema,
    ModelLoadFailed,
    ModelNotFound,
    PromptTooLong,
)
from rag.models import registry
from rag.types import Finish, Message, Piece

pytestmark = pytest.mark.asyncio(loop_scope="module")

FRANCE = [Message("user", "What is the capital of France?")]
COUNT = [Message("user", "Count from 1 to 100.")]
LIMITS = Limits(concurrency=2, prefill_tokens=64, prefill_prompts=1)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(
    chat_folder: Path, shared_cache: Path, mlx_thread: MLXThread
) -> AsyncIterator[VLLMMLXEngine]:
    settings = Settings(
        cache=shared_cache, chat_model=registry.BUNDLED_CHAT, queue_limit=1, context_tokens=512
    )
    engine = await VLLMMLXEngine.open(settings, mlx_thread, limits=LIMITS)
    yield engine
    await engine.close()


async def collect(
    engine: Engine, messages: list[Message], *, max_tokens: int = 12, temperature: float = 0.0
) -> tuple[str, Finish]:
    pieces = [
        piece
        async for piece in engine.stream(messages, max_tokens=max_tokens, temperature=temperature)
    ]
    assert all(piece.finish is None for piece in pieces[:-1])
    finish = pieces[-1].finish
    assert finish is not None
    return "".join(piece.text for piece in pieces), finish


async def drain(stream: AsyncGenerator[Piece]) -> None:
    async for _ in stream:
        pass


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - there is nothing to wait for but the engine's state
        await asyncio.sleep(0.01)


async def running(engine: VLLMMLXEngine) -> int:
    """Requests that vllm-mlx still knows of."""
    return await engine._thread.run(lambda: len(engine._core.scheduler.requests))


async def test_an_answer_ends_at_the_end_token(engine: VLLMMLXEngine) -> None:
    text, finish = await collect(engine, FRANCE)
    assert text == "The capital of France is Paris."
    assert finish.reason == "stop"
    assert finish.prompt_tokens == engine.count_tokens(FRANCE)
    assert finish.completion_tokens == 8


async def test_an_answer_ends_at_max_tokens(engine: VLLMMLXEngine) -> None:
    _, finish = await collect(engine, COUNT, max_tokens=5)
    assert (finish.reason, finish.completion_tokens) == ("length", 5)


async def test_it_arrives_in_pieces(engine: VLLMMLXEngine) -> None:
    pieces = [p.text async for p in engine.stream(FRANCE, max_tokens=12, temperature=0.0)]
    assert len(pieces) >= 7


async def test_characters_of_several_tokens_arrive_whole(engine: VLLMMLXEngine) -> None:
    """Emoji take three or more tokens each: pieces must join to what the tokens say at once."""
    question = [Message("user", "Write three flag emojis and a smiley: ")]
    stream = engine.stream(question, max_tokens=32, temperature=0.0)
    pieces = [piece.text async for piece in stream]
    text = "".join(pieces)
    tokenizer = engine._template.tokenizer
    assert any(len(character.encode()) == 4 for character in text)
    assert len(pieces) < len(tokenizer.encode(text))
    assert not any("\ufffd" in piece for piece in pieces[:-1])
    assert text.rstrip("\ufffd") == tokenizer.decode(tokenizer.encode(text)).rstrip("\ufffd")


async def test_streams_decode_together(engine: VLLMMLXEngine) -> None:
    """Two answers in turn would show no overlap; steps that serve both show in vllm-mlx's count."""
    before = engine._core._steps_executed
    (first, one), (second, two) = await asyncio.gather(
        collect(engine, COUNT, max_tokens=24), collect(engine, FRANCE, max_tokens=24)
    )
    steps = engine._core._steps_executed - before
    assert second == "The capital of France is Paris."
    assert first.startswith("1")
    assert steps < one.completion_tokens + two.completion_tokens


async def test_temperatures_mix_in_one_batch(engine: VLLMMLXEngine) -> None:
    """The greedy answer stays what it is next to a hot one, and the hot one is not greedy."""
    (cold, _), (hot, _) = await asyncio.gather(
        collect(engine, FRANCE, max_tokens=24), collect(engine, FRANCE, temperature=2.0)
    )
    assert cold == "The capital of France is Paris."
    assert hot != cold


async def test_a_conversation_that_only_grows_reuses_its_prefix(engine: VLLMMLXEngine) -> None:
    sources = "The brown fox jumps over the lazy dog near the river bank. " * 12
    first = [Message("user", f"{sources}\nWhat does the fox do?")]
    text, cold = await collect(engine, first)
    grown = [*first, Message("assistant", text), Message("user", "And the dog?")]
    _, warm = await collect(engine, grown)
    assert cold.cached_tokens == 0
    assert cold.prompt_tokens <= warm.cached_tokens < warm.prompt_tokens


async def test_instructions_are_read_once_for_all_conversations(engine: VLLMMLXEngine) -> None:
    """They are fewer tokens than vllm-mlx looks for of itself. What is answered stays the same."""
    instructions = Message("system", SYSTEM)
    alone, _ = await collect(engine, [instructions, *FRANCE])
    _, other = await collect(engine, [instructions, Message("user", "Where do storks live?")])
    assert other.cached_tokens > 0.8 * engine.count_tokens([instructions])
    assert (await collect(engine, [instructions, *FRANCE]))[0] == alone


async def test_closing_the_stream_takes_the_request_out_at_once(engine: VLLMMLXEngine) -> None:
    stream = engine.stream(COUNT, max_tokens=500, temperature=0.0)
    await anext(stream)
    await stream.aclose()
    assert await running(engine) == 0
    steps = engine._core._steps_executed
    assert (await collect(engine, FRANCE))[0] == "The capital of France is Paris."
    assert engine._core._steps_executed - steps < 20


async def test_a_cancelled_task_ends_as_cancelled_and_stops_its_request(
    engine: VLLMMLXEngine,
) -> None:
    begun = asyncio.Event()

    async def consume() -> None:
        async for _ in engine.stream(COUNT, max_tokens=500, temperature=0.0):
            begun.set()

    task = asyncio.create_task(consume())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.sleep(0)
    assert await running(engine) == 0


async def test_more_than_may_wait_are_told_so_and_a_waiting_one_can_be_cancelled(
    engine: VLLMMLXEngine,
) -> None:
    """Two decode, one waits, a fourth is turned away. The one that waits leaves no trace."""
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(2):
            stream = engine.stream(COUNT, max_tokens=200, temperature=0.0)
            stack.push_async_callback(stream.aclose)
            await anext(stream)
        waiting = asyncio.create_task(collect(engine, FRANCE))
        async with asyncio.timeout(60):
            await until(lambda: len(engine._active) == 3)
        with pytest.raises(EngineBusy) as caught:
            await collect(engine, FRANCE)
        assert caught.value.hint
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert len(engine._active) == 2
    assert await running(engine) == 0
    assert not engine._core.scheduler.waiting


async def test_a_prompt_over_the_context_is_refused_before_any_work(engine: VLLMMLXEngine) -> None:
    steps = engine._core._steps_executed
    with pytest.raises(PromptTooLong) as caught:
        await collect(engine, [Message("user", "word " * 600)])
    assert caught.value.hint
    assert engine._core._steps_executed == steps


async def test_an_answer_gets_the_room_that_the_prompt_leaves(engine: VLLMMLXEngine) -> None:
    words = 512 - engine.count_tokens([Message("user", "")]) - 4
    prompt = [Message("user", " word" * words)]
    assert engine.count_tokens(prompt) == 508
    _, finish = await collect(engine, prompt, max_tokens=100)
    assert finish.prompt_tokens + finish.completion_tokens <= 512


async def test_no_token_in_time_is_a_timeout_and_the_engine_lives_on(
    engine: VLLMMLXEngine,
) -> None:
    """The MLX thread is kept busy for longer than the engine is told to wait."""
    stream = engine.stream(COUNT, max_tokens=100, temperature=0.0)
    await anext(stream)
    blocked = asyncio.create_task(engine._thread.run(time.sleep, 1.5))
    patient, engine._timeout_s = engine._timeout_s, 0.2
    try:
        with pytest.raises(EngineTimeout):
            await drain(stream)
    finally:
        engine._timeout_s = patient
    await blocked
    assert await running(engine) == 0
    assert (await collect(engine, FRANCE))[0] == "The capital of France is Paris."


async def test_a_failure_inside_a_step_reaches_the_caller(engine: VLLMMLXEngine) -> None:
    """A logits processor that raises is as real as an exhausted memory: the step fails."""

    def fail(*_: object) -> None:
        raise RuntimeError("no memory")

    params = engine._params(10, [fail])  # type: ignore[list-item]
    prompt = engine._template.encode(FRANCE)
    with pytest.raises(EngineError) as caught:
        async for _ in engine._decoded(prompt, params, []):
            pass
    assert "error" in str(caught.value)
    assert caught.value.hint
    assert (await collect(engine, FRANCE))[0] == "The capital of France is Paris."


async def test_an_answer_is_held_to_a_json_schema(engine: VLLMMLXEngine) -> None:
    place = {"type": "string", "maxLength": 12}
    schema = {
        "type": "object",
        "properties": {"city": place, "country": place, "sure": {"enum": ["yes", "no"]}},
        "required": ["city", "country", "sure"],
        "additionalProperties": False,
    }
    pieces = engine.stream(FRANCE, max_tokens=60, temperature=1.0, schema=schema)
    answer = json.loads("".join([piece.text async for piece in pieces]))
    assert set(answer) == {"city", "country", "sure"}
    assert answer["sure"] in ("yes", "no")


async def test_a_schema_that_is_none_is_refused(engine: VLLMMLXEngine) -> None:
    stream = engine.stream(FRANCE, max_tokens=8, temperature=0.0, schema={"type": "nonsense"})
    with pytest.raises(InvalidSchema, match="nonsense") as caught:
        await anext(stream)
    assert caught.value.hint


async def test_embedding_while_an_answer_streams_blocks_nobody(
    engine: VLLMMLXEngine, mlx_thread: MLXThread
) -> None:
    """MiniLM-sized work between decoding steps: the event loop goes on, and so do both.

    The machine may stall by itself, so the best of three tries counts; a loop that was blocked by
    every step (30 ms to seconds, many times) would fail each of them.
    """

    def embed() -> float:
        import mlx.core as mx

        states = mx.random.normal((16, 64, 384))
        for _ in range(6):
            states = states @ mx.random.normal((384, 384)) / 20
        return float(states.sum())

    gaps = []
    for _ in range(3):
        watching = asyncio.create_task(worst_gap())
        answer = asyncio.create_task(collect(engine, COUNT, max_tokens=20))
        embedded = [await mlx_thread.run(embed) for _ in range(10)]
        assert not answer.done()
        _, finish = await answer
        watching.cancel()
        gaps.append(await watching)
        assert finish.completion_tokens == 20
        assert len(embedded) == 10
        if gaps[-1] < 0.1:
            break
    assert min(gaps) < 0.1


async def worst_gap() -> float:
    """Seconds of the longest time that the event loop did not come back, until cancelled."""
    worst, last = 0.0, time.perf_counter()
    with contextlib.suppress(asyncio.CancelledError):
        while True:
            await asyncio.sleep(0.005)
            now = time.perf_counter()
            worst, last = max(worst, now - last), now
    return worst


async def test_closing_the_engine_ends_its_streams(
    settings: Settings, mlx_thread: MLXThread, chat_folder: Path
) -> None:
    chosen = settings.model_copy(update={"chat_model": str(chat_folder)})
    engine = await open_engine(chosen, mlx_thread)
    stream = engine.stream(COUNT, max_tokens=200, temperature=0.0)
    await anext(stream)
    await engine.close()
    await engine.close()
    with pytest.raises(EngineError):
        await drain(stream)
    with pytest.raises(EngineError):
        await collect(engine, FRANCE)


async def test_a_model_that_is_not_there(settings: Settings, mlx_thread: MLXThread) -> None:
    chosen = settings.model_copy(update={"chat_model": "no-such-model"})
    with pytest.raises(ModelNotFound):
        await open_engine(chosen, mlx_thread)


@pytest.mark.parametrize("config", [{"model_type": "no-such-kind"}, {}, {"model_type": "llama"}])
async def test_a_folder_that_mlx_lm_cannot_load(
    settings: Settings, mlx_thread: MLXThread, tmp_path: Path, config: dict[str, str]
) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "model.safetensors").write_bytes(bytes(8))
    chosen = settings.model_copy(update={"chat_model": str(tmp_path)})
    with pytest.raises(ModelLoadFailed) as caught:
        await open_engine(chosen, mlx_thread)
    assert caught.value.hint


async def test_a_template_without_a_system_role_gets_it_in_the_first_question(
    chat_folder: Path,
) -> None:
    from mlx_lm.utils import load_tokenizer

    tokenizer = load_tokenizer(chat_folder)
    tokenizer.chat_template = (
        "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}"
        "{% for m in messages %}{{ m['content'] }}|{% endfor %}"
    )
    messages = [Message("system", "Be brief."), Message("user", "Why?")]
    assert tokenizer.decode(ChatTemplate(tokenizer).encode(messages)) == "Be brief.\n\nWhy?|"
    assert _without_system([{"role": "system", "content": "x"}]) == [
        {"role": "system", "content": "x"}
    ]
