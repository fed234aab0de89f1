"""The MLX path on whatever device MLX has: embedding against PyTorch, and many answers at once.

    uv run python -m benchmarks.gpu [--bits 4,16] [--clients 1,8,16,32] [--tiny]

Needs no download: the chat model has the shape of Llama-3.2-3B and random weights, with the bundled
model's tokenizer; so has an --embedder folder without weights. Speed depends on shapes, not on
sense. "bare" is the network alone, stepping without our engine: its ceiling. PyTorch's figures are
there where torch is. --tiny tries all of it in small, for a CPU. Prints tables, then one JSON line.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import random
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import _gpu_torch
from benchmarks._gpu_models import LLAMA_3B, TINY, write_bert, write_llama
from benchmarks._report import finish, median, show, tell
from rag.compute import mlx_runtime
from rag.compute.mlx_runtime import MLXThread
from rag.config import Settings
from rag.embedders.mlx_embedder import MLXEmbedder
from rag.embedders.model_config import read_model_config
from rag.engines.vllm_mlx import VLLMMLXEngine
from rag.models import registry
from rag.types import Message

WORDS = Path(__file__).read_text(encoding="utf-8").split()


@dataclass(frozen=True, slots=True)
class Load:
    """How much of everything."""

    clients: tuple[int, ...]
    prompt_tokens: int
    answer_tokens: int
    texts: int
    text_tokens: int
    repeats: int


@dataclass(frozen=True, slots=True)
class Stream:
    """One answer: when each piece of it came, in seconds since all clients asked."""

    times: tuple[float, ...]
    tokens: int


# ── embedding ─────────────────────────────────────────────────────────────────────────────────


async def embedding(folder: Path, thread: MLXThread, load: Load) -> dict[str, dict[str, float]]:
    """Texts a second: from text ("whole") and from token ids ("network"); the cosine to float32."""
    embedder = MLXEmbedder(read_model_config(folder, "MiniLM"), thread)
    texts = [_text(embedder.count_tokens, load.text_tokens - 2) for _ in range(load.texts)]
    ids = embedder.tokens.encode(texts)
    await embedder.embed_documents(texts[:4])
    found: dict[str, dict[str, float]] = {"MLX": {}}
    found["MLX"]["whole"] = await _rate(lambda: embedder.embed_documents(texts), load)
    found["MLX"]["network"] = await _rate(lambda: embedder._pooled(ids), load)
    vectors = await embedder.embed_documents(texts[:64])
    await embedder.close()
    if importlib.util.find_spec("torch") is None:
        return found
    for dtype in ("float16", "float32"):
        found[f"PyTorch {dtype}"] = await asyncio.to_thread(
            _gpu_torch.rates, folder, ids, dtype, load.repeats
        )
    exact = _gpu_torch.network(folder, "float32")(ids[:64])
    exact /= np.linalg.norm(exact, axis=1, keepdims=True)
    found["MLX"]["worst_cosine"] = float((vectors * exact).sum(axis=1).min())
    return found


async def _rate(call: Callable[[], Any], load: Load) -> float:
    seconds = []
    for _ in range(load.repeats):
        begun = time.perf_counter()
        await call()
        seconds.append(time.perf_counter() - begun)
    return load.texts / median(seconds)


def _text(count: Callable[[Sequence[str]], list[int]], tokens: int) -> str:
    """Random words of exactly so many tokens, or as near as they come."""
    words = random.choices(WORDS, k=tokens)
    sizes = np.cumsum(count(words))
    kept = words[: int(np.searchsorted(sizes, tokens, side="right"))]
    missing = tokens - sum(count([" ".join(kept)]))
    return " ".join([*kept, *["a"] * missing])


# ── answers ───────────────────────────────────────────────────────────────────────────────────


@asynccontextmanager
async def opened(folder: Path, thread: MLXThread) -> AsyncIterator[VLLMMLXEngine]:
    engine = await VLLMMLXEngine.open(Settings(chat_model=str(folder)), thread)
    try:
        yield engine
    finally:
        await engine.close()


async def ask(engine: VLLMMLXEngine, load: Load, begun: float) -> Stream:
    """One question that no cache has seen."""
    words = random.choices(WORDS, k=load.prompt_tokens // 3)
    message = Message("user", " ".join(words))
    times, tokens = [], 0
    answer = engine.stream([message], max_tokens=load.answer_tokens, temperature=0.0)
    async for piece in answer:
        times.append(time.perf_counter() - begun)
        tokens = piece.finish.completion_tokens if piece.finish else tokens
    return Stream(tuple(times), tokens)


async def together(engine: VLLMMLXEngine, clients: int, load: Load) -> dict[str, float]:
    begun = time.perf_counter()
    streams = await asyncio.gather(*(ask(engine, load, begun) for _ in range(clients)))
    wall = time.perf_counter() - begun
    return {
        "first_token_s": median([stream.times[0] for stream in streams]),
        "last_first_token_s": max(stream.times[0] for stream in streams),
        "tokens_per_s": sum(stream.tokens for stream in streams) / wall,
        "decoding_tokens_per_s": _decoding(streams),
    }


def _decoding(streams: Sequence[Stream]) -> float:
    """Tokens a second from when all have begun until one has ended; a piece is a token."""
    begun = max(stream.times[0] for stream in streams)
    ended = min(stream.times[-1] for stream in streams)
    inside = sum(begun < at <= ended for stream in streams for at in stream.times)
    return inside / (ended - begun) if ended > begun else float("nan")


async def answers(folder: Path, thread: MLXThread, load: Load) -> dict[str, dict[str, float]]:
    async with opened(folder, thread) as engine:
        await together(engine, max(load.clients), load)  # kernels are compiled, memory is taken
        found = {}
        for clients in load.clients:
            tell(f"  {clients} at once")
            found[str(clients)] = await together(engine, clients, load)
            found[str(clients)]["bare"] = await thread.run(bare, engine, clients, load)
        return found


def bare(engine: VLLMMLXEngine, rows: int, load: Load) -> float:
    """Tokens a second of the network alone, greedy, after prompts as long as the clients'."""
    import mlx.core as mx
    from mlx_lm.models.cache import make_prompt_cache

    network = engine._core.model
    cache = make_prompt_cache(network)
    for _ in range(0, load.prompt_tokens, 512):
        network(mx.ones((rows, min(512, load.prompt_tokens)), dtype=mx.int32), cache=cache)
        mx.eval([layer.state for layer in cache])
    token = mx.ones((rows, 1), dtype=mx.int32)
    for step in range(load.answer_tokens + 4):
        if step == 4:
            mx.eval(token)
            begun = time.perf_counter()
        token = network(token, cache=cache)[:, -1].argmax(axis=-1, keepdims=True)
        mx.async_eval(token)
    mx.eval(token)
    return rows * load.answer_tokens / (time.perf_counter() - begun)


async def side_by_side(
    folder: Path, bert: Path, thread: MLXThread, load: Load
) -> dict[str, float | None]:
    """Eight answers while texts are embedded on the same thread, and while queries are."""
    embedder = MLXEmbedder(read_model_config(bert, "MiniLM"), thread)
    texts = [_text(embedder.count_tokens, load.text_tokens - 2) for _ in range(load.texts // 8)]
    async with opened(folder, thread) as engine:
        await embedder.embed_documents(texts)
        await together(engine, 8, load)
        quiet = await together(engine, 8, load)
        crowd = asyncio.create_task(together(engine, 8, load))
        batches = 0
        begun = time.perf_counter()
        while not crowd.done():
            await embedder.embed_documents(texts)
            batches += 1
        embedded = batches * len(texts) / (time.perf_counter() - begun)
        busy = await crowd
        crowd = asyncio.create_task(together(engine, 8, load))
        waits = []
        while not crowd.done():
            at = time.perf_counter()
            await embedder.embed_query("How many kilns may the tenant run?")
            waits.append(time.perf_counter() - at)
            await asyncio.sleep(0.02)
        await crowd
    await embedder.close()
    return {
        "answers_alone_tokens_per_s": quiet["tokens_per_s"],
        "answers_beside_embedding_tokens_per_s": busy["tokens_per_s"],
        "embedded_beside_answers_per_s": embedded,
        "query_embedding_beside_answers_ms": median(waits) * 1000,
        "query_embedding_p95_ms": float(np.quantile(waits, 0.95)) * 1000,
    }


# ── all of it ─────────────────────────────────────────────────────────────────────────────────


async def measure(args: argparse.Namespace, work: Path) -> None:
    thread = MLXThread()
    device = await thread.run(mlx_runtime.device)
    load = _load(args)
    results: dict[str, Any] = {"embedding": {}, "answers": {}, "side_by_side": {}}
    bert = await thread.run(
        write_bert, args.embedder or registry.embedding_folder(Settings()), work
    )
    tell(f"embedding on {device}")
    results["embedding"] = await embedding(bert, thread, load)
    _show_embedding(results["embedding"], load)
    tokenizer = await thread.run(chat_tokenizer, args.tokenizer)
    for bits in args.bits:
        tell(f"answers, {bits} bits")
        shape = TINY if args.tiny else LLAMA_3B
        folder = await thread.run(write_llama, work / f"llama-{bits}", shape, tokenizer, bits)
        results["answers"][bits] = await answers(folder, thread, load)
        _show_answers(bits, results["answers"][bits], load)
        results["side_by_side"][bits] = await side_by_side(folder, bert, thread, load)
        rows = [[name, value] for name, value in results["side_by_side"][bits].items()]
        show(f"Eight answers and embedding on one thread, {bits} bits", ["what", "value"], rows)
        shutil.rmtree(folder)
    thread.close()
    finish("gpu", results, device=device, tiny=args.tiny)


def _load(args: argparse.Namespace) -> Load:
    if args.tiny:
        return Load((1, 2), 64, 8, texts=16, text_tokens=32, repeats=2)
    return Load(args.clients, args.prompt, args.answer, args.texts, text_tokens=256, repeats=5)


def chat_tokenizer(folder: Path | None) -> Path:
    return folder or registry.chat_model(Settings(chat_model=registry.BUNDLED_CHAT)).folder


def _show_embedding(found: dict[str, dict[str, float]], load: Load) -> None:
    rows = [[name, own.get("whole"), own["network"]] for name, own in found.items()]
    title = f"Texts of {load.text_tokens} tokens embedded a second"
    show(title, ["by", "from text", "from token ids"], rows)
    cosine = found["MLX"].get("worst_cosine")
    if cosine is not None:
        print(f"1 − worst cosine to PyTorch float32: {1 - cosine:.1e}")


def _show_answers(bits: int, found: dict[str, dict[str, float]], load: Load) -> None:
    columns = ["at once", "first ms", "last first ms", "tokens/s", "decoding", "bare"]
    rows = [
        [
            clients,
            own["first_token_s"] * 1000,
            own["last_first_token_s"] * 1000,
            own["tokens_per_s"],
            own["decoding_tokens_per_s"],
            own["bare"],
        ]
        for clients, own in found.items()
    ]
    title = f"Answers of {load.answer_tokens} tokens after ~{load.prompt_tokens}, {bits} bits"
    show(title, columns, rows)


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(","))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--bits", type=_numbers, default=(4, 16), help="16: not quantised")
    parser.add_argument("--clients", type=_numbers, default=(1, 8, 16, 32))
    parser.add_argument("--prompt", type=int, default=1024, help="tokens of a question, about")
    parser.add_argument("--answer", type=int, default=128, help="tokens of an answer")
    parser.add_argument("--texts", type=int, default=4096)
    parser.add_argument("--embedder", type=Path, help="a BERT's config and tokenizer")
    parser.add_argument("--tokenizer", type=Path, help="a folder with a chat model's tokenizer")
    parser.add_argument("--tiny", action="store_true")
    args = parser.parse_args()
    random.seed(0)
    with tempfile.TemporaryDirectory() as work:
        asyncio.run(measure(args, Path(work)))


if __name__ == "__main__":
    main()
