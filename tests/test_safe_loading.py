"""Loading a model runs no code of its folder and opens no pickle, whatever the role."""

from __future__ import annotations

import importlib.metadata
import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from rag.compute.mlx_runtime import MLXThread
from rag.config import Settings
from rag.embedders.factory import open_model
from rag.engines.vllm_mlx import VLLMMLXEngine
from rag.errors import ModelLoadFailed
from rag.models import registry, safety
from rag.rerankers.cross_encoder import CrossEncoder

CODE = "import pathlib; pathlib.Path(__file__).with_name('ran').touch()\n"
ROLES = ("chat_model", "embedding_model", "reranker")


async def opened(role: str, folder: Path, thread: MLXThread) -> None:
    """Load the model in the folder as far as it goes."""
    settings = Settings(**{role: str(folder)})
    if role == "chat_model":
        await (await VLLMMLXEngine.open(settings, thread)).close()
    elif role == "embedding_model":
        await open_model(settings, thread).embed_query("a question")
    else:
        await (await CrossEncoder.open(settings, thread)).close()


@pytest.fixture(params=ROLES)
def role(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def folder(role: str, tmp_path: Path, chat_folder: Path) -> Path:
    """A model that loads in its role (a reranker: up to its head), and code beside it."""
    good = chat_folder if role == "chat_model" else registry.embedding_folder(Settings())
    made = tmp_path / "model"
    shutil.copytree(good, made)
    (made / "evil.py").write_text(CODE)
    return made


def edit(file: Path, change: Callable[[dict[str, Any]], None]) -> None:
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))


@pytest.mark.parametrize("key", ["model_file", "nested"])
async def test_code_that_a_config_names_is_refused(
    role: str, folder: Path, mlx_thread: MLXThread, key: str
) -> None:
    asked = {"model_file": "evil.py"}
    edit(folder / "config.json", lambda c: c.update(asked if key != "nested" else {key: asked}))
    with pytest.raises(ModelLoadFailed, match=r"code of its own \('evil.py'\)") as caught:
        await opened(role, folder, mlx_thread)
    assert caught.value.hint
    assert not (folder / "ran").exists()


async def test_the_code_of_a_tokenizer_is_not_run_and_nobody_is_asked(
    role: str, folder: Path, mlx_thread: MLXThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    """transformers would ask on the terminal, where a "y" is soon typed."""
    monkeypatch.setattr("builtins.input", lambda _: "y")

    def change(config: dict[str, Any]) -> None:
        config["auto_map"] = {
            "AutoConfig": "evil.Config",
            "AutoTokenizer": ["evil.Tokenizer", "evil.Tokenizer"],
        }
        config["tokenizer_class"] = "EvilTokenizer"

    edit(folder / "tokenizer_config.json", change)
    edit(folder / "config.json", lambda config: config.update(auto_map={"AutoConfig": "evil.C"}))
    if role == "embedding_model":  # its tokenizer.json is read, and nothing else
        await opened(role, folder, mlx_thread)
    else:
        with pytest.raises(ModelLoadFailed):
            await opened(role, folder, mlx_thread)
    assert not (folder / "ran").exists()


@pytest.mark.parametrize("kind", ["../evil", "/tmp/evil", "evil\n", "x" * 80, 7, ["evil"]])
async def test_a_type_that_is_no_name_is_refused(
    role: str, folder: Path, mlx_thread: MLXThread, kind: object
) -> None:
    edit(folder / "config.json", lambda config: config.update(model_type=kind))
    with pytest.raises(ModelLoadFailed, match="no name of a type"):
        await opened(role, folder, mlx_thread)


class Evil:
    """What runs code when it is unpickled."""

    def __init__(self, witness: Path) -> None:
        self.witness = witness

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.witness,)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "consolidated.00.pth"])
async def test_pickled_weights_are_refused(
    role: str, folder: Path, mlx_thread: MLXThread, name: str
) -> None:
    for file in folder.glob("*.safetensors"):
        file.unlink()
    (folder / name).write_bytes(pickle.dumps(Evil(folder / "ran")))
    with pytest.raises(ModelLoadFailed, match="as a pickle") as caught:
        await opened(role, folder, mlx_thread)
    assert "safetensors" in caught.value.hint
    assert not (folder / "ran").exists()


async def test_a_pickle_in_disguise_is_not_opened(
    role: str, folder: Path, mlx_thread: MLXThread
) -> None:
    (folder / "model.safetensors").write_bytes(pickle.dumps(Evil(folder / "ran")))
    with pytest.raises(ModelLoadFailed):
        await opened(role, folder, mlx_thread)
    assert not (folder / "ran").exists()


@pytest.mark.parametrize("text", ["", "[]", "7", "{", "[" * 100_000])
async def test_a_config_that_is_none_is_refused(
    role: str, folder: Path, mlx_thread: MLXThread, text: str
) -> None:
    (folder / "config.json").write_text(text)
    with pytest.raises(ModelLoadFailed, match=r"config\.json"):
        await opened(role, folder, mlx_thread)


def test_code_that_nobody_names_does_no_harm(tmp_path: Path) -> None:
    """Many good models carry a modeling_*.py, and pickles beside their safetensors."""
    (tmp_path / "config.json").write_text(
        json.dumps({"model_type": "phi3", "auto_map": {"AutoConfig": "configuration_phi3.C"}})
    )
    (tmp_path / "modeling_phi3.py").write_text(CODE)
    (tmp_path / "model.safetensors").touch()
    (tmp_path / "pytorch_model.bin").touch()
    safety.check(tmp_path, "phi")


def test_the_override_of_vllm_mlx_s_pin_is_still_needed() -> None:
    """When vllm-mlx takes mlx-lm 0.32 by itself, the override in pyproject.toml must go."""
    wanted = [Requirement(line) for line in importlib.metadata.requires("vllm-mlx") or []]
    pins = [one.specifier for one in wanted if one.name == "mlx-lm" and one.marker is None]
    have = importlib.metadata.version("mlx-lm")
    assert Version(have) >= Version("0.32.2")
    assert pins
    assert not any(have in pin for pin in pins)
