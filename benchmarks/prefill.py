"""A prompt read by the bundled chat model on a CPU: where MLX's time goes, and ours against it.

    uv run python -m benchmarks prefill

First the operators of one layer as MLX's CPU backend computes them, at the shapes of a step of 128
tokens in the middle of the prompt, times the layers and steps of the whole. Then mlx-lm's network
and that of `rag/compute/cpu_llama.py` in turns: the prompt, then some tokens one by one.
CPU-seconds are of all threads; those stay comparable on a busy machine. Prints tables, then one
JSON line.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from benchmarks._report import finish, median, show, tell
from rag.compute import mlx_runtime
from rag.config import load_settings
from rag.models import registry

STEP = 128  # tokens; what the scheduler gives MLX's network on a CPU


def load() -> Any:
    """mlx-lm's network of the bundled model."""
    mlx_runtime.prepare()
    import mlx_lm

    folder = registry.chat_model(load_settings(chat_model=registry.BUNDLED_CHAT)).folder
    return mlx_lm.load(str(folder))[0]


# ── MLX's operators ───────────────────────────────────────────────────────────────────────────


def operators(args: Any, seen: int) -> Mapping[str, tuple[Callable[[], Any], int]]:
    """What one layer computes for a step while `seen` tokens are in its cache: and how often."""
    import mlx.core as mx
    from mlx_lm.models.activations import swiglu

    def random(*shape: int) -> mx.array:
        made = mx.random.normal(shape)
        mx.eval(made)
        return made

    heads, kv_heads, hidden = args.num_attention_heads, args.num_key_value_heads, args.hidden_size
    size, inner = hidden // heads, args.intermediate_size
    x, gate = random(1, STEP, hidden), random(1, STEP, inner)
    square, narrow = random(hidden, hidden), random(kv_heads * size, hidden)
    wide, back = random(inner, hidden), random(hidden, inner)
    scores, queries = random(1, heads, STEP, seen), random(1, heads, STEP, size)
    keys, mask = random(1, kv_heads, seen, size), random(STEP, seen) > 0
    weight = random(hidden)
    attend = mx.fast.scaled_dot_product_attention
    return {
        "products with weights: queries, output": (lambda: x @ square.T, 2),
        "… keys, values": (lambda: x @ narrow.T, 2),
        "… gate, up": (lambda: x @ wide.T, 2),
        "… down": (lambda: gate @ back.T, 1),
        "SwiGLU": (lambda: swiglu(gate, gate), 1),
        "attention": (lambda: attend(queries, keys, keys, scale=0.125, mask=mask), 1),
        "  of which softmax": (lambda: mx.softmax(scores, axis=-1, precise=True), 1),
        "  of which the mask": (lambda: mx.where(mask, scores, -1e9), 1),
        "rotation": (
            lambda: mx.fast.rope(
                queries, size, traditional=False, base=1e5, scale=1.0, offset=seen
            ),
            1,
        ),
        "RMSNorm": (lambda: mx.fast.rms_norm(x, weight, 1e-5), 2),
        "sums": (lambda: x + x, 2),
    }


def profile(args: Any, tokens: int) -> dict[str, float]:
    """CPU-seconds of each operator for the whole prompt."""
    import mlx.core as mx

    def seconds(function: Callable[[], Any]) -> float:
        mx.eval(function())
        started = time.process_time()
        for _ in range(10):
            mx.eval(function())
        return (time.process_time() - started) / 10

    times = args.num_hidden_layers * tokens / STEP
    return {
        name: times * often * median([seconds(function) for _ in range(3)])
        for name, (function, often) in operators(args, tokens // 2).items()
    }


# ── whole prompts ─────────────────────────────────────────────────────────────────────────────


def read(network: Any, step: int, prompt: list[int], answer: int) -> dict[str, Any]:
    """As the scheduler does it, on caches of its kind."""
    import mlx.core as mx
    from mlx_lm.models.cache import BatchKVCache

    kept = [BatchKVCache([0]) for _ in network.layers]
    watches = (time.process_time, time.perf_counter)
    started = [watch() for watch in watches]
    for at in range(0, len(prompt), step):
        network(mx.array([prompt[at : at + step]]), cache=kept)
        mx.eval([each.state for each in kept])
    between = [watch() for watch in watches]
    logits, token = [], mx.array([[prompt[0]]])
    for _ in range(answer):
        found = network(token, cache=kept)[:, -1]
        token = mx.argmax(found, axis=-1, keepdims=True)
        mx.eval(token)
        logits.append(np.array(found))
    ended = [watch() for watch in watches]
    prompt_cpu, prompt_s, answer_cpu, answer_s = (
        after - before
        for late, early in ((between, started), (ended, between))
        for after, before in zip(late, early, strict=True)
    )
    return {
        "prompt_cpu_s": prompt_cpu,
        "prompt_s": prompt_s,
        "token_cpu_ms": 1000 * answer_cpu / answer,
        "token_ms": 1000 * answer_s / answer,
        "logits": np.concatenate(logits),
    }


def measure(args: argparse.Namespace) -> None:
    from rag.compute import cpu_llama
    from rag.compute.machine import Machine
    from rag.engines.vllm_mlx_loading import Limits
    from rag.models.memory import Footprint, allowance

    network = load()
    parts = profile(network.args, args.tokens)
    random = np.random.default_rng(0)
    prompt = random.integers(100, network.args.vocab_size, args.tokens).tolist()
    networks = {"mlx-lm": network, "cpu_llama": cpu_llama.accelerate(network)}
    machine = Machine.here()
    allowed = allowance(Footprint(weights=0, per_token=1), 8192, machine)
    ways = {
        name: (way, Limits.of(way, allowed, machine.device).prefill_tokens)
        for name, way in networks.items()
    }
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in ways}
    for repeat in range(args.repeats + 1):  # the first is to warm up
        tell(f"{repeat}/{args.repeats}")
        for name, (way, step) in ways.items():
            found[name].append(read(way, step, prompt, args.answer))
    report(parts, {name: runs[1:] for name, runs in found.items()}, args)


def report(
    parts: Mapping[str, float], found: Mapping[str, list[dict[str, Any]]], args: argparse.Namespace
) -> None:
    rows = [[name, f"{value:.2f}"] for name, value in parts.items()]
    show(f"MLX's operators, {args.tokens} tokens", ["", "CPU s"], rows)
    kinds = ["prompt_cpu_s", "prompt_s", "token_cpu_ms", "token_ms"]
    results: dict[str, Any] = {
        name: {kind: median([run[kind] for run in runs]) for kind in kinds}
        for name, runs in found.items()
    }
    old, new = found.values()
    ratios = {
        kind: median([a[kind] / b[kind] for a, b in zip(old, new, strict=True)]) for kind in kinds
    }
    shown = {**results, "ratio, median of rounds": ratios}
    show(
        f"{args.tokens} tokens of prompt, {args.answer} of answer, median of {args.repeats}",
        ["", "prompt CPU s", "prompt s", "a token CPU ms", "a token ms"],
        [[name, *(f"{values[kind]:.2f}" for kind in kinds)] for name, values in shown.items()],
    )
    apart = max(float(abs(a["logits"] - b["logits"]).max()) for a, b in zip(old, new, strict=True))
    largest = float(abs(old[0]["logits"]).max())
    show("Logits", ["largest", "furthest apart"], [[f"{largest:.1f}", f"{apart:.6f}"]])
    results |= {"ratios": ratios, "operators_cpu_s": parts, "logits_apart": apart}
    finish("prefill", results, tokens=args.tokens, answer=args.answer, repeats=args.repeats)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--tokens", type=int, default=700, help="of the prompt")
    parser.add_argument("--answer", type=int, default=16, help="tokens decoded after it")
    parser.add_argument("--repeats", type=int, default=5)
    measure(parser.parse_args())


if __name__ == "__main__":
    main()
