"""Networks of the Llama architecture on CPU hosts, by NumPy and OpenBLAS.

MLX's CPU build computes one exponential at a time (18 ns; NumPy's takes 0.5 with AVX-512), and
softmax and SiLU need one for every score and every gate: attention and SwiGLU are three quarters of
the time of a prompt (`benchmarks prefill`). And it multiplies a single row by a matrix as if it
were many, which packs the matrix anew for each token: `sgemv` reads it once. Same weights, same
float32, same caches: only the order of sums differs.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from rag.compute import mlx_runtime
from rag.compute.blas_product import product
from rag.compute.cpu_cores import cores

if TYPE_CHECKING:
    import mlx.core as mx

Array = npt.NDArray[np.float32]

# Tokens that a thread reads at once: matrix products of fewer rows are slower (128: by a fifth).
_MOST = 256
_LEAST = 64
# Sixteen gain nothing over eight on sixteen cores (773 tokens at once: 0.62 and 0.58 s).
_THREADS = 8
_UNSEEN = np.finfo(np.float32).min  # added to the scores of tokens that another may not see


def accelerate(network: Any) -> Any:
    """`network` computed here, or as it is where this module does not know its kind.

    Its weights, which must be in memory, are shared and not copied.
    """
    from mlx.nn import RoPE
    from mlx.utils import tree_flatten
    from mlx_lm.models import llama
    from mlx_lm.models.rope_utils import Llama3RoPE

    if type(network) is not llama.Model or network.model.swa_idx is not None:
        return network
    rope = network.layers[0].self_attn.rope
    weights = dict(tree_flatten(network.parameters()))
    plain = all(name.endswith(".weight") for name in weights)  # neither biases nor quantised
    if not plain or not isinstance(rope, RoPE | Llama3RoPE) or rope.traditional:
        return network
    return CPULlama(network, {name: np.array(value, copy=False) for name, value in weights.items()})


class CPULlama:
    """Stands in for mlx-lm's `llama.Model`: called by the same scheduler, with the same caches.

    Tokens are read in blocks, by a thread each. In a layer a token needs but the keys and values of
    those before it: for nothing else do blocks wait.
    """

    def __init__(self, network: Any, weights: dict[str, Array]) -> None:
        self.layers = network.layers  # counted by those who make caches
        self.make_cache = network.make_cache
        self._weights = weights
        self._head = weights.get("lm_head.weight", weights["model.embed_tokens.weight"])
        self._epsilon = np.float32(network.args.rms_norm_eps)
        attention = network.layers[0].self_attn
        self._kv_heads, self._size = attention.n_kv_heads, attention.head_dim
        self._frequencies = _frequencies(attention.rope)
        blas = mlx_runtime.blas_threads()  # NumPy's own, without OpenBLAS, has threads of its own
        self._threads = 1 if blas is None else min(cores(), _THREADS)
        self._workers = ThreadPoolExecutor(self._threads, thread_name_prefix="llama")

    @property
    def step(self) -> int:
        """Tokens that are best read at once: 512 take 0.7 s on two cores of a Xeon, 773 take 0.6 on
        sixteen."""
        return max(512, 128 * self._threads)

    def __call__(self, inputs: mx.array, cache: Sequence[Any] | None = None) -> mx.array:
        """Tokens (sequences, length) to the logits of the last ones, (sequences, 1, vocabulary)."""
        import mlx.core as mx

        tokens = np.array(inputs)
        cache = self.make_cache() if cache is None else cache
        mask = cache[0].make_mask(tokens.shape[1], return_array=True, window_size=None)
        views = self._views(tokens.shape, cache)
        blocks = self._blocks(tokens, np.array(cache[0].offset), mask, views[0].keys.shape[2])
        barriers = _Barriers(len(blocks), len(views))
        if len(blocks) == 1:
            x = self._read(blocks[0], views, barriers)
        else:
            with mlx_runtime.one_blas_thread():
                work = [
                    self._workers.submit(self._read, block, views, barriers) for block in blocks
                ]
                x = [each.result() for each in work][-1]
        last = x.reshape(len(tokens), -1, x.shape[1])[:, -1]
        return mx.array(product(self._normed(last, "model.norm"), self._head.T)[:, None])

    def _blocks(
        self, tokens: npt.NDArray[Any], ends: npt.NDArray[Any], mask: mx.array | None, total: int
    ) -> list[_TokenBlock]:
        """`ends` are the places after the last tokens, `total` the tokens that the caches hold."""
        sequences, length = tokens.shape
        places = np.broadcast_to(ends, sequences)[:, None] + np.arange(-length, 0)
        angles = places[:, :, None, None] * self._frequencies
        cosines, sines = (f(angles).astype(np.float32) for f in (np.cos, np.sin))
        seen = None if mask is None else np.array(mask).reshape(-1, length, total)
        blocks: list[_TokenBlock] = []
        size = _block_size(length, self._threads)
        for start in range(0, length, size):
            own = slice(start, min(length, start + size))
            end = total - length + own.stop
            hides = None if seen is None else _score_mask(seen[:, own, :end])
            block = _TokenBlock(
                len(blocks), tokens[:, own], end, cosines[:, own], sines[:, own], hides
            )
            blocks.append(block)
        return blocks

    def _views(self, shape: tuple[int, ...], cache: Sequence[Any]) -> list[_CacheView]:
        """The caches with room made for the step, to be filled here."""
        import mlx.core as mx

        size = (shape[0], self._kv_heads, shape[1], self._size)
        # An array each: one that fills a cache becomes the cache.
        fetched = [kept.update_and_fetch(mx.zeros(size), mx.zeros(size)) for kept in cache]
        mx.eval(fetched)
        return [_CacheView(*(np.array(array, copy=False) for array in pair)) for pair in fetched]

    # ── one block, on a thread of its own ──────────────────────────────────────────────────────

    def _read(self, block: _TokenBlock, views: Sequence[_CacheView], barriers: _Barriers) -> Array:
        """What the last layer makes of a block, (sequences × tokens, hidden)."""
        try:
            x: Array = self._weights["model.embed_tokens.weight"][block.tokens.ravel()]
            for number, view in enumerate(views):
                layer = f"model.layers.{number}"
                own = self._normed(x, f"{layer}.input_layernorm")
                queries = self._project(own, f"{layer}.self_attn", block, view)
                barriers.wait(block.number, number)
                x += self._linear(_attention(queries, block, view), f"{layer}.self_attn.o_proj")
                own = self._normed(x, f"{layer}.post_attention_layernorm")
                inner = _silu(self._linear(own, f"{layer}.mlp.gate_proj"))
                inner *= self._linear(own, f"{layer}.mlp.up_proj")
                x += self._linear(inner, f"{layer}.mlp.down_proj")
            return x
        finally:
            barriers.end(block.number)

    def _project(self, x: Array, name: str, block: _TokenBlock, view: _CacheView) -> Array:
        """Puts keys and values where they belong; the queries, (sequences, tokens, heads, size)."""
        shape = (*block.tokens.shape, -1, self._size)
        queries, keys, values = (
            self._linear(x, f"{name}.{kind}_proj").reshape(shape) for kind in "qkv"
        )
        _rotate(queries, block)
        _rotate(keys, block)
        queries *= np.float32(self._size**-0.5)
        view.keys[:, :, block.start : block.end] = keys.swapaxes(1, 2)
        view.values[:, :, block.start : block.end] = values.swapaxes(1, 2)
        return queries

    def _normed(self, x: Array, name: str) -> Array:
        """RMSNorm (https://arxiv.org/abs/1910.07467)."""
        squares = np.einsum("th,th->t", x, x) / np.float32(x.shape[1])
        scaled: Array = x * (1 / np.sqrt(squares + self._epsilon))[:, None]
        scaled *= self._weights[f"{name}.weight"]
        return scaled

    def _linear(self, x: Array, name: str) -> Array:
        return product(x, self._weights[f"{name}.weight"].T)


@dataclass(frozen=True, slots=True)
class _TokenBlock:
    """Some tokens of each sequence, (sequences, tokens), up to `end` of the caches."""

    number: int
    tokens: npt.NDArray[Any]
    end: int
    cosines: Array  # of the rotary angles, (sequences, tokens, 1, half a head)
    sines: Array
    mask: Array | None  # added to scores, (sequences or 1, tokens, `end`); None: all is seen

    @property
    def start(self) -> int:
        return self.end - int(self.tokens.shape[1])


@dataclass(frozen=True, slots=True)
class _CacheView:
    """One layer's keys and values, (sequences, heads, tokens, size): views of a cache's memory."""

    keys: Array
    values: Array


class _Barriers:
    """In each layer, lets a block wait until those before it have their keys and values there."""

    def __init__(self, blocks: int, layers: int) -> None:
        self._there = [[threading.Event() for _ in range(layers)] for _ in range(blocks)]

    def wait(self, block: int, layer: int) -> None:
        if block:
            self._there[block - 1][layer].wait()
        self._there[block][layer].set()

    def end(self, block: int) -> None:
        """Let others go on, whatever came of this block."""
        for event in self._there[block]:
            event.set()


def _block_size(length: int, threads: int) -> int:
    """Tokens to a block, so that all threads have as much."""
    rounds = -(-length // (threads * _MOST))
    return max(_LEAST, -(-length // (threads * rounds)))


def _frequencies(rope: Any) -> npt.NDArray[np.float64]:
    """Radians from one token to the next, for each pair of a head (arXiv:2104.09864)."""
    if hasattr(rope, "_freqs"):  # Llama 3's: tokens to a radian
        return 1 / np.array(rope._freqs, dtype=np.float64)
    dims = np.arange(0, rope.dims, 2)
    return np.asarray(rope.scale * rope.base ** (-dims / rope.dims), dtype=np.float64)


def _score_mask(seen: npt.NDArray[np.bool_]) -> Array | None:
    return None if seen.all() else np.where(seen, np.float32(0), _UNSEEN)


def _rotate(x: Array, block: _TokenBlock) -> None:
    """Turns (sequences, tokens, heads, size) in place; the two of a pair are half a head apart."""
    half = x.shape[-1] // 2
    left, right = x[..., :half], x[..., half:]
    turned = left * block.sines
    left *= block.cosines
    left -= right * block.sines
    right *= block.cosines
    right += turned


def _attention(queries: Array, block: _TokenBlock, view: _CacheView) -> Array:
    """Grouped-query attention (arXiv:2305.13245), (sequences × tokens, heads × size).

    One head of the keys at a time, so that its scores stay in the processor's cache.
    """
    sequences, tokens, heads, size = queries.shape
    group = heads // view.keys.shape[1]
    found = np.empty_like(queries)
    for at, head in np.ndindex(*view.keys.shape[:2]):
        own = slice(head * group, (head + 1) * group)
        rows = queries[at, :, own].swapaxes(0, 1).reshape(-1, size)
        scores = product(rows, view.keys[at, head, : block.end].T)
        if block.mask is not None:
            by_head = scores.reshape(group, tokens, -1)
            by_head += block.mask[at % len(block.mask)]
        scores -= scores.max(axis=1, keepdims=True)
        np.exp(scores, out=scores)
        seen = product(scores, view.values[at, head, : block.end])
        seen /= scores.sum(axis=1, keepdims=True)
        found[at, :, own] = seen.reshape(group, tokens, size).swapaxes(0, 1)
    return found.reshape(sequences * tokens, heads * size)


def _silu(x: Array) -> Array:
    """x · sigmoid(x), in place."""
    with np.errstate(over="ignore"):  # an infinite exponential makes it 0, as it should
        divisor = np.exp(-x)
    divisor += 1
    x /= divisor
    return x
