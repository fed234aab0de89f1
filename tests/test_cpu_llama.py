"""The network of CPU hosts says what mlx-lm's own says, whatever is asked of it."""

from __future__ import annotations

from typing import Any

import mlx.core as mx
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mlx.utils import tree_map
from mlx_lm.models import llama, qwen2
from mlx_lm.models.cache import BatchKVCache, KVCache

from rag.compute import cpu_llama
from rag.compute.blas_product import product
from rag.engines.vllm_mlx_loading import Limits
from rag.models.memory import Allowance

Array = npt.NDArray[np.float32]
ALLOWED = Allowance(8, 512, 2, cache_bytes=1 << 30, buffer_bytes=1 << 28)
SHAPE: dict[str, Any] = {
    "model_type": "llama",
    "hidden_size": 48,
    "num_hidden_layers": 3,
    "intermediate_size": 80,
    "num_attention_heads": 6,
    "num_key_value_heads": 2,
    "rms_norm_eps": 1e-5,
    "vocab_size": 97,
    "max_position_embeddings": 4096,
}
LLAMA_3 = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 128,
}
SHAPES = {
    "tied": SHAPE,
    "own head": {**SHAPE, "tie_word_embeddings": False},
    "linear": {**SHAPE, "rope_scaling": {"type": "linear", "factor": 2.0}},
    "llama 3": {**SHAPE, "rope_scaling": LLAMA_3, "rope_theta": 500_000},
    "every head its own": {**SHAPE, "num_key_value_heads": 6, "head_dim": 16},
}


def network(shape: dict[str, Any]) -> Any:
    """Random weights that are large enough for attention to be sharp."""
    mx.random.seed(7)
    made = llama.Model(llama.ModelArgs.from_dict(shape))
    made.update(tree_map(lambda weight: weight * 2, made.parameters()))
    mx.eval(made.parameters())
    return made


def tokens(*shape: int) -> Any:
    return mx.random.randint(0, SHAPE["vocab_size"], shape)


def last(logits: mx.array) -> Array:
    return np.array(logits[:, -1])


def both(plain: Any, steps: list[Any], padding: list[int] | None = None) -> tuple[Array, Array]:
    """The logits after each step, as mlx-lm has them and as we do."""
    found = []
    for computed in (plain, cpu_llama.accelerate(plain)):
        kept: list[Any] = [
            KVCache() if padding is None else BatchKVCache(padding) for _ in plain.layers
        ]
        found.append(np.stack([last(computed(step, cache=kept)) for step in steps]))
    return found[0], found[1]


def assert_same(pair: tuple[Array, Array]) -> None:
    plain, ours = pair
    assert np.abs(plain).max() > 1  # not a comparison of noughts
    np.testing.assert_allclose(ours, plain, atol=2e-3, rtol=1e-4)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_it_says_what_mlx_lm_says(shape: dict[str, Any]) -> None:
    assert_same(both(network(shape), [tokens(1, 300), tokens(1, 1), tokens(1, 1)]))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from([1, 2, 63, 64, 65, 128, 256, 300, 600]), min_size=1, max_size=4))
def test_steps_of_any_length(lengths: list[int]) -> None:
    """A step that fills the cache to its end (256) among them, and one of several parts."""
    assert_same(both(network(SHAPE), [tokens(1, length) for length in lengths]))


def test_several_sequences_of_different_lengths() -> None:
    steps = [tokens(3, 70), tokens(3, 1), tokens(3, 1)]
    assert_same(both(network(SHAPE), steps, padding=[0, 5, 69]))


def test_a_cache_that_is_still_wanted_is_left_as_it_is() -> None:
    """The prefix cache keeps what an answer began with, and the next one goes on from it."""
    ours = cpu_llama.accelerate(network(SHAPE))
    kept = ours.make_cache()
    prompt = tokens(1, 40)
    ours(prompt, cache=kept)
    snapshot = [cache.keys_and_values() for cache in kept]
    before = [np.array(part) for pair in snapshot for part in pair]
    for cache in kept:
        cache.trim(20)
    ours(tokens(1, 30), cache=kept)
    after = [np.array(part) for pair in snapshot for part in pair]
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))


def test_a_failure_in_one_part_does_not_leave_the_others_waiting() -> None:
    ours = cpu_llama.accelerate(network(SHAPE))
    unknown = mx.concatenate([tokens(1, 100), mx.full((1, 1), 10_000), tokens(1, 500)], axis=1)
    with pytest.raises(IndexError):
        ours(unknown)


def test_what_it_does_not_know_is_left_to_mlx() -> None:
    biased = llama.Model(llama.ModelArgs.from_dict({**SHAPE, "attention_bias": True}))
    sliding = {**SHAPE, "sliding_window": 8, "layer_types": ["full_attention"] * 2}
    sliding["layer_types"] += ["sliding_attention"]
    for other in (
        biased,
        llama.Model(llama.ModelArgs.from_dict(sliding)),
        qwen2.Model(qwen2.ModelArgs.from_dict(SHAPE)),
    ):
        assert cpu_llama.accelerate(other) is other


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 9), st.tuples(*3 * [st.booleans()]))
def test_a_product_of_any_layout(
    rows: int, inner: int, columns: int, how: tuple[bool, bool, bool]
) -> None:
    """Transposed or not, and a part of a larger matrix."""
    random = np.random.default_rng(rows + 10 * inner + 100 * columns)

    def matrix(height: int, width: int, turned: bool) -> Array:
        shape = (width, height) if turned else (height, width)
        whole = random.standard_normal((shape[0] + 1, shape[1] + 3 * how[2]), dtype=np.float32)
        part = whole[1:, : shape[1]]
        return part.T if turned else part

    a, b = matrix(rows, inner, how[0]), matrix(inner, columns, how[1])
    np.testing.assert_allclose(product(a, b), a @ b, atol=1e-5)


def test_a_step_is_longer_where_it_is_read_faster(on_gpu: bool) -> None:
    """A step is what embedding and a cancelled answer wait for."""
    plain = network(SHAPE)
    faster = Limits.of(cpu_llama.accelerate(plain), ALLOWED, "cpu").prefill_tokens
    assert on_gpu or Limits.of(plain, ALLOWED, "cpu").prefill_tokens < faster
