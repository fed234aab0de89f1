"""GGUF files of the families that are imported, in K-quants: the logits of the weights they hold.

The files are written here, with the names that llama.cpp's own package gives to tensors.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import numpy.typing as npt
import pytest
import tiny_models
from gguf import GGMLQuantizationType as Quant
from typer.testing import CliRunner

from cli.main import create_cli
from rag.compute.mlx_runtime import MLXThread
from rag.config import Settings
from rag.engines.vllm_mlx import VLLMMLXEngine
from rag.errors import ModelLoadFailed
from rag.models import gguf as imports
from rag.models import listing, registry
from rag.types import Message

Array = npt.NDArray[np.float32]
HEADS, KV_HEADS, LAYERS, HIDDEN = 4, 2, 2, 256
ARCHITECTURES = {
    "llama": gguf.MODEL_ARCH.LLAMA,
    "qwen2": gguf.MODEL_ARCH.QWEN2,
    "qwen3": gguf.MODEL_ARCH.QWEN3,
}
PRE = {"llama": "llama-bpe", "qwen2": "qwen2", "qwen3": "qwen2"}


def blocks(
    rows: int, columns: int, kind: Quant, random: np.random.Generator
) -> npt.NDArray[np.uint8]:
    """Random quantised rows, of a size that a network can bear."""
    size, width = gguf.GGML_QUANT_SIZES[kind]
    made = random.integers(0, 256, (rows, columns // size, width), dtype=np.uint8)
    scale = np.array([0.002], dtype=np.float16).view(np.uint8)
    if kind == Quant.Q4_K:
        made[..., 0:2], made[..., 2:4] = scale, scale
    elif kind == Quant.Q6_K:
        made[..., -2:] = np.array([2e-5], dtype=np.float16).view(np.uint8)
    elif kind == Quant.Q8_0:
        made[..., 0:2] = np.array([1e-3], dtype=np.float16).view(np.uint8)
    return made.reshape(rows, -1)


def interleaved(weight: Any, heads: int) -> Any:
    """As llama.cpp's converter does it for Llama."""
    rows = weight.reshape(heads, 2, weight.shape[0] // heads // 2, *weight.shape[1:])
    return rows.swapaxes(1, 2).reshape(weight.shape)


def write_gguf(file: Path, family: str, kind: Quant) -> dict[str, Array]:
    """The file; the weights that it holds, by Hugging Face's names."""
    random = np.random.default_rng(0)
    writer = gguf.GGUFWriter(file, family)
    _write_metadata(writer, file.parent / family)
    names = gguf.get_tensor_name_map(ARCHITECTURES[family], LAYERS)
    held: dict[str, Array] = {}
    for name, shape in _shapes(family).items():
        stem, _, ending = name.rpartition(".")
        told = f"{names.get_name(stem)}.{ending}"
        if len(shape) == 1:
            held[name] = (1 + 0.1 * random.standard_normal(shape)).astype(np.float32)
            writer.add_tensor(told, held[name])
            continue
        data = blocks(*shape, kind, random)
        held[name] = gguf.quants.dequantize(data, kind)
        if family == "llama" and stem.endswith(("q_proj", "k_proj")):
            data = interleaved(data, HEADS if stem.endswith("q_proj") else KV_HEADS)
        writer.add_tensor(told, data, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return held


def _write_metadata(writer: gguf.GGUFWriter, folder: Path) -> None:
    folder.mkdir()
    vocabulary = tiny_models.write_tokenizer(folder, tiny_models.FAMILIES["qwen3-2507-instruct"])
    tokens = [*sorted(vocabulary, key=lambda text: vocabulary[text]), "ab"]
    writer.add_context_length(2048)
    writer.add_embedding_length(HIDDEN)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(512)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10_000.0)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(PRE[writer.arch])
    writer.add_token_list(tokens)
    writer.add_token_types([3 if text.startswith("<|") else 1 for text in tokens])
    writer.add_token_merges(["a b"])
    writer.add_eos_token_id(vocabulary["<|im_end|>"])
    writer.add_chat_template(tiny_models.FAMILIES["qwen3-2507-instruct"].template)


def _shapes(family: str) -> dict[str, tuple[int, ...]]:
    size, kv = HIDDEN // HEADS, HIDDEN // HEADS * KV_HEADS
    found: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (262, HIDDEN)}
    for layer in range(LAYERS):
        own = f"model.layers.{layer}"
        linear = {
            "self_attn.q_proj": (HIDDEN, HIDDEN),
            "self_attn.k_proj": (kv, HIDDEN),
            "self_attn.v_proj": (kv, HIDDEN),
            "self_attn.o_proj": (HIDDEN, HIDDEN),
            "mlp.gate_proj": (512, HIDDEN),
            "mlp.up_proj": (512, HIDDEN),
            "mlp.down_proj": (HIDDEN, 512),
        }
        found |= {f"{own}.{name}.weight": shape for name, shape in linear.items()}
        norms = ["input_layernorm", "post_attention_layernorm"]
        found |= {f"{own}.{name}.weight": (HIDDEN,) for name in norms}
        if family == "qwen2":
            found |= {
                f"{own}.self_attn.{n}_proj.bias": (HIDDEN if n == "q" else kv,) for n in "qkv"
            }
        if family == "qwen3":
            found |= {f"{own}.self_attn.{n}_norm.weight": (size,) for n in "qk"}
    return {**found, "model.norm.weight": (HIDDEN,)}


def logits(folder: Path, weights: dict[str, Array] | None = None) -> Array:
    """What the model in a folder says of a few tokens; with `weights` in place of its own."""
    import mlx.core as mx
    from mlx_lm.utils import load_model

    network, _ = load_model(folder)
    if weights is not None:
        network.load_weights([(name, mx.array(value)) for name, value in weights.items()])
    network.set_dtype(mx.float32)
    return np.array(network(mx.array([[65, 66, 67, 200, 3]])))


@pytest.mark.parametrize("kind", [Quant.Q4_K, Quant.Q6_K, Quant.Q8_0])
@pytest.mark.parametrize("family", ARCHITECTURES)
async def test_an_imported_file_says_what_its_weights_say(
    family: str, kind: Quant, tmp_path: Path, mlx_thread: MLXThread
) -> None:
    held = write_gguf(tmp_path / "model.gguf", family, kind)
    folder = tmp_path / "out" / "model"
    await mlx_thread.run(imports.import_gguf, tmp_path / "model.gguf", folder, form="float32")
    expected = await mlx_thread.run(logits, folder, held)
    found = await mlx_thread.run(logits, folder)
    assert np.abs(expected).max() > 0.1
    np.testing.assert_allclose(found, expected, atol=1e-4, rtol=1e-4)


async def test_eight_bits_are_near(tmp_path: Path, mlx_thread: MLXThread) -> None:
    held = write_gguf(tmp_path / "model.gguf", "qwen3", Quant.Q4_K)
    folder = tmp_path / "out" / "model"
    await mlx_thread.run(imports.import_gguf, tmp_path / "model.gguf", folder, form="8bit")
    config = json.loads((folder / "config.json").read_text())
    assert config["quantization"] == {"group_size": 64, "bits": 8}
    found = await mlx_thread.run(logits, folder)
    plain = tmp_path / "out" / "plain"
    await mlx_thread.run(imports.import_gguf, tmp_path / "model.gguf", plain, form="float32")
    expected = await mlx_thread.run(logits, plain, held)
    assert np.abs(found - expected).max() < 0.05 * np.abs(expected).max()


async def test_a_gguf_file_answers_and_is_imported_once(
    tmp_path: Path, mlx_thread: MLXThread
) -> None:
    file = tmp_path / "my model.gguf"
    write_gguf(file, "qwen2", Quant.Q4_K)
    settings = Settings(chat_model=str(file), cache=tmp_path / "cache", home=tmp_path)
    told: list[str] = []
    engine = await VLLMMLXEngine.open(settings, mlx_thread, notify=told.append)
    stream = engine.stream([Message("user", "Hello")], max_tokens=4, temperature=0)
    pieces = [piece async for piece in stream]
    await engine.close()
    assert pieces[-1].finish is not None
    assert told[0].startswith("Importing my model.gguf (once")
    assert any("%" in line for line in told)
    again: list[str] = []
    first = await mlx_thread.run(registry.chat_model, settings, again.append)
    assert again == []
    file.touch()  # another file now, as far as can be told
    assert (await mlx_thread.run(registry.chat_model, settings)).folder != first.folder


def test_the_command_adds_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAG_CACHE", str(tmp_path / "cache"))
    write_gguf(tmp_path / "model.gguf", "llama", Quant.Q4_K)
    added = CliRunner().invoke(create_cli(), ["models", "add", str(tmp_path / "model.gguf")])
    assert added.exit_code == 0, added.stderr
    folder = next((tmp_path / "cache" / "models").iterdir())
    assert str(folder) in added.stderr
    missing = CliRunner().invoke(create_cli(), ["models", "add", str(tmp_path / "none.gguf")])
    assert missing.exit_code != 0
    assert "no file" in missing.stderr


def test_files_of_lm_studio_are_listed_with_what_their_heads_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mlx_thread: MLXThread
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    settings = Settings(cache=tmp_path / "cache", chat_model=str(tmp_path / "own.gguf"))
    folder = tmp_path / ".lmstudio" / "models" / "owner" / "repository"
    folder.mkdir(parents=True)
    write_gguf(folder / "model.gguf", "qwen2", Quant.Q4_K)
    whole = (folder / "model.gguf").read_bytes()
    (tmp_path / "own.gguf").write_bytes(whole)
    for name, content in {"empty": b"", "text": b"no model", "cut": whole[:60]}.items():
        (folder / f"{name}.gguf").write_bytes(content)
    (folder / "gemma.gguf").write_bytes(whole.replace(b"qwen2", b"gemma"))
    (folder / "mmproj-model.gguf").write_bytes(whole)  # the eyes of a model, no model

    def rows() -> dict[str, listing.ModelRow]:
        found = (row for row in listing.list_models(settings) if row.name.endswith(".gguf"))
        return {Path(row.name).stem: row for row in found}

    made = rows()
    assert set(made) == {"own", "model", "empty", "text", "cut", "gemma"}
    for name in ("own", "model"):
        row = made[name]
        assert (row.state, row.family, row.tried, row.unusable) == ("file", "qwen2", True, "")
    assert made["own"].used
    assert made["own"].needs is None  # not imported yet
    assert "gemma" in made["gemma"].unusable
    assert all(made[name].unusable for name in ("empty", "text", "cut"))
    mlx_thread.executor.submit(registry.import_file, tmp_path / "own.gguf", settings).result()
    assert (rows()["own"].needs or 0) > 0
    assert len(listing.list_models(settings)) == len(
        {r.path for r in listing.list_models(settings)}
    )


def test_an_added_file_is_listed_by_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mlx_thread: MLXThread
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    settings = Settings(cache=tmp_path / "cache")
    before = listing.list_models(settings)
    write_gguf(tmp_path / "downloaded.gguf", "qwen2", Quant.Q4_K)
    added = mlx_thread.executor.submit(
        registry.import_file, tmp_path / "downloaded.gguf", settings
    ).result()
    (row,) = [r for r in listing.list_models(settings) if r.name not in {b.name for b in before}]
    assert (row.name, row.role, row.state) == (str(added.folder), "chat", "folder")
    assert (row.needs or 0) > 0


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("tokenizer.ggml.model", "llama", "not byte-level"),
        ("tokenizer.ggml.pre", "tekken", "not known"),
        ("general.architecture", "gemma3", "architecture is gemma3"),
    ],
)
async def test_what_is_not_understood_is_refused(
    key: str, value: str, said: str, tmp_path: Path, mlx_thread: MLXThread
) -> None:
    file = tmp_path / "model.gguf"
    write_gguf(file, "qwen2", Quant.Q4_K)
    old = {"tokenizer.ggml.model": b"gpt2", "tokenizer.ggml.pre": b"qwen2"}.get(key, b"qwen2")
    field = np.array([len(old)], dtype=np.uint64).tobytes() + old
    head = key.encode() + np.array([8], dtype=np.uint32).tobytes()
    new = np.array([len(value)], dtype=np.uint64).tobytes() + value.encode()
    content = file.read_bytes()
    assert content.count(head + field) == 1
    # What stands behind the metadata is aligned: the rest is moved by as much as the value grew.
    file.write_bytes(content.replace(head + field, head + new))
    with pytest.raises(ModelLoadFailed, match=said):
        await mlx_thread.run(imports.import_gguf, file, tmp_path / "o" / "m", form="float32")
    assert list((tmp_path / "o").iterdir()) == []


@pytest.mark.parametrize("factor", [8.0, 32.0])
def test_llama_3_s_positions_are_known_by_their_factors(factor: float) -> None:
    """transformers' rule (llama3), written out anew: the factors of each frequency."""
    size, base = 64, 500_000.0
    lengths = 2 * np.pi * base ** (np.arange(0, size, 2) / size)
    factors = []
    for length in lengths:
        if length < 8192 / 4:
            factors.append(1.0)
        elif length > 8192:
            factors.append(factor)
        else:
            smooth = (8192 / length - 1) / (4 - 1)
            factors.append(1 / ((1 - smooth) / factor + smooth))
    config = {"head_dim": size, "rope_theta": base}
    told = imports._rope_scaling(config, np.array(factors, dtype=np.float32))
    assert told["factor"] == factor
    with pytest.raises(ValueError, match="not known"):
        imports._rope_scaling(config, np.array(factors[::-1], dtype=np.float32))
