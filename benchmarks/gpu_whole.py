"""A whole document read on a GPU: its parts at once, and one after the other.

    uv run python -m benchmarks.gpu_whole [--pages 64] [--bits 16] [--repeats 3] [--tiny]

Through the product's own `Reading` and engine, with a chat model of Llama-3.2-3B's shape and random
weights: its notes are nonsense, so each is as long as a note may be, and none is kept. --tiny tries
it in small, for a CPU. Prints a table, then one JSON line.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import tempfile
import time
from contextlib import aclosing
from pathlib import Path
from typing import Any

from benchmarks._gpu_models import LLAMA_3B, TINY, write_llama
from benchmarks._report import finish, median, ratio, show, tell
from benchmarks.gpu import WORDS, chat_tokenizer, opened
from rag.answering.full_document import page_hits
from rag.answering.map_reduce import AT_ONCE, PART_TOKENS, Reading, Texts
from rag.answering.prompting import Budget
from rag.compute import mlx_runtime
from rag.compute.mlx_runtime import MLXThread
from rag.engines.vllm_mlx import VLLMMLXEngine
from rag.types import Coverage, Document, Hit, Page
from rag.verification.lexical import LexicalVerifier

PAGE_WORDS = 350  # about what a printed page holds


def texts_of(pages: int, budget: Budget) -> Texts:
    """A document of random words, other ones each time, so that no cache has its beginning."""
    texts = [" ".join(random.choices(WORDS, k=PAGE_WORDS)) for _ in range(pages)]
    made = [
        Page(number, "", text, (), (), 595, 842, "text") for number, text in enumerate(texts, 1)
    ]
    document = Document(
        "random", Path("random.pdf"), "Random", "", 0, 0, pages, 0, "", Coverage.of(made), {}, ""
    )

    def size(hit: Hit) -> int:
        return len(hit.chunk.text.split())

    hits = page_hits(document, made, size, budget.message)
    by_place = {(document.id, page.number): page for page in made}
    return Texts(tuple(hits), by_place, tuple(3 * size(hit) for hit in hits))


async def read(engine: VLLMMLXEngine, pages: int, at_once: int) -> tuple[float, int]:
    """Seconds, and the parts that there were."""
    budget = Budget(PART_TOKENS, PART_TOKENS, engine.count_tokens)
    reading = Reading(engine, "Summarise it", texts_of(pages, budget), LexicalVerifier())
    started = time.perf_counter()
    async with aclosing(reading.read(PART_TOKENS, at_once=at_once)) as steps:
        progress = [step async for step in steps][-1]
    assert progress.pages_done == pages
    return time.perf_counter() - started, progress.parts_total


async def measure(args: argparse.Namespace, work: Path) -> None:
    thread = MLXThread()
    device = await thread.run(mlx_runtime.device)
    tokenizer = await thread.run(chat_tokenizer, args.tokenizer)
    shape = TINY if args.tiny else LLAMA_3B
    folder = await thread.run(write_llama, work / "llama", shape, tokenizer, args.bits)
    seconds: dict[int, list[float]] = {AT_ONCE: [], 1: []}
    async with opened(folder, thread) as engine:
        await read(engine, min(args.pages, 8), AT_ONCE)  # kernels are compiled, memory is taken
        for _ in range(args.repeats):
            for at_once, found in seconds.items():
                taken, parts = await read(engine, args.pages, at_once)
                found.append(taken)
                tell(f"  {at_once} at once: {parts} parts in {taken:.1f} s")
    thread.close()
    together, alone = median(seconds[AT_ONCE]), median(seconds[1])
    rows = [[at_once, parts, median(found), *found] for at_once, found in seconds.items()]
    columns = ["at once", "parts", "median s", *(f"run {n + 1}" for n in range(args.repeats))]
    show(f"{args.pages} pages, {ratio(alone, together)} as fast", columns, rows)
    results: dict[str, Any] = {"seconds": seconds, "ratio": alone / together, "parts": parts}
    finish("gpu_whole", results, device=device, bits=args.bits, pages=args.pages)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pages", type=int, default=64)
    parser.add_argument("--bits", type=int, default=16, help="16: not quantised")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--tokenizer", type=Path, help="a folder with a chat model's tokenizer")
    parser.add_argument("--tiny", action="store_true")
    args = parser.parse_args()
    random.seed(0)
    with tempfile.TemporaryDirectory() as work:
        asyncio.run(measure(args, Path(work)))


if __name__ == "__main__":
    main()
