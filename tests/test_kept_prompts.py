"""The prefix cache on disk: a follow-up after a restart is cached, and answered as without it."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
import tiny_models

from rag.compute.mlx_runtime import MLXThread
from rag.config import Settings
from rag.engines import kept_files
from rag.engines.vllm_mlx import VLLMMLXEngine
from rag.engines.vllm_mlx_loading import Limits
from rag.types import Finish, Message

PASSAGES = "The lease runs for two years, and the deposit is two rents. " * 8
FIRST = (Message("system", "Be brief."), Message("user", f"{PASSAGES}\nHow long?"))
Change = Callable[[Path], object]


@pytest.fixture
def kept(tmp_path: Path) -> Settings:
    return Settings(
        home=tmp_path / "home", cache=tmp_path / "cache", prefix_cache_disk_mb=64, max_tokens=8
    )


class Asked:
    """One process: an engine is opened, asked, and closed."""

    def __init__(self, settings: Settings, thread: MLXThread) -> None:
        self.settings, self.thread = settings, thread

    async def __call__(self, folder: Path, *prompts: tuple[Message, ...]) -> list[Reply]:
        settings = self.settings.model_copy(update={"chat_model": str(folder)})
        limits = Limits(concurrency=4, prefill_tokens=128, prefill_prompts=1)
        engine = await VLLMMLXEngine.open(settings, self.thread, limits=limits)
        replies = []
        try:
            for prompt in prompts:
                stream = engine.stream(prompt, max_tokens=8, temperature=0)
                pieces = [piece async for piece in stream]
                assert pieces[-1].finish is not None
                text = "".join(piece.text for piece in pieces)
                replies.append((text, pieces[-1].finish))
        finally:
            await engine.close()
        return replies


Reply = tuple[str, Finish]


@pytest.fixture
def asked(kept: Settings, mlx_thread: MLXThread) -> Asked:
    return Asked(kept, mlx_thread)


@pytest.fixture
async def llama(tmp_path: Path, mlx_thread: MLXThread) -> Path:
    return await mlx_thread.run(tiny_models.write_model, tmp_path / "llama", "llama-3.2")


def after(prompt: tuple[Message, ...], answer: str, question: str) -> tuple[Message, ...]:
    return (*prompt, Message("assistant", answer), Message("user", question))


def files(settings: Settings, suffix: str = "") -> list[Path]:
    return sorted(kept_files.root(settings.cache).glob(f"*/*{suffix}"))


@pytest.mark.parametrize("family", ["llama-3.2", "qwen3", "qwen3.5", "gemma-3", "gemma-4", "lfm2"])
async def test_a_follow_up_after_a_restart_is_cached_and_the_same(
    family: str, kept: Settings, tmp_path: Path, mlx_thread: MLXThread
) -> None:
    """Whatever the family's cache is like: rewound, a window, a state."""
    folder = await mlx_thread.run(tiny_models.write_model, tmp_path / family, family)
    (first, _), *_rest = await Asked(kept, mlx_thread)(folder, FIRST)
    second = after(FIRST, first, "And the deposit?")
    told, finish = (await Asked(kept, mlx_thread)(folder, second))[0]
    assert finish.cached_tokens > 0.8 * finish.prompt_tokens
    # In one process that never closed:
    without = kept.model_copy(update={"prefix_cache_disk_mb": 0})
    alike = await Asked(without, mlx_thread)(folder, FIRST, second)
    assert alike[1][0] == told
    third = after(second, told, "Why?")
    finish = (await Asked(kept, mlx_thread)(folder, third))[0][1]
    assert finish.cached_tokens > 0.8 * finish.prompt_tokens
    assert len(files(kept, ".head")) == len(files(kept, ".safetensors")) == 1  # a conversation once


async def test_a_cache_of_fewer_bits_is_kept_too(
    kept: Settings, chat_folder: Path, mlx_thread: MLXThread
) -> None:
    asked = Asked(kept.model_copy(update={"prefix_cache_bits": 8}), mlx_thread)
    first = (await asked(chat_folder, FIRST))[0][0]
    told, finish = (await asked(chat_folder, after(FIRST, first, "And the deposit?")))[0]
    assert finish.cached_tokens > 0.8 * finish.prompt_tokens
    assert told
    other = Asked(kept.model_copy(update={"prefix_cache_bits": 4}), mlx_thread)
    assert (await other(chat_folder, FIRST))[0][1].cached_tokens == 0


async def test_nothing_is_written_unless_it_is_asked_for(
    kept: Settings, llama: Path, mlx_thread: MLXThread
) -> None:
    off = kept.model_copy(update={"prefix_cache_disk_mb": 0})
    await Asked(off, mlx_thread)(llama, FIRST)
    assert not kept_files.root(kept.cache).exists()
    assert Settings().prefix_cache_disk_mb == 0


async def test_the_files_are_for_their_owner_alone(
    asked: Asked, kept: Settings, llama: Path
) -> None:
    before = os.umask(0)
    try:
        await asked(llama, FIRST)
    finally:
        os.umask(before)
    made = files(kept)
    assert [file.suffix for file in made] == [".head", ".safetensors"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in made} == {0o600}
    for folder in (made[0].parent, kept_files.root(kept.cache)):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def _cut(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def _flipped(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) * 2 // 3] ^= 1
    file.write_bytes(data)


def _folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


@pytest.mark.parametrize("suffix", [".head", ".safetensors"])
@pytest.mark.parametrize(
    "change", [_cut, _flipped, _folder, Path.unlink, lambda file: file.write_bytes(b"")]
)
async def test_a_broken_file_costs_a_reading_and_nothing_else(
    change: Change, suffix: str, asked: Asked, kept: Settings, llama: Path
) -> None:
    second = after(FIRST, "Two years.", "And the deposit?")
    off = Asked(kept.model_copy(update={"prefix_cache_disk_mb": 0}), asked.thread)
    expected = (await off(llama, second))[0][0]
    await asked(llama, FIRST)
    change(files(kept, suffix)[0])
    text, finish = (await asked(llama, second))[0]
    assert text == expected
    assert finish.cached_tokens == 0
    if change is not _folder:  # it was written again
        third = after(second, text, "Why?")
        assert (await asked(llama, third))[0][1].cached_tokens > 0


async def test_another_models_cache_is_never_read(
    asked: Asked, llama: Path, tmp_path: Path, mlx_thread: MLXThread
) -> None:
    """Of the same shape, name, size and times; only the numbers are others. Or the tokenizer's."""
    first = (await asked(llama, FIRST))[0][0]
    second = after(FIRST, first, "And the deposit?")
    assert (await asked(llama, second))[0][1].cached_tokens > 0
    weights = llama / "model.safetensors"
    times = weights.stat()
    other = await mlx_thread.run(tiny_models.write_model, tmp_path / "o", "llama-3.2", seed=1)
    shutil.copy(other / "model.safetensors", weights)
    os.utime(weights, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert (await asked(llama, second))[0][1].cached_tokens == 0
    tokenizer = llama / "tokenizer.json"
    tokenizer.write_text(tokenizer.read_text() + " ")
    assert (await asked(llama, second))[0][1].cached_tokens == 0


async def test_the_disk_that_it_takes_is_bounded(
    kept: Settings, llama: Path, mlx_thread: MLXThread
) -> None:
    small = kept.model_copy(update={"prefix_cache_disk_mb": 1})
    others = [(Message("user", f"{number}. {PASSAGES}"),) for number in range(8)]
    for prompt in others:
        await Asked(small, mlx_thread)(llama, prompt)
    assert 0 < sum(file.stat().st_size for file in files(kept)) <= 1 << 20
    newest, oldest = (after(prompt, "Two.", "Why?") for prompt in (others[-1], others[0]))
    again = await Asked(small, mlx_thread)(llama, newest, oldest)
    assert [finish.cached_tokens > 100 for _, finish in again] == [True, False]


async def test_what_is_forgotten_is_not_written_again(
    asked: Asked, kept: Settings, llama: Path, mlx_thread: MLXThread
) -> None:
    """Nor by a model that has it in memory."""
    await asked(llama, FIRST)
    settings = kept.model_copy(update={"chat_model": str(llama)})
    engine = await VLLMMLXEngine.open(settings, mlx_thread)
    other = (Message("user", "Who pays? " * 30),)
    assert [piece async for piece in engine.stream(other, max_tokens=4, temperature=0)]
    kept_files.forget(kept.cache)
    assert files(kept) == []
    await engine.close()
    assert files(kept) == []
    await asked(llama, FIRST)
    assert files(kept) != []


async def test_another_question_reads_no_conversation_for_the_instructions_alone(
    asked: Asked, llama: Path
) -> None:
    rules = Message("system", "Answer from the passages, and name their numbers. " * 2)
    await asked(llama, (rules, Message("user", PASSAGES * 3)))
    finish = (await asked(llama, (rules, Message("user", "Another matter altogether?"))))[0][1]
    assert finish.cached_tokens == 0


async def test_a_folder_that_cannot_be_written_is_told(
    kept: Settings, asked: Asked, llama: Path
) -> None:
    from rag.errors import StoreError

    kept.cache.mkdir(parents=True)
    kept_files.root(kept.cache).write_text("no folder")
    with pytest.raises(StoreError):
        await asked(llama, FIRST)
