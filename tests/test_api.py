"""The library's face: lazy, typed, and every example of docs/python.md runs."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from inspect import isawaitable
from pathlib import Path

import pytest
from pdf_factory import text_pdf

import rag
from rag.errors import ConfigError, IndexMissing, InvalidQuestion, PathNotFound
from rag.models import registry
from rag.testing import FakeEmbedder, FakeEngine

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
LEASE = ROOT / "data" / "lease.pdf"
SENTENCE = "The Tenant pays a deposit of 23,500 crowns before taking possession."


@pytest.fixture
async def collection(tmp_path: Path) -> AsyncIterator[rag.Collection]:
    opened = rag.open_collection(
        "c", home=tmp_path, workers=1, embedder=FakeEmbedder(), engine=FakeEngine(f"{SENTENCE} [1]")
    )
    async with opened as collection:
        yield collection


# ── the examples, with the bundled models ─────────────────────────────────────────────────────


@pytest.fixture
def folder(tmp_path: Path, shared_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with `documents`, and the settings of a user without a hub."""
    (tmp_path / "documents").mkdir()
    (tmp_path / "documents" / "lease.pdf").write_bytes(LEASE.read_bytes())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RAG_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("RAG_CACHE", str(shared_cache))
    monkeypatch.setenv("RAG_CHAT_MODEL", registry.BUNDLED_CHAT)
    return tmp_path


def run_script(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=200,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


async def test_the_examples_run(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script, *parts = EXAMPLES
    done = run_script(script)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("1 files,")
    assert "lease.pdf, page" in done.stdout
    assert len(parts) >= 6
    async with rag.open_collection("contracts") as collection:
        names = {"rag": rag, "collection": collection}
        for part in parts:
            code = compile(part, "docs/python.md", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            running = eval(code, names)
            if isawaitable(running):
                await running
        with pytest.raises(rag.errors.DocumentNotFound):
            await collection.remove("lease.pdf")
    told = capsys.readouterr().out
    assert "the question is empty" in told
    assert told.rstrip().endswith("1")


# ── its parts ─────────────────────────────────────────────────────────────────────────────────


async def test_the_flow(collection: rag.Collection) -> None:
    assert (await collection.ingest(LEASE)).ingested == 1
    assert (await collection.ingest([str(LEASE)])).unchanged == 1  # one path has one form
    [document] = await collection.documents()
    question = "How high is the deposit that the tenant pays?"
    hits = await collection.search(question, k=2)
    assert len(hits) == 2
    assert all(isinstance(hit, rag.Hit) and hit.document == document for hit in hits)
    answer = await collection.ask(question)
    assert [citation.quote for citation in answer.citations] == [SENTENCE]
    events = [event async for event in collection.stream(question)]
    assert isinstance(events[0], rag.Retrieved)
    assert isinstance(events[-1], rag.Done)
    assert events[-1].answer.text == answer.text
    assert await collection.remove("lease.pdf") == [document]


async def test_what_fails_is_said(collection: rag.Collection, tmp_path: Path) -> None:
    with pytest.raises(IndexMissing):
        await collection.search("deposit")
    with pytest.raises(PathNotFound):
        await collection.ingest(tmp_path / "nothing")
    (tmp_path / "bad.pdf").write_bytes(b"%PDF-1.7 nothing")
    text_pdf(tmp_path / "good.pdf", [SENTENCE])
    summary = await collection.ingest([tmp_path / "bad.pdf", tmp_path / "good.pdf"])
    assert (summary.ingested, summary.failed) == (1, 1)
    with pytest.raises(InvalidQuestion):
        await collection.ask(" ")


@pytest.mark.parametrize("wrong", [{"no_such": 1}, {"k": 0}, {"collection_": "x"}])
async def test_a_wrong_setting_is_an_error(tmp_path: Path, wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        async with rag.open_collection("c", home=tmp_path, **wrong):
            pass


@pytest.mark.parametrize("name", ["../up", "", "a/b", ".hidden", "x" * 64])
async def test_a_name_leads_nowhere_else(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError):
        async with rag.open_collection(name, home=tmp_path):
            pass


# ── the module ────────────────────────────────────────────────────────────────────────────────


def test_every_name_is_there_and_typed() -> None:
    """Those that are imported when they are used, and those that a type checker sees."""
    tree = ast.parse((ROOT / "rag" / "__init__.py").read_text())
    [typed] = [node for node in tree.body if isinstance(node, ast.If)]
    seen = {alias.name for part in ast.walk(typed) if isinstance(part, ast.ImportFrom)
            for alias in part.names}  # fmt: skip
    assert seen == set(rag.__all__)
    assert all(getattr(rag, name) is not None for name in rag.__all__)
    assert set(rag.__all__) <= set(dir(rag))
    assert (ROOT / "rag" / "py.typed").is_file()
    with pytest.raises(AttributeError, match="no_such"):
        _ = rag.no_such  # type: ignore[attr-defined]
