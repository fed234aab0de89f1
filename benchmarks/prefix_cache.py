"""The prefix cache of the bundled chat model: after a restart, with its disk and without; and in
fewer bits.

    uv run python -m benchmarks prefix-cache

Each process asks a question over passages of so many tokens, ends, begins again and asks a
follow-up. Prints tables, then one JSON line. `like 32 bits` are follow-ups whose answer is word for
word that of the cache in full precision, asked in one process.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks._report import finish, median, show, tell
from rag.compute.mlx_runtime import MLXThread
from rag.config import Settings, load_settings
from rag.engines import kept_files
from rag.engines.vllm_mlx import VLLMMLXEngine
from rag.models.registry import BUNDLED_CHAT
from rag.types import Message

ANSWER = 32  # tokens
QUESTIONS = ("How many ships came in 1907?", "When did 23 ships come?", "Where is the harbour?")


@dataclass(frozen=True)
class Asked:
    text: str
    first_s: float
    prompt: int
    cached: int


def passages(number: int, tokens: int) -> str:
    """About 14 tokens a sentence; of each conversation others, so that none is another's cache."""
    year = 1800 + number
    lines = (f"The harbour of town {year + n} counted {n} ships in {1900 + n}."
             for n in range(max(1, tokens // 24)))  # fmt: skip
    return "\n".join(lines)


async def ask(engine: VLLMMLXEngine, messages: list[Message]) -> Asked:
    started, first, text = time.perf_counter(), 0.0, ""
    async for piece in engine.stream(messages, max_tokens=ANSWER, temperature=0.0):
        first = first or time.perf_counter() - started
        text += piece.text
        finished = piece.finish
    assert finished is not None
    return Asked(text, first, finished.prompt_tokens, finished.cached_tokens)


def begun(number: int, tokens: int) -> list[Message]:
    question = QUESTIONS[number % len(QUESTIONS)]
    return [Message("user", f"{passages(number, tokens)}\n\n{question}")]


def followed(first: list[Message], answer: str) -> list[Message]:
    return [*first, Message("assistant", answer), Message("user", "And in the year after that?")]


async def restart(
    settings: Settings, thread: MLXThread, number: int, tokens: int
) -> dict[str, Any]:
    """Times of the end, the new beginning, and the follow-up's first token."""
    messages = begun(number, tokens)
    engine = await VLLMMLXEngine.open(settings, thread)
    told = await ask(engine, messages)
    at = time.perf_counter()
    await engine.close()
    closed = time.perf_counter()
    engine = await VLLMMLXEngine.open(settings, thread)
    opened = time.perf_counter()
    again = await ask(engine, followed(messages, told.text))
    await engine.close()
    files = list(kept_files.root(settings.cache).glob("*/*"))
    return {
        "prompt": again.prompt,
        "cached": again.cached,
        "first_s": again.first_s,
        "close_s": closed - at,
        "open_s": opened - closed,
        "disk_mb": sum(file.stat().st_size for file in files) / 2**20,
        "answer": again.text,
    }


async def bits(settings: Settings, thread: MLXThread, tokens: int, asked: int) -> dict[str, Any]:
    """One process, several conversations: what they take, and the answers to the follow-ups."""
    engine = await VLLMMLXEngine.open(settings, thread)
    times, texts, cached = list[float](), list[str](), list[float]()
    for number in range(asked):
        messages = begun(100 + number, tokens)
        told = await ask(engine, messages)
        again = await ask(engine, followed(messages, "Seven ships."))
        assert told.prompt
        times.append(again.first_s)
        texts.append(again.text)
        cached.append(again.cached / again.prompt)
    held = engine._core.scheduler.memory_aware_cache._current_memory
    await engine.close()
    share = 100 * median(cached)
    return {"mb": held / 2**20, "first_s": median(times), "cached": share, "texts": texts}


async def measure(args: argparse.Namespace) -> None:
    thread = MLXThread()
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        base = load_settings(chat_model=BUNDLED_CHAT, cache=Path(folder, "cache"))
        for name, settings in variants(base):
            found[name] = []
            for number, tokens in enumerate(args.tokens):
                tell(f"{name}, {tokens} tokens")
                runs = [
                    await restart(settings, thread, 10 * number + n, tokens)
                    for n in range(args.repeats)
                ]
                found[name].append({k: v for k, v in runs[-1].items() if k != "answer"})
                found[name][-1] |= {
                    key: median([run[key] for run in runs])
                    for key in ("first_s", "close_s", "open_s")
                }
                found[name][-1]["texts"] = [run["answer"] for run in runs]
        kept = {
            width: await bits(
                base.model_copy(update={"prefix_cache_bits": width}), thread, 1400, args.asked
            )
            for width in (None, 8, 4)
        }
    thread.close()
    report(found, kept, args)


def variants(base: Settings) -> Iterator[tuple[str, Settings]]:
    for name, size in (("without", 0), ("with", 4096)):
        yield name, base.model_copy(update={"prefix_cache_disk_mb": size})


def report(found: dict[str, Any], kept: dict[int | None, Any], args: argparse.Namespace) -> None:
    alike = [
        old.pop("texts") == new.pop("texts")
        for old, new in zip(found["without"], found["with"], strict=True)
    ]
    names = ["prompt", "cached", "first_s", "close_s", "open_s", "disk_mb"]
    rows = [
        [name, *(f"{run[key]:.2f}" if key.endswith("_s") else round(run[key]) for key in names)]
        for name, runs in found.items()
        for run in runs
    ]
    show(f"A follow-up after a restart; answers alike: {alike}", ["disk", *names], rows)
    full = kept[None]["texts"]
    bit_rows = []
    for width, run in kept.items():
        same = sum(a == b for a, b in zip(full, run.pop("texts"), strict=True))
        run["like_32_bits"] = same
        bit_rows.append(
            [str(width or 32), round(run["mb"]), f"{run['first_s']:.2f}", run["cached"], same]
        )
    head = ["bits", "MiB", "first token s", "cached %", f"like 32 bits, of {args.asked}"]
    show("The cache in fewer bits", head, bit_rows)
    results = {"restart": found, "alike": alike, "bits": {str(k): v for k, v in kept.items()}}
    finish("prefix-cache", results, tokens=args.tokens, repeats=args.repeats)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--tokens", type=int, nargs="+", default=[700, 2800, 5600])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--asked", type=int, default=12, help="conversations for the bits")
    asyncio.run(measure(parser.parse_args()))


if __name__ == "__main__":
    main()
