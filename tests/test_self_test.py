"""`rag doctor --self-test`, and this machine taken for a Mac."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import create_cli
from rag.compute import mlx_runtime
from rag.compute.machine import Machine
from rag.config import Settings
from rag.embedders.factory import open_model
from rag.embedders.mlx_embedder import MLXEmbedder
from rag.models import defaults, registry
from rag.testing import pretended_mac


def test_this_machine_keeps_its_promises(tmp_path: Path, shared_cache: Path) -> None:
    env = {"RAG_HOME": str(tmp_path / "home"), "RAG_CACHE": str(shared_cache)}
    done = CliRunner().invoke(create_cli(), ["doctor", "--self-test"], env=env)
    assert done.exit_code == 0, done.output
    rows = [line.split(" | ") for line in done.stdout.splitlines()[2:]]
    states = {row[1]: row[0].strip("| ") for row in rows}
    assert {"packages", "device", "embeddings agree", "answers agree", "names in either form"} <= (
        states.keys()
    )
    root = {"a denied folder is named"} if os.geteuid() == 0 else set()
    assert {name for name, state in states.items() if state != "✓"} == root
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("as_json", [False, True])
def test_a_machine_that_breaks_a_promise_is_told_by_the_exit_code(
    tmp_path: Path, as_json: bool
) -> None:
    """Here by a cache of models that is no folder. Each check is tried all the same."""
    (tmp_path / "cache").write_text("no folder")
    env = {"RAG_HOME": str(tmp_path / "home"), "RAG_CACHE": str(tmp_path / "cache")}
    args = ["doctor", "--self-test", *(["--json"] if as_json else [])]
    done = CliRunner().invoke(create_cli(), args, env=env)
    assert done.exit_code == 1, done.output
    signs = {"✗": "error", "✓": "ok", "!": "warning"}
    if as_json:
        rows = [json.loads(line) for line in done.stdout.splitlines()]
        states = {row["name"]: row["state"] for row in rows}
    else:
        cells = [line.split(" | ") for line in done.stdout.splitlines()[2:]]
        states = {name: signs[sign.strip("| ")] for sign, name, *_found in cells}
    assert states["device"] == "ok"
    assert states["answers agree"] == "error"
    assert "names in either form" in states


@pytest.mark.parametrize(
    ("gib", "named"), [(4, "Llama-3.2-3B"), (8, "Qwen3-4B"), (16, "Qwen3-4B"), (32, "Qwen3-30B")]
)
def test_a_mac_gets_its_default_and_is_told_its_size(
    settings: Settings, chat_folder: Path, gib: int, named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(settings.home / "empty"))
    said: list[str] = []
    with pretended_mac(gib):
        machine = Machine.here()
        assert machine == Machine("metal", gib << 30, int(0.7 * (gib << 30)))
        best = defaults.suited(machine)
        assert best is not None
        assert named in best.name
        if registry.missing_default(settings) is not None:
            assert f"Metal and {gib}" in registry.chat_choice(settings)[1]
            folder = registry.chat_model(settings, said.append).folder
            assert "float16" in folder.name
            assert f"{best.size / 1e9:.1f} GB" in said[0]
    assert mlx_runtime.device() != "metal" or Machine.here().memory != gib << 30


def test_a_mac_embeds_by_mlx(settings: Settings, mlx_thread: mlx_runtime.MLXThread) -> None:
    with pretended_mac(16):
        assert isinstance(open_model(settings, mlx_thread), MLXEmbedder)


def test_a_mac_answers_within_its_memory(settings: Settings) -> None:
    with pretended_mac(8):
        env = {"RAG_HOME": str(settings.home), "RAG_CACHE": str(settings.cache)}
        done = CliRunner().invoke(create_cli(), ["models", "--json"], env=env)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    used = next(row for row in rows if row["used"] and row["role"] == "chat")
    assert "Metal and 8" in used["why"]
