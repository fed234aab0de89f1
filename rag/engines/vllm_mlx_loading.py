"""A model's folder to a vllm-mlx engine. All of it runs on the MLX thread."""

from __future__ import annotations

import functools
import importlib
import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from rag.compute import mlx_runtime
from rag.compute.import_patches import defer_package_init
from rag.compute.machine import Machine
from rag.compute.mlx_runtime import Device, MLXThread
from rag.config import Settings
from rag.disk import cannot_write
from rag.engines import kept_files
from rag.engines.chat_template import ChatTemplate
from rag.engines.kept_prompts import KeptPrompts, identity
from rag.engines.prompt_ids import PromptIds
from rag.errors import ModelLoadFailed
from rag.models import registry
from rag.models.memory import Allowance, Footprint, allowance, require_room

if TYPE_CHECKING:
    from vllm_mlx.engine_core import EngineCore

# What `load` needs, for those who would import it in steps.
LIBRARIES = ("transformers", "mlx_lm", "vllm_mlx.engine_core")
# The shortest common prefix, in tokens, that the cache reuses. vllm-mlx's own limit of 128, which
# its SchedulerConfig cannot change, is longer than the instructions that every prompt begins with.
_SHARED_TOKENS = 32
# Tokens beyond what is cached from which vllm-mlx caches a prompt anew, where caches cannot be cut
# back. Its own 4096 are several turns. It keeps one such entry a conversation.
_REFRESH_TOKENS = 256
# mlx-lm 0.32.2 adds a mask of another rank to Gemma 2's scores: a batch fails.
_ONE_AT_A_TIME = ("gemma2",)
# transformers would ask on the terminal whether to run a tokenizer's own code.
_NO_CODE = {"trust_remote_code": False}


@dataclass(frozen=True, slots=True)
class Limits:
    """How much runs at once, and how much is kept. A step is what cancelling and embedding wait
    for."""

    concurrency: int  # sequences that decode together; more requests wait
    prefill_tokens: int  # of one prompt in one step
    prefill_prompts: int  # prompts that share such a step
    cache_bytes: int = 1 << 30  # of the prefix cache

    @classmethod
    def of(cls, network: Any, allowed: Allowance, device: Device) -> Limits:
        """What suits the machine. On a CPU a step takes 0.7 s, by MLX or by CPULlama."""
        if device == "cpu":
            from rag.compute.cpu_llama import CPULlama

            tokens = network.step if isinstance(network, CPULlama) else 128
            kept = min(allowed.cache_bytes, 1 << 30)
            return cls(min(8, allowed.at_once), tokens, prefill_prompts=1, cache_bytes=kept)
        return cls(
            allowed.at_once, allowed.prefill_tokens, allowed.prefill_prompts, allowed.cache_bytes
        )


def import_library(name: str) -> None:
    """One of LIBRARIES."""
    importlib.import_module(name)


def _bind_for_text() -> None:
    """Bind vllm-mlx's streams for text models alone: binding mlx_vlm's would import it (0.2 s)."""
    from vllm_mlx import engine_core
    from vllm_mlx.mlx_streams import bind_generation_streams

    bind = functools.partial(bind_generation_streams, ("mlx_lm.generate",))
    engine_core.bind_generation_streams = bind


def load(
    model: registry.Model,
    settings: Settings,
    context_tokens: int,
    thread: MLXThread,
    limits: Limits | None = None,
) -> tuple[EngineCore, PromptIds, Limits]:
    """The model on an engine that steps on `thread`. Without `limits`, with what suits machine and
    model. Raises ModelLoadFailed.
    """
    _bind_for_text()
    # It tells of each request at INFO, and warns of hooks that this mlx-lm does without.
    logging.getLogger("vllm_mlx").setLevel(logging.ERROR)
    machine = Machine.here()
    footprint = Footprint.of(model.folder, device=machine.device)
    require_room(model.name, footprint, context_tokens, machine)
    allowed = allowance(footprint, context_tokens, machine)
    _bound_memory(machine, allowed)
    network, tokenizer = _network(model)
    limits = limits or Limits.of(network, allowed, machine.device)
    if getattr(network, "model_type", "") in _ONE_AT_A_TIME:
        limits = replace(limits, concurrency=1, prefill_prompts=1)
    core = _core(model, network, tokenizer, limits, thread, settings.prefix_cache_bits)
    template = ChatTemplate(tokenizer, thinking=settings.thinking)
    return core, PromptIds(template, rewinds=_rewinds(network)), limits


def kept_prompts(
    model: registry.Model, settings: Settings, prompts: PromptIds, core: EngineCore
) -> KeptPrompts | None:
    """What the model read before a restart, where the settings give it room on disk. `prompts`
    remembers what was said then. Raises StoreError."""
    if not settings.prefix_cache_disk_mb:
        return None
    facts = (model.revision, mlx_runtime.device(), settings.prefix_cache_bits, type(core.model))
    root = kept_files.root(settings.cache)
    try:
        kept = KeptPrompts(
            root,
            identity(model.folder, *facts),
            limit=settings.prefix_cache_disk_mb << 20,
            rewinds=prompts.rewinds,
        )
    except OSError as error:
        raise cannot_write(root, error) from error
    for key, ids in kept.said():
        prompts.restore(key, ids)
    return kept


def _core(
    model: registry.Model,
    network: Any,
    tokenizer: Any,
    limits: Limits,
    thread: MLXThread,
    cache_bits: int | None,
) -> EngineCore:
    from vllm_mlx.engine_core import EngineConfig, EngineCore
    from vllm_mlx.memory_cache import MemoryAwarePrefixCache, MemoryCacheConfig
    from vllm_mlx.scheduler import SchedulerConfig

    config = SchedulerConfig(
        max_num_seqs=limits.concurrency,
        completion_batch_size=limits.concurrency,
        prefill_batch_size=limits.prefill_prompts,
        prefill_step_size=limits.prefill_tokens,
        # No max_kv_size: that would forget a prompt's beginning. `stream` refuses what is too long.
    )
    kept = MemoryCacheConfig(
        max_memory_mb=limits.cache_bytes >> 20,
        min_prefix_tokens=_SHARED_TOKENS,
        kv_quantize=cache_bits is not None,
        kv_bits=cache_bits or 8,
    )
    # It is asked for its version alone, which names the cache on disk.
    with defer_package_init("mlx_vlm"):
        core = EngineCore(
            network,
            tokenizer,
            EngineConfig(model_name=model.name, scheduler_config=config),
            generation_worker=thread.executor,
        )
        core.scheduler.memory_aware_cache = MemoryAwarePrefixCache(network, kept)
    core.scheduler.SNAPSHOT_REFRESH_TOKENS = _REFRESH_TOKENS
    return core


def _bound_memory(machine: Machine, allowed: Allowance) -> None:
    """MLX's own limits on a GPU: what it may take, and what it keeps of freed buffers."""
    import mlx.core as mx

    if machine.device != "cpu":
        mx.set_memory_limit(machine.usable)
        mx.set_cache_limit(allowed.buffer_bytes)


def _rewinds(network: Any) -> bool:
    """Whether the cache of a conversation can be cut back to any token: not where layers keep a
    window of it, or a state."""
    from mlx_lm.models.cache import KVCache, make_prompt_cache

    return all(type(layer) is KVCache for layer in make_prompt_cache(network))


def _network(model: registry.Model) -> tuple[Any, Any]:
    """The neural network and its tokenizer, ready to compute."""
    import mlx.core as mx
    from mlx_lm.utils import load_config, load_model, load_tokenizer

    try:
        with ThreadPoolExecutor(1) as aside:  # MLX lets go of the GIL while it reads the weights
            ends = load_config(model.folder).get("eos_token_id")
            reading = aside.submit(load_tokenizer, model.folder, _NO_CODE, eos_token_ids=ends)
            network, _ = load_model(model.folder)
            tokenizer = reading.result()
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        RuntimeError,
        ImportError,
    ) as error:
        raise ModelLoadFailed(
            f"{model.name} cannot be loaded from {model.folder}: {error}",
            hint="Check that mlx-lm supports it, or name another model with --model.",
        ) from error
    if not tokenizer.has_chat_template:
        raise ModelLoadFailed(
            f"{model.name} has no chat template", hint="Name a model tuned to follow instructions."
        )
    if mlx_runtime.device() == "cpu":  # anything but float32 is 10 to 100 times slower there
        network.set_dtype(mx.float32)
        mx.eval(network.parameters())
        from rag.compute import cpu_llama

        network = cpu_llama.accelerate(network)
    return network, tokenizer
