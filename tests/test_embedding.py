"""The embedders of MiniLM against a float64 reference, and what they do with odd input."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from bert_reference import BertReference
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file
from tokenizers import Tokenizer

from rag.compute.mlx_runtime import MLXThread
from rag.config import Settings
from rag.embedders.factory import open_embedder, open_model
from rag.embedders.mlx_embedder import MLXEmbedder
from rag.embedders.model_config import read_model_config
from rag.embedders.model_embedder import ModelEmbedder, by_length
from rag.embedders.onnx_embedder import ONNXEmbedder
from rag.errors import ConfigError, EmbeddingError, ModelLoadFailed
from rag.models import registry

LONG = "The committee met on Tuesday and adjourned without a decision. " * 60
TEXTS = [
    "What is the capital of France?",
    "",
    "😀 naïve café — 漢字かな交じり文 \u0000\ufffd",
    LONG,
    "word",
    "   \n\t ",
    LONG[:700],
    "Revenue 2018: $1,234.5 million (2017: $1,101.2 million)",
]


@pytest.fixture(scope="session")
def folder() -> Path:
    return registry.embedding_folder(Settings())


@pytest.fixture(scope="session")
def embedders(mlx_thread: MLXThread, shared_cache: Path) -> Iterator[dict[str, ModelEmbedder]]:
    opened = {
        name: open_model(Settings(cache=shared_cache, embedding_backend=name), mlx_thread)
        for name in ("onnx", "mlx")
    }
    yield opened
    for embedder in opened.values():
        asyncio.run(embedder.close())


@pytest.fixture(params=["onnx", "mlx"])
def embedder(request: pytest.FixtureRequest, embedders: dict[str, ModelEmbedder]) -> ModelEmbedder:
    return embedders[request.param]


def reference_ids(folder: Path, text: str) -> list[int]:
    """By hand: no truncation but ours, which keeps [SEP] at the end."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    ids = tokenizer.encode(text).ids
    return ids if len(ids) <= 256 else [*ids[:255], 102]


@pytest.fixture(scope="session")
def reference(folder: Path) -> list[np.ndarray]:
    """Token states of TEXTS, special tokens included."""
    bert = BertReference(folder)
    return [bert.states(reference_ids(folder, text)) for text in TEXTS]


@pytest.fixture
def half(embedder: ModelEmbedder, on_gpu: bool) -> bool:
    """Whether it computes in half precision."""
    return on_gpu and isinstance(embedder, MLXEmbedder)


async def test_vectors_are_the_reference(
    embedder: ModelEmbedder, half: bool, reference: list[np.ndarray]
) -> None:
    expected = np.array([states.mean(axis=0) for states in reference])
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    vectors = await embedder.embed_documents(TEXTS)
    assert vectors.dtype == np.float32
    assert vectors.shape == (len(TEXTS), 384) == (len(TEXTS), embedder.dimensions)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    assert (vectors * expected).sum(axis=1).min() > 1 - (1e-4 if half else 1e-6)
    np.testing.assert_allclose(vectors, expected, atol=2e-3 if half else 2e-6)


@given(chosen=st.lists(st.integers(0, len(TEXTS) - 1), min_size=1, max_size=8))
@hypothesis_settings(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_vector_depends_on_its_text_alone(
    embedder: ModelEmbedder, chosen: list[int], alone: Callable[[ModelEmbedder], np.ndarray]
) -> None:
    """Bit for bit, in any order and company: a resumed ingest gives the index of a whole one."""
    together = asyncio.run(embedder.embed_documents([TEXTS[index] for index in chosen]))
    assert together.tobytes() == alone(embedder)[chosen].tobytes()


@pytest.fixture(scope="session")
def alone() -> Callable[[ModelEmbedder], np.ndarray]:
    known: dict[int, np.ndarray] = {}

    def vectors(embedder: ModelEmbedder) -> np.ndarray:
        if id(embedder) not in known:
            rows = [asyncio.run(embedder.embed_documents([text])) for text in TEXTS]
            known[id(embedder)] = np.concatenate(rows)
        return known[id(embedder)]

    return vectors


async def test_a_query_is_a_document_where_the_model_has_no_prompts(
    embedder: ModelEmbedder,
) -> None:
    vector = await embedder.embed_query(TEXTS[0])
    assert vector.shape == (384,)
    assert vector.tobytes() == (await embedder.embed_documents(TEXTS[:1]))[0].tobytes()


async def test_no_texts(embedder: ModelEmbedder) -> None:
    assert (await embedder.embed_documents([])).shape == (0, 384)


async def test_calls_overlap(embedder: ModelEmbedder) -> None:
    lists = [TEXTS[:3], TEXTS[2:6], TEXTS[4:]]
    found = await asyncio.gather(*(embedder.embed_documents(texts) for texts in lists))
    whole = await embedder.embed_documents(TEXTS)
    for vectors, part in zip(found, (whole[:3], whole[2:6], whole[4:]), strict=True):
        assert vectors.tobytes() == part.tobytes()


@pytest.fixture
def many(half: bool) -> list[str]:
    """Texts that take the embedder a while."""
    return [f"{n} {LONG}" for n in range(2048 if half else 16)]


async def test_the_event_loop_goes_on(embedder: ModelEmbedder, many: list[str]) -> None:
    await embedder.embed_query("loaded")
    work = asyncio.create_task(embedder.embed_documents(many))
    turns = 0
    while not work.done():
        await asyncio.sleep(0.005)
        turns += 1
    assert turns > 5
    await work


async def test_a_cancelled_call_leaves_the_embedder_usable(
    embedder: ModelEmbedder, many: list[str]
) -> None:
    work = asyncio.create_task(embedder.embed_documents(many))
    await asyncio.sleep(0.05)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert (await embedder.embed_query("again")).shape == (384,)


def test_tokens_are_counted_without_the_model(folder: Path, tmp_path: Path) -> None:
    embedder = ONNXEmbedder(read_model_config(folder, "m"), cache=tmp_path)
    assert embedder.count_tokens(["hello world", "", "hello world " * 300]) == [2, 0, 600]
    assert list(tmp_path.iterdir()) == []
    asyncio.run(embedder.close())


async def test_auto_takes_onnx_on_a_cpu(settings: Settings, mlx_thread: MLXThread) -> None:
    embedder = await open_embedder(settings, mlx_thread)
    on_cpu = await mlx_thread.run(_device) == "cpu"
    assert isinstance(embedder, ONNXEmbedder if on_cpu else MLXEmbedder)
    await embedder.close()


def _device() -> str:
    from rag.compute import mlx_runtime

    return mlx_runtime.device()


# ── what the files say ────────────────────────────────────────────────────────────────────────


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    """A copy of the model's folder, to change."""
    return Path(shutil.copytree(folder, tmp_path / "renamed"))


def edit(file: Path, **changes: object) -> None:
    content = json.loads(file.read_text()) if file.is_file() else {}
    file.write_text(json.dumps(content | changes))


def test_a_copy_has_the_same_id(copy: Path, embedder: ModelEmbedder, mlx_thread: MLXThread) -> None:
    for backend in ("onnx", "mlx"):
        settings = Settings(embedding_model=str(copy), embedding_backend=backend, cache=copy)
        assert open_model(settings, mlx_thread).id == embedder.id


def test_other_weights_or_another_use_have_another_id(copy: Path) -> None:
    ids = {read_model_config(copy, "m").id, read_model_config(copy, "m", 128).id}
    edit(copy / "sentence_bert_config.json", max_seq_length=128)
    ids.add(read_model_config(copy, "m").id)
    weights = load_file(copy / "model.safetensors")
    weights["encoder.layer.3.output.dense.bias"][0] += 1e-3
    save_file(weights, copy / "model.safetensors")
    ids.add(read_model_config(copy, "m").id)
    assert len(ids) == 4


async def test_cut(folder: Path, shared_cache: Path, embedder: ModelEmbedder, half: bool) -> None:
    cut = ONNXEmbedder(read_model_config(folder, "m", 64), cache=shared_cache)
    whole = (await embedder.embed_query("hello"))[:64]
    vector = await cut.embed_query("hello")
    assert cut.dimensions == 64
    assert cut.id.endswith("/64")
    np.testing.assert_allclose(vector, whole / np.linalg.norm(whole), atol=5e-3 if half else 1e-6)
    await cut.close()


def test_a_cut_that_is_too_long(folder: Path) -> None:
    with pytest.raises(ConfigError, match="385"):
        read_model_config(folder, "m", 385)


def test_limits_pooling_and_prompts_from_the_files(copy: Path) -> None:
    model_config = read_model_config(copy, "m")
    assert (model_config.pooling, model_config.max_tokens, model_config.dimensions) == (
        "mean",
        256,
        384,
    )
    assert (model_config.query_prompt, model_config.document_prompt) == ("", "")
    pooling = {"pooling_mode_mean_tokens": False, "pooling_mode_cls_token": True}
    edit(copy / "1_Pooling" / "config.json", **pooling)
    prompts = {"query": "Q: ", "document": "D: "}
    edit(copy / "config_sentence_transformers.json", prompts=prompts)
    (copy / "sentence_bert_config.json").unlink()
    model_config = read_model_config(copy, "m")
    assert (model_config.pooling, model_config.max_tokens) == ("cls", 512)
    assert (model_config.query_prompt, model_config.document_prompt) == ("Q: ", "D: ")


def test_pooling_that_we_do_not_have(copy: Path) -> None:
    pooling = {"pooling_mode_mean_tokens": False, "pooling_mode_max_tokens": True}
    edit(copy / "1_Pooling" / "config.json", **pooling)
    with pytest.raises(ModelLoadFailed, match="max"):
        read_model_config(copy, "m")


@pytest.mark.parametrize("backend", ["onnx", "mlx"])
async def test_prompts_and_first_token_pooling_reach_the_vector(
    copy: Path, backend: str, on_gpu: bool, mlx_thread: MLXThread, tmp_path: Path
) -> None:
    edit(copy / "config_sentence_transformers.json", prompts={"query": "Q: ", "document": ""})
    edit(copy / "1_Pooling" / "config.json", pooling_mode="cls", pooling_mode_mean_tokens=False)
    embedder = open_model(
        Settings(embedding_model=str(copy), embedding_backend=backend, cache=tmp_path), mlx_thread
    )
    expected = BertReference(copy).states(reference_ids(copy, "Q: hello"))[0]
    vector = await embedder.embed_query("hello")
    off = 5e-3 if on_gpu and backend == "mlx" else 2e-6
    np.testing.assert_allclose(vector, expected / np.linalg.norm(expected), atol=off)
    assert (await embedder.embed_documents(["Q: hello"]))[0].tobytes() == vector.tobytes()
    await embedder.close()


# ── broken models ─────────────────────────────────────────────────────────────────────────────


@pytest.fixture(params=["onnx", "mlx"])
def broken(
    request: pytest.FixtureRequest, copy: Path, mlx_thread: MLXThread, tmp_path: Path
) -> Callable[[], ModelEmbedder]:
    """Opens the copy, whatever was done to it."""
    settings = Settings(
        embedding_model=str(copy), embedding_backend=request.param, cache=tmp_path / "cache"
    )
    return lambda: open_model(settings, mlx_thread)


async def test_nan_is_found_and_its_text_named(
    copy: Path, folder: Path, broken: Callable[[], ModelEmbedder]
) -> None:
    """One word's vector is NaN: the texts without that word are well."""
    weights = load_file(copy / "model.safetensors")
    (word,) = reference_ids(folder, "poison")[1:-1]
    weights["embeddings.word_embeddings.weight"][word] = np.nan
    save_file(weights, copy / "model.safetensors")
    embedder = broken()
    with pytest.raises(EmbeddingError, match="a poison pill"):
        await embedder.embed_documents(["water", "a poison pill", "bread"])
    with pytest.raises(EmbeddingError, match="poison"):
        await embedder.embed_query("poison")
    assert np.isfinite(await embedder.embed_documents(["water", "bread"])).all()
    await embedder.close()


async def test_weights_that_lack_a_tensor(copy: Path, broken: Callable[[], ModelEmbedder]) -> None:
    weights = load_file(copy / "model.safetensors")
    del weights["encoder.layer.2.output.dense.weight"]
    save_file(weights, copy / "model.safetensors")
    embedder = broken()
    with pytest.raises(ModelLoadFailed, match=r"output\.dense\.weight"):
        await embedder.embed_query("hello")
    await embedder.close()


def test_weights_cut_off(copy: Path, broken: Callable[[], ModelEmbedder]) -> None:
    file = copy / "model.safetensors"
    file.write_bytes(b"<html>not found</html>")
    with pytest.raises(ModelLoadFailed, match="no safetensors"):
        broken()


def test_no_tokenizer(copy: Path, broken: Callable[[], ModelEmbedder]) -> None:
    (copy / "tokenizer.json").unlink()
    with pytest.raises(ModelLoadFailed, match="tokenizer"):
        broken().count_tokens(["hello"])


def test_onnx_for_a_model_it_cannot_do(copy: Path, mlx_thread: MLXThread) -> None:
    edit(copy / "config.json", model_type="qwen3")
    settings = Settings(embedding_model=str(copy), embedding_backend="onnx")
    with pytest.raises(ConfigError, match="qwen3"):
        open_model(settings, mlx_thread)


# ── batches ───────────────────────────────────────────────────────────────────────────────────


@given(
    lengths=st.lists(st.integers(1, 300), max_size=60),
    budget=st.integers(1, 600),
    step=st.sampled_from([1, 16, 32]),
)
def test_batches(lengths: list[int], budget: int, step: int) -> None:
    batches = list(by_length([[0] * length for length in lengths], budget=budget, step=step))
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    for batch in batches:
        widths = {-(-lengths[index] // step) for index in batch}
        assert len(widths) == 1
        assert len(batch) == 1 or len(batch) * widths.pop() * step <= budget
