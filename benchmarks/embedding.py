"""Texts embedded a second, by each backend on the same texts and weights, taking turns.

    uv run python -m benchmarks.embedding --peer OTHER_ENVIRONMENT/bin/python

"full" texts have as many tokens as the model takes, "mixed" ones the lengths of ordinary chunks. A
CPU-second is a second of one core: that figure stays comparable on a busy machine. --peer names the
Python of another environment that has sentence-transformers and PyTorch, which takes a CUDA device
where there is one. The cosine is the worst of all texts against the peer's vectors, or else against
the first backend's. Prints a table, then one JSON line.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import subprocess
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from benchmarks._report import finish, median, show, tell
from rag.compute.mlx_runtime import MLXThread
from rag.config import load_settings
from rag.embedders.factory import open_model
from rag.embedders.model_embedder import ModelEmbedder

PEER = """
import json, sys, time, warnings
warnings.simplefilter("ignore")
import torch
from sentence_transformers import SentenceTransformer
folder, threads, dtype, batch = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
device = "cuda" if torch.cuda.is_available() else "cpu"
model = SentenceTransformer(folder, device=device, model_kwargs={"dtype": getattr(torch, dtype)})
if threads: torch.set_num_threads(threads)
model.encode(["warm"])
where = "CUDA" if device == "cuda" else f"{torch.get_num_threads()} threads"
print(json.dumps(f"PyTorch {torch.__version__}, {dtype}, {where}"), flush=True)
for line in sys.stdin:
    texts = json.loads(line)
    wall, cpu = time.perf_counter(), time.process_time()
    vectors = model.encode(texts, batch_size=batch, normalize_embeddings=True,
                           show_progress_bar=False).astype("float32")
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(json.dumps([wall, cpu, vectors.tolist()]), flush=True)
"""


@dataclass(frozen=True, slots=True)
class Turn:
    wall: float
    cpu: float
    vectors: np.ndarray


@dataclass(slots=True)
class Figures:
    """Of one runner on one kind of texts."""

    turns: list[Turn] = field(default_factory=list)

    def per_second(self) -> float:
        return median([len(turn.vectors) / turn.wall for turn in self.turns])

    def per_cpu_second(self) -> float:
        return median([len(turn.vectors) / turn.cpu for turn in self.turns])


class Runner(Protocol):
    name: str

    async def turn(self, texts: Sequence[str]) -> Turn: ...


class Ours:
    def __init__(self, name: str, embedder: ModelEmbedder) -> None:
        self.name = name
        self.embedder = embedder

    async def turn(self, texts: Sequence[str]) -> Turn:
        wall, cpu = time.perf_counter(), time.process_time()
        vectors = await self.embedder.embed_documents(texts)
        return Turn(time.perf_counter() - wall, time.process_time() - cpu, vectors)


class Peer:
    """sentence-transformers in a process of its own environment; asked by JSON lines."""

    def __init__(self, python: Path, model: Path, args: argparse.Namespace) -> None:
        settings = str(args.threads or 0), args.peer_dtype, str(args.peer_batch)
        self._process = subprocess.Popen(
            [python, "-c", PEER, model, *settings],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.name = f"sentence-transformers ({self._answer()})"

    async def turn(self, texts: Sequence[str]) -> Turn:
        return await asyncio.to_thread(self._turn, list(texts))

    def _turn(self, texts: list[str]) -> Turn:
        assert self._process.stdin is not None
        print(json.dumps(texts), file=self._process.stdin, flush=True)
        wall, cpu, vectors = self._answer()
        return Turn(wall, cpu, np.array(vectors, dtype=np.float32))

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit("--peer: that Python cannot run sentence-transformers")
        return json.loads(line)

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def make_texts(embedder: ModelEmbedder, count: int) -> dict[str, list[str]]:
    """Random English words: speed depends on lengths, not on sense."""
    words = Path(__file__).read_text(encoding="utf-8").split()
    chance = random.Random(0)
    before, after = embedder.tokens.specials
    limit = embedder.max_tokens - before - after
    mixed = [int(chance.gauss(0.66, 0.27) * limit) for _ in range(count)]
    lengths = {"full": [limit] * count, "mixed": [min(limit, max(8, n)) for n in mixed]}
    return {
        kind: [_text(embedder, chance.choices(words, k=limit), n) for n in wanted]
        for kind, wanted in lengths.items()
    }


def _text(embedder: ModelEmbedder, words: list[str], tokens: int) -> str:
    """The first words that make up at most so many tokens."""
    sizes = np.cumsum(embedder.count_tokens(words))
    return " ".join(words[: max(1, int(np.searchsorted(sizes, tokens, side="right")))])


async def measure(args: argparse.Namespace) -> None:
    thread = MLXThread()
    async with AsyncExitStack() as stack:
        stack.callback(thread.close)
        runners: list[Runner] = []
        for backend in args.backends.split(","):
            settings = load_settings(
                embedding_model=args.model, embedding_backend=backend, workers=args.threads
            )
            embedder = open_model(settings, thread)
            stack.push_async_callback(embedder.close)
            runners.append(Ours(f"{type(embedder).__name__}", embedder))
        if args.peer is not None:
            peer = Peer(args.peer, embedder.model_config.folder, args)
            stack.callback(peer.close)
            runners.insert(0, peer)
        texts = make_texts(embedder, args.texts)
        found = {
            kind: await take_turns(runners, some, args.repeats) for kind, some in texts.items()
        }
        report(found, embedder.id, args)


async def take_turns(
    runners: Sequence[Runner], texts: Sequence[str], repeats: int
) -> dict[str, Figures]:
    figures = {runner.name: Figures() for runner in runners}
    for runner in runners:
        await runner.turn(texts[:4])  # loads the weights
    for repeat in range(repeats):
        for runner in runners:
            tell(f"{repeat + 1}/{repeats} {runner.name}")
            figures[runner.name].turns.append(await runner.turn(texts))
    return figures


def report(found: dict[str, dict[str, Figures]], model: str, args: argparse.Namespace) -> None:
    results: dict[str, Any] = {}
    rows: list[list[object]] = []
    for kind, figures in found.items():
        reference = next(iter(figures.values())).turns[0].vectors
        for name, own in figures.items():
            cosine = float((own.turns[0].vectors * reference).sum(axis=1).min())
            rates = own.per_second(), own.per_cpu_second()
            same = all(np.array_equal(own.turns[0].vectors, turn.vectors) for turn in own.turns)
            rows.append([f"{kind}: {name}", *rates, f"{1 - cosine:.1e}", "yes" if same else "no"])
            results.setdefault(kind, {})[name] = {
                "texts_per_s": rates[0],
                "texts_per_cpu_s": rates[1],
                "worst_cosine": cosine,
                "bit_equal_repeats": same,
            }
    columns = ["texts: backend", "texts/s", "texts/CPU-s", "1 − cosine", "bit-equal"]
    show(f"Embedding with {model}", columns, rows)
    finish("embedding", results, model=model, texts=args.texts, repeats=args.repeats)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", help="a bundled name, hub id or folder")
    parser.add_argument("--backends", default="onnx,mlx", help="of onnx, mlx and auto")
    parser.add_argument("--peer", type=Path, help="a Python that has sentence-transformers")
    parser.add_argument("--peer-dtype", default="float32", help="or float16")
    parser.add_argument("--peer-batch", type=int, default=32, help="texts that it embeds at once")
    parser.add_argument("--texts", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, help="default: one a core")
    asyncio.run(measure(parser.parse_args()))


if __name__ == "__main__":
    main()
