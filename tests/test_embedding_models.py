"""Other architectures, as small random models: padded and alone, by MLX and by ONNX Runtime."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from encoder_reference import EncoderReference, write_random_encoder

from rag.compute.mlx_runtime import MLXThread
from rag.config import Settings
from rag.embedders.factory import open_model
from rag.embedders.mlx_embedder import MLXEmbedder, Shapes
from rag.embedders.model_config import read_model_config
from rag.embedders.model_embedder import ModelEmbedder
from rag.embedders.onnx_embedder import ONNXEmbedder
from rag.errors import ConfigError, EmbeddingError, ModelLoadFailed
from rag.models import registry

TEXTS = ["one", "two words", "the cat sat on the mat and looked at the dog", "x " * 40, "one"]
# Of the same lengths in tokens.
OTHERS = ["two", "words two", "dog the at looked and mat the on sat cat the", "y " * 40, "two"]
COMMON = {
    "vocab_size": 30522,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 64,
}
CONFIGS: dict[str, dict[str, Any]] = {
    "bert": {},
    "xlm-roberta": {"max_position_embeddings": 66, "pad_token_id": 1, "layer_norm_eps": 1e-5},
    "modernbert": {"architectures": ["ModernBertModel"], "decoder_bias": True},
    "qwen3": {"num_key_value_heads": 1, "head_dim": 16},
}
# As on a GPU, in small: padded to a multiple of 16 tokens, always four rows of the longest.
PADDED = Shapes(budget=256, step=16, fixed=True)
# The same, with BERT in half precision and with fused attention.
FUSED = Shapes(budget=256, step=16, fixed=True, fused=True)


def build(folder: Path, config: dict[str, Any]) -> None:
    """A random model of that architecture. Runs on the MLX thread."""
    import mlx.core as mx
    from mlx.utils import tree_flatten
    from mlx_embeddings.utils import _get_classes, save_weights

    model_class, arguments, *_ = _get_classes(config)
    mx.random.seed(0)
    model = model_class(arguments.from_dict(config))
    save_weights(folder, dict(tree_flatten(model.parameters())))


@pytest.fixture(params=CONFIGS)
def folder(request: pytest.FixtureRequest, tmp_path: Path, mlx_thread: MLXThread) -> Path:
    config = {**COMMON, **CONFIGS[request.param], "model_type": request.param}
    (tmp_path / "config.json").write_text(json.dumps(config))
    shutil.copy(registry.embedding_folder(Settings()) / "tokenizer.json", tmp_path)
    mlx_thread.executor.submit(build, tmp_path, config).result()
    return tmp_path


@pytest.fixture
async def alone(folder: Path, mlx_thread: MLXThread) -> AsyncIterator[ModelEmbedder]:
    embedder = MLXEmbedder(read_model_config(folder, "tiny"), mlx_thread)
    yield embedder
    await embedder.close()


@pytest.mark.parametrize(("shapes", "off"), [(PADDED, 1e-5), (FUSED, 5e-3)])
async def test_padding_changes_nothing(
    folder: Path,
    alone: ModelEmbedder,
    mlx_thread: MLXThread,
    on_gpu: bool,
    shapes: Shapes,
    off: float,
) -> None:
    if on_gpu:  # "alone" is in half precision there, and CUDA multiplies float32 as TF32
        off = 5e-3
    batched = MLXEmbedder(read_model_config(folder, "tiny"), mlx_thread, shapes=shapes)
    expected = await alone.embed_documents(TEXTS)
    vectors = await batched.embed_documents(TEXTS)
    np.testing.assert_allclose(vectors, expected, atol=off)
    assert (vectors * expected).sum(axis=1).min() > 0.99999
    assert np.abs(expected[0] - expected[2]).max() > 1e-2  # a model that ignores its text passes


@pytest.mark.parametrize("shapes", [PADDED, FUSED])
async def test_a_padded_vector_depends_on_its_text_alone(
    folder: Path, mlx_thread: MLXThread, on_gpu: bool, shapes: Shapes
) -> None:
    batched = MLXEmbedder(read_model_config(folder, "tiny"), mlx_thread, shapes=shapes)
    together = await batched.embed_documents(TEXTS)
    for place, (text, vector) in enumerate(zip(TEXTS, together, strict=True)):
        among = await batched.embed_documents([*OTHERS[:place], text, *OTHERS[place + 1 :]])
        assert among[place].tobytes() == vector.tobytes()
        [alone] = await batched.embed_documents([text])
        if on_gpu:
            assert alone.tobytes() == vector.tobytes()
        else:  # OpenBLAS rounds by a row's place too, on processors without AVX-512
            np.testing.assert_allclose(alone, vector, atol=1e-6 if shapes is PADDED else 5e-3)


async def test_onnx_gives_the_same_where_auto_takes_it(
    folder: Path, alone: ModelEmbedder, mlx_thread: MLXThread, on_gpu: bool, tmp_path: Path
) -> None:
    settings = Settings(embedding_model=str(folder), cache=tmp_path / "cache")
    embedder = open_model(settings, mlx_thread)
    bert = alone.model_config.model_type in ("bert", "xlm-roberta")
    assert isinstance(embedder, ONNXEmbedder) == (bert and not on_gpu)
    vectors = await embedder.embed_documents(TEXTS)
    np.testing.assert_allclose(vectors, await alone.embed_documents(TEXTS), atol=1e-5)
    await embedder.close()


@pytest.mark.parametrize("model_type", ["mpnet", "roberta", "xlm-roberta", "bert"])
@pytest.mark.parametrize("prefix", [False, True])
async def test_onnx_against_numpy(
    model_type: str, prefix: bool, mlx_thread: MLXThread, tmp_path: Path
) -> None:
    """MPNet and RoBERTa have no MLX model: their graph runs everywhere."""
    folder = tmp_path / "model"
    folder.mkdir()
    weights = write_random_encoder(folder, model_type, prefix=prefix)
    shutil.copy(registry.embedding_folder(Settings()) / "tokenizer.json", folder)
    settings = Settings(embedding_model=str(folder), cache=tmp_path / "cache")
    if model_type in ("mpnet", "roberta"):
        with pytest.raises(ConfigError, match=model_type):
            open_model(settings.model_copy(update={"embedding_backend": "mlx"}), mlx_thread)
    else:
        settings = settings.model_copy(update={"embedding_backend": "onnx"})
    embedder = open_model(settings, mlx_thread)
    texts = [*TEXTS, " ".join(OTHERS) * 9]  # the last is cut at the model's 64 tokens
    vectors = await embedder.embed_documents(texts)
    reference = EncoderReference(json.loads((folder / "config.json").read_text()), weights)
    expected = np.stack(
        [reference.states(ids).mean(axis=0) for ids in embedder.tokens.encode(texts)]
    )
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(vectors, expected, atol=2e-6)
    assert embedder.max_tokens == 64
    await embedder.close()


def test_pooling_of_the_family(folder: Path, alone: ModelEmbedder) -> None:
    expected = "lasttoken" if alone.model_config.model_type == "qwen3" else "mean"
    assert alone.model_config.pooling == expected
    assert alone.max_tokens == 64


def test_an_architecture_that_nobody_knows(folder: Path, mlx_thread: MLXThread) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"model_type": "perceptron"}))
    with pytest.raises(ModelLoadFailed, match="perceptron"):
        open_model(Settings(embedding_model=str(folder)), mlx_thread)


async def test_a_text_without_tokens(folder: Path, mlx_thread: MLXThread) -> None:
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer | {"post_processor": None}))
    embedder = MLXEmbedder(read_model_config(folder, "tiny"), mlx_thread)
    assert (await embedder.embed_query("hello")).shape == (32,)
    with pytest.raises(EmbeddingError, match="no tokens"):
        await embedder.embed_documents(["hello", ""])
