"""The bundled chat model, imported from its GGUF: does it think and spell as it should?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from rag.compute.mlx_runtime import MLXThread
from rag.errors import ModelLoadFailed
from rag.models import gguf


@pytest.fixture(scope="module")
def tokenizer(chat_folder: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(chat_folder)


async def test_the_imported_model_knows_the_capital_of_france(
    chat_folder: Path, mlx_thread: MLXThread
) -> None:
    def answer() -> str:
        import mlx_lm

        model, tokenizer = mlx_lm.load(str(chat_folder))[:2]
        question = [{"role": "user", "content": "What is the capital of France?"}]
        prompt = tokenizer.apply_chat_template(question, add_generation_prompt=True)
        return str(mlx_lm.generate(model, tokenizer, prompt, max_tokens=20))

    assert await mlx_thread.run(answer) == "The capital of France is Paris."


# The model's vocabulary has no token for these: six control characters, and what begins a
# character of the unassigned planes 4 to 11.
_ABSENT = b"\x04\x06\x13\x14\x16\x1d\xf1\xf2"


@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
@settings(max_examples=200, deadline=None)
def test_any_text_survives_the_tokenizer(tokenizer: Any, text: str) -> None:
    assume(not set(_ABSENT) & set(text.encode()))
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_digits_stand_alone_and_special_tokens_are_one_token(tokenizer: Any) -> None:
    assert len(tokenizer.encode("2024")) == 4
    assert tokenizer.encode("<|im_end|>") == [tokenizer.eos_token_id] == [2]
    assert tokenizer.tokenize("Hello world") == ["Hello", "Ġworld"]


def test_the_config_matches_the_weights(chat_folder: Path) -> None:
    config = json.loads((chat_folder / "config.json").read_text())
    assert (config["num_hidden_layers"], config["hidden_size"]) == (30, 576)
    assert config["max_position_embeddings"] == 8192
    assert config["tie_word_embeddings"] is True


async def test_a_file_that_is_no_gguf_leaves_nothing_behind(
    tmp_path: Path, mlx_thread: MLXThread
) -> None:
    file = tmp_path / "broken.gguf"
    file.write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(ModelLoadFailed) as caught:
        await mlx_thread.run(gguf.import_gguf, file, tmp_path / "models" / "broken", form="float32")
    assert caught.value.hint
    assert list((tmp_path / "models").iterdir()) == []


def test_rows_are_put_back_in_order() -> None:
    """llama.cpp's own permutation, written out, and then undone."""
    import mlx.core as mx

    heads, rows, columns = 3, 12, 2
    weight = mx.arange(rows * columns).reshape(rows, columns)
    halves = weight.reshape(heads, 2, rows // heads // 2, columns)
    permuted = halves.swapaxes(1, 2).reshape(rows, columns)
    assert permuted.tolist() != weight.tolist()
    assert gguf._rows_in_order(permuted, heads).tolist() == weight.tolist()
