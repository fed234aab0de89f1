"""What memory allows: defaults, limits, refusals. Macs are made up here, of any size."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import tiny_models
import typer
from typer.testing import CliRunner, Result

from cli.offer import offer_default
from rag.compute.machine import Machine, main_memory
from rag.compute.mlx_runtime import MLXThread
from rag.config import Settings
from rag.engines.vllm_mlx import VLLMMLXEngine
from rag.errors import ModelLoadFailed
from rag.models import defaults, registry
from rag.models.defaults import DEFAULTS
from rag.models.description import TRIED, describe
from rag.models.memory import Footprint, allowance, require_room
from rag.types import Message

GIB = 1 << 30
LLAMA_3B: dict[str, object] = {
    "num_hidden_layers": 28,
    "num_attention_heads": 24,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "hidden_size": 3072,
    "quantization": {"bits": 4},
}


def mac(gib: int) -> Machine:
    """Apple silicon with so much memory, of which Metal recommends 70%."""
    return Machine("metal", gib * GIB, int(0.7 * gib * GIB))


def footprint(folder: Path, config: dict[str, object], weights: int = 0) -> Footprint:
    (folder / "config.json").write_text(json.dumps(config))
    with (folder / "model.safetensors").open("wb") as file:
        file.truncate(weights)  # sparse: no disk is filled
    return Footprint.of(folder, device="metal")


# ── defaults ──────────────────────────────────────────────────────────────────────────────────


def test_larger_machines_get_larger_defaults() -> None:
    sizes = [defaults.suited(mac(gib)) for gib in (4, 8, 16, 24, 32, 64, 128)]
    found = [default.size for default in sizes if default is not None]
    assert found == sorted(found)
    assert len(set(found)) == len(DEFAULTS)
    assert defaults.suited(Machine("cpu", 512 * GIB, 400 * GIB)) is None


@pytest.mark.parametrize("gib", [8, 16, 24, 32, 64, 128])
def test_a_default_fits_its_machine(gib: int) -> None:
    best = defaults.suited(mac(gib))
    assert best is not None
    assert best.size < 0.8 * mac(gib).usable


def test_a_default_that_is_not_here_is_not_downloaded(settings: Settings) -> None:
    name, why = registry.chat_choice(settings, mac(16))
    missing = registry.missing_default(settings, mac(16))
    assert name == registry.BUNDLED_CHAT
    assert missing is not None
    assert missing.name in why
    assert "16.0 GiB" in why
    named = settings.model_copy(update={"chat_model": "owner/mine"})
    assert registry.missing_default(named, mac(16)) is None
    assert registry.chat_choice(named, mac(16)) == ("owner/mine", "configured")


def offered(settings: Settings, typed: str) -> Result:
    app = typer.Typer()

    @app.command()
    def ask() -> None:
        offer_default(settings, mac(16))

    return CliRunner().invoke(app, [], input=typed)


def test_it_is_offered_once_with_its_size(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, cache=tmp_path)
    first, second = offered(settings, "n\n"), offered(settings, "")
    assert "2.3 GB" in first.stderr
    assert registry.BUNDLED_CHAT in first.stderr
    assert first.exit_code == second.exit_code == 0
    assert second.output == ""


# ── limits ────────────────────────────────────────────────────────────────────────────────────


def test_more_memory_allows_more_and_never_more_than_there_is(tmp_path: Path) -> None:
    told = footprint(tmp_path, LLAMA_3B, 1_800_000_000)
    assert told.conversation(8192) == 28 * 8 * 128 * 2 * 2 * 8192
    last = allowance(told, 8192, mac(4))
    for gib in (8, 16, 32, 64, 128):
        now = allowance(told, 8192, mac(gib))
        assert now.at_once >= last.at_once
        assert now.cache_bytes >= last.cache_bytes
        assert now.prefill_tokens >= last.prefill_tokens
        used = told.weights + now.at_once * told.conversation(8192) + now.cache_bytes
        assert used + now.buffer_bytes < mac(gib).usable, gib
        last = now
    assert allowance(told, 8192, mac(8)).at_once == 1
    assert last.at_once == 32


def test_a_model_that_cannot_fit_is_refused_with_figures(tmp_path: Path) -> None:
    told = footprint(tmp_path, LLAMA_3B, 12 * 10**9)
    require_room("large", told, 8192, mac(32))
    with pytest.raises(ModelLoadFailed, match=r"large needs 12\.6 GiB \(11\.2 GiB of w") as caught:
        require_room("large", told, 8192, mac(16))
    assert "16.0 GiB here a model may take 11.2 GiB" in str(caught.value)
    assert "rag models" in caught.value.hint


@pytest.mark.parametrize(
    ("config", "full", "windows"),
    [
        ({}, 4, 0),
        (
            {"layer_types": [*["sliding_attention"] * 3, "full_attention"], "sliding_window": 8},
            1,
            3,
        ),
        ({"sliding_window_pattern": 4, "sliding_window": 8}, 1, 3),
        ({"full_attention_interval": 4}, 1, 0),
        ({"layer_types": ["conv", "conv", "full_attention", "conv"]}, 1, 0),
    ],
)
def test_layers_count_by_what_they_keep(
    tmp_path: Path, config: dict[str, object], full: int, windows: int
) -> None:
    shape = {"num_hidden_layers": 4, "num_attention_heads": 2, "hidden_size": 16}
    one = 2 * 2 * 16  # keys and values, half precision
    for told in ({**shape, **config}, {"text_config": {**shape, **config}}):
        found = footprint(tmp_path, told)
        assert (found.per_token, found.windows) == (one * full, one * windows * 8)


def test_a_config_in_words_of_its_own_is_no_obstacle(tmp_path: Path) -> None:
    assert footprint(tmp_path, {"n_layer": 4}).per_token > 0


async def test_an_engine_refuses_before_it_loads(tmp_path: Path, mlx_thread: MLXThread) -> None:
    """Weights of many terabytes, which are holes on the disk."""
    folder = tmp_path / "huge"
    await mlx_thread.run(tiny_models.write_model, folder, "llama-3.2")
    with (folder / "model-2.safetensors").open("wb") as file:
        file.truncate(1 << 43)
    with pytest.raises(ModelLoadFailed, match="of weights"):
        await VLLMMLXEngine.open(Settings(chat_model=str(folder)), mlx_thread)


def test_this_machine_has_memory() -> None:
    machine = Machine.here()
    assert 0 < machine.usable < machine.memory
    assert main_memory() > 1 << 28


@pytest.mark.parametrize(("bits", "share"), [(8, 0.35), (4, 0.2)])
async def test_a_prefix_cache_of_fewer_bits_is_smaller_and_still_hit(
    chat_folder: Path, mlx_thread: MLXThread, bits: int, share: float
) -> None:
    first = [Message("user", "The capital of France is Paris. " * 40 + "Which city is it?")]
    second = [*first, Message("assistant", "Paris."), Message("user", "Sure?")]
    held: list[int] = []
    for chosen in (None, bits):
        settings = Settings(chat_model=str(chat_folder), prefix_cache_bits=chosen)
        engine = await VLLMMLXEngine.open(settings, mlx_thread)
        for messages in (first, second):
            stream = engine.stream(messages, max_tokens=8, temperature=0)
            finish = [piece async for piece in stream][-1].finish
        assert finish is not None
        assert finish.cached_tokens > 0.8 * finish.prompt_tokens
        held.append(engine._core.scheduler.memory_aware_cache._current_memory)
        await engine.close()
    assert held[1] < share * held[0]


# ── what models say of themselves ─────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", tiny_models.FAMILIES)
def test_every_family_is_known_as_a_chat_model(name: str, tmp_path: Path) -> None:
    family = tiny_models.FAMILIES[name]
    tiny_models.write_tokenizer(tmp_path, family)
    (tmp_path / "config.json").write_text(json.dumps(family.config))
    (tmp_path / "README.md").write_text("---\nlanguage: en\nlicense: apache-2.0\n---\nA model.\n")
    told = describe(tmp_path)
    assert (told.role, told.licence, told.tried) == ("chat", "apache-2.0", True)
    assert told.thinks or not family.thinks
    assert told.family in TRIED


@pytest.mark.parametrize(
    ("family", "architecture", "file", "role"),
    [
        ("bert", "BertModel", "", "embedding"),
        ("qwen3", "Qwen3ForCausalLM", "modules.json", "embedding"),
        ("xlm-roberta", "XLMRobertaForSequenceClassification", "", "reranker"),
        ("whisper", "WhisperForConditionalGeneration", "", "other"),
        ("llama", "LlamaForCausalLM", "", "chat"),
        ("gemma3", "Gemma3ForConditionalGeneration", "chat_template.jinja", "chat"),
    ],
)
def test_roles(tmp_path: Path, family: str, architecture: str, file: str, role: str) -> None:
    config = {"model_type": family, "architectures": [architecture]}
    (tmp_path / "config.json").write_text(json.dumps(config))
    if file:
        (tmp_path / file).write_text("[]")
    assert describe(tmp_path).role == role


@pytest.mark.parametrize("text", ["", "[]", "{"])
def test_a_broken_folder_does_not_hide_the_others(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.json").write_text(text)
    (tmp_path / "tokenizer_config.json").write_text("[]")
    assert describe(tmp_path).role == "other"
