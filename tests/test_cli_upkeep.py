"""`rag doctor --fix`, tags, backups, another embedder, watching: real index, real files."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from pdf_factory import text_pdf
from typer.testing import CliRunner, Result

from cli.edge import Code
from cli.main import create_cli
from rag.config import Settings
from rag.models import registry
from rag.runtime import Runtime
from rag.store import StoreWriter
from rag.store.connection import one_of
from rag.store.lock import writer_lock
from rag.testing import FakeEmbedder, FakeEngine

Rag = Callable[..., Result]


class NamedModels(Runtime):
    """Any model name brings a fake embedder of that name."""

    async def embedder(self, model: str) -> FakeEmbedder:  # type: ignore[override]
        return FakeEmbedder(id=model)


def invoke(home: Path, *args: str) -> Result:
    def runtime(settings: Settings) -> Runtime:
        return NamedModels(settings, engine=FakeEngine())

    return CliRunner().invoke(create_cli(runtime_factory=runtime), ["--home", str(home), *args])


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with three documents; one has a blank page."""
    base = tmp_path_factory.mktemp("upkeep")
    (base / "docs").mkdir()
    text_pdf(base / "docs" / "heron.pdf", ["The heron stands in shallow water."])
    text_pdf(base / "docs" / "crane.pdf", ["The crane dances on wet meadows."])
    text_pdf(base / "docs" / "stork.pdf", ["The stork nests on the chimney.", ""])
    result = invoke(base / "home", "ingest", str(base / "docs"))
    assert result.exit_code == Code.OK, result.output
    return base


@pytest.fixture
def home(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith("RAG_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    shutil.copytree(base / "home", tmp_path / "home")
    return tmp_path / "home"


@pytest.fixture
def rag(home: Path) -> Rag:
    return lambda *args: invoke(home, *args)


def collection(home: Path) -> Path:
    return home / "collections" / "default"


def names(result: Result) -> set[str]:
    assert result.exit_code == Code.OK, result.output
    return {Path(json.loads(line)["path"]).name for line in result.stdout.splitlines()}


# ── doctor ────────────────────────────────────────────────────────────────────────────────────


async def _damage(home: Path) -> None:
    """The heron loses its chunks, the crane its row."""
    store = await StoreWriter.open(collection(home))
    ids = {path.stem: d.id for path, d in (await store.snapshot()).by_path.items()}
    await store.chunks_table.delete(one_of("document_id", [ids["heron"]]))
    await store._documents.delete(one_of("id", [ids["crane"]]))
    store.close()


def test_doctor_names_faults_and_fix_mends_them(rag: Rag, home: Path) -> None:
    asyncio.run(_damage(home))
    seen = rag("doctor", "--json")
    assert seen.exit_code == Code.ERROR
    checks = {c["name"]: c for c in map(json.loads, seen.stdout.splitlines())}
    assert checks["incomplete"]["state"] == checks["orphans"]["state"] == "error"
    assert [Path(item).name for item in checks["incomplete"]["items"]] == ["heron.pdf"]
    assert "read them again" in checks["incomplete"]["hint"]
    fixed = rag("doctor", "--fix")
    assert fixed.exit_code == Code.OK, fixed.output
    assert "repaired: 1 documents lack chunks or pages" in fixed.stdout
    found = rag("search", "heron in shallow water", "--json")
    assert "heron" in json.loads(found.stdout.splitlines()[0])["chunk"]["text"]
    assert names(rag("list", "--json")) == {"heron.pdf", "stork.pdf"}


def test_a_blank_page_is_no_fault(rag: Rag) -> None:
    result = rag("doctor", "--json")
    checks = {c["name"]: c for c in map(json.loads, result.stdout.splitlines())}
    assert ("unread-pages" in checks, result.exit_code) == (False, Code.OK)


def test_doctor_does_not_call_a_running_ingest_broken(rag: Rag, home: Path) -> None:
    asyncio.run(_damage(home))
    with writer_lock(collection(home)):
        result = rag("doctor")
        refused = rag("doctor", "--fix")
    assert result.exit_code == Code.OK, result.output
    assert f"process {os.getpid()} has been writing" in result.stdout
    assert refused.exit_code == Code.ERROR
    assert f"process {os.getpid()} has been writing" in refused.stderr


def test_fixing_an_empty_collection_makes_none(rag: Rag, home: Path) -> None:
    assert rag("doctor", "--fix", "--collection", "none").exit_code == Code.OK
    assert not (home / "collections" / "none").exists()


# ── languages ─────────────────────────────────────────────────────────────────────────────────


def test_a_model_for_the_language_is_named_where_the_embedder_hardly_knows_it(
    rag: Rag, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAG_CHUNK_TOKENS", "32")
    lines = (f"Der Kahn Nummer {n} liegt im Hafen und wird im Mai geteert." for n in range(90))
    (tmp_path / "hafen.txt").write_text("\n\n".join(lines), encoding="utf-8")
    for command in (["ingest", str(tmp_path / "hafen.txt")], ["stats"], ["doctor"]):
        assert "rag reembed --model" not in rag(*command).output
    file = collection(home) / "calibration.json"
    found = json.loads(file.read_text())
    found["languages"] = {"de": {"unrelated": 0.2, "own": 0.6, "known": 0.2}}
    file.write_text(json.dumps(found))
    for command in (["ingest", str(tmp_path / "hafen.txt")], ["stats"], ["doctor"]):
        result = rag(*command)
        assert "rag reembed --model intfloat/multilingual-e5-small" in " ".join(
            result.output.split()
        )
        assert result.exit_code == Code.OK
    assert json.loads(rag("stats", "--json").stdout)["hardly_known"]["de"] > 0.9
    assert json.loads(rag("ingest", str(tmp_path / "hafen.txt"), "--json").stdout.splitlines()[-1])


# ── tags ──────────────────────────────────────────────────────────────────────────────────────


def test_a_tag_is_asked_as_of_its_moment(rag: Rag) -> None:
    assert rag("tag", "spring").exit_code == Code.OK
    assert rag("remove", "heron.pdf").exit_code == Code.OK
    assert names(rag("list", "--json")) == {"crane.pdf", "stork.pdf"}
    assert names(rag("list", "--json", "--as-of", "spring")) == {
        "crane.pdf", "heron.pdf", "stork.pdf"
    }  # fmt: skip
    assert "heron.pdf" in rag("search", "shallow water", "--as-of", "spring").stdout
    assert "heron.pdf" not in rag("search", "shallow water").stdout
    asked = rag("ask", "Where does the heron stand?", "--as-of", "spring", "--json")
    assert "shallow water" in asked.stdout.splitlines()[0]
    assert rag("tag").stdout == "spring\n"


def test_tags_that_are_not_there_or_cannot_be(rag: Rag) -> None:
    rag("tag", "spring")
    for args in (["list", "--as-of", "autumn"], ["tag", "--delete", "autumn"]):
        result = rag(*args)
        assert result.exit_code == Code.ERROR
        assert "no tag 'autumn'" in result.stderr
        assert "The tags are: spring" in result.stderr
    assert rag("tag", "a/b").exit_code == Code.ERROR
    assert rag("tag", "--delete").exit_code == Code.USAGE
    assert rag("tag", "--delete", "spring").exit_code == Code.OK
    assert (rag("tag").stdout, json.loads(rag("tag", "--json").stdout)) == ("", {"tags": []})


# ── backup ────────────────────────────────────────────────────────────────────────────────────


def test_a_backup_comes_back_under_another_name_or_over_the_old(rag: Rag, tmp_path: Path) -> None:
    file = str(tmp_path / "b.tar")
    assert rag("backup", file).exit_code == Code.OK
    rag("remove", "heron.pdf")
    refused = rag("restore", file)
    assert (refused.exit_code, "--replace" in refused.stderr) == (Code.USAGE, True)
    assert rag("restore", file, "--collection", "copy").exit_code == Code.OK
    assert len(names(rag("list", "--json", "--collection", "copy"))) == 3
    assert rag("restore", file, "--replace").exit_code == Code.OK
    assert len(names(rag("list", "--json"))) == 3
    missing = rag("restore", str(tmp_path / "missing.tar"), "--replace")
    assert (missing.exit_code, "no such file" in missing.stderr) == (Code.ERROR, True)


def test_no_backup_while_somebody_writes_or_of_nothing(rag: Rag, home: Path) -> None:
    with writer_lock(collection(home)):
        locked = rag("backup", "b.tar")
    assert (locked.exit_code, "has been writing" in locked.stderr) == (Code.ERROR, True)
    assert rag("backup", "b.tar", "--collection", "none").exit_code == Code.ERROR


# ── reembed ───────────────────────────────────────────────────────────────────────────────────


def test_after_reembed_the_collection_works_and_old_tags_too(rag: Rag) -> None:
    rag("tag", "before")
    steps = rag("reembed", "--model", "other", "--json")
    assert json.loads(steps.stdout.splitlines()[-1])["done"] == 3, steps.output
    assert json.loads(rag("stats", "--json").stdout)["embedder"].startswith("other@")
    for extra in ([], ["--as-of", "before"]):
        found = rag("search", "heron in shallow water", *extra)
        assert found.exit_code == Code.OK, found.output
        assert "heron.pdf" in found.stdout
    again = rag("reembed", "--model", "other")
    assert (again.exit_code, "already has other" in again.stderr) == (Code.OK, True)


def test_reembed_warns_of_a_setting_that_names_the_old_model(
    rag: Rag, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAG_EMBEDDING_MODEL", "all-MiniLM-L6-v2")
    result = rag("reembed", "--model", "other")
    assert "your settings still name all-MiniLM-L6-v2" in result.stderr
    assert rag("search", "heron").exit_code == Code.ERROR


def test_ctrl_c_leaves_the_old_vectors_until_a_reembed_that_goes_on(tmp_path: Path) -> None:
    """In a process of its own, with MiniLM and the same with a prompt before texts."""
    other = shutil.copytree(registry.embedding_folder(Settings()), tmp_path / "other")
    prompts = {"prompts": {"query": "query: ", "document": "passage: "}}
    (other / "config_sentence_transformers.json").write_text(json.dumps(prompts))
    rag = [str(Path(sys.executable).with_name("rag")), "--home", str(tmp_path / "home")]
    handbook = Path(__file__).parent.parent / "data" / "transit-handbook.pdf"
    subprocess.run([*rag, "ingest", handbook], capture_output=True, check=True)
    before = _stats(rag)

    reembed = [*rag, "reembed", "--model", str(other)]
    process = subprocess.Popen(reembed, stderr=subprocess.PIPE, text=True)
    with process:
        assert process.stderr is not None
        assert process.stderr.readline().startswith("0 of ")
        process.send_signal(signal.SIGINT)
        told = process.stderr.read()
    assert process.returncode == Code.INTERRUPTED, told
    assert "goes on from there" in told
    assert "Traceback" not in told
    assert _stats(rag) == before
    search = [*rag, "search", "monthly ticket", "--local"]
    assert b"transit-handbook.pdf" in subprocess.run(search, capture_output=True, check=True).stdout

    subprocess.run(reembed, capture_output=True, check=True)
    after = _stats(rag)
    assert after["embedder"] != before["embedder"]
    assert after["chunks"] == before["chunks"]
    assert b"transit-handbook.pdf" in subprocess.run(search, capture_output=True, check=True).stdout


def _stats(rag: list[str]) -> dict[str, object]:
    done = subprocess.run([*rag, "stats", "--json"], capture_output=True, check=True)
    stats: dict[str, object] = json.loads(done.stdout)
    return {name: stats[name] for name in ("embedder", "documents", "chunks", "expected_chunks")}


# ── watch ─────────────────────────────────────────────────────────────────────────────────────


def test_watch_follows_a_folder_until_ctrl_c(tmp_path: Path) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    text_pdf(folder / "heron.pdf", ["The heron stands in shallow water."])
    command = [Path(sys.executable).with_name("rag"), "--home", tmp_path / "home", "watch", folder]
    process = subprocess.Popen(
        [*command, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    with process:
        assert _until_summary(process)["ingested"] == 1
        text_pdf(folder / "crane.pdf", ["The crane dances on wet meadows."])
        assert _until_summary(process)["ingested"] == 1
        (folder / "heron.pdf").unlink()
        assert _until_summary(process)["removed"] == 1
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=60)
    assert process.returncode == Code.OK
    assert "Stopped watching" in told
    assert "Traceback" not in told


def _until_summary(process: subprocess.Popen[str]) -> dict[str, int]:
    """The next ingest's summary that tells of something."""
    assert process.stdout is not None
    for line in process.stdout:
        event = json.loads(line)
        if event["kind"] == "summary" and (event["ingested"] or event["removed"]):
            return dict(event)
    raise AssertionError("rag watch ended")


def test_what_is_no_folder_cannot_be_watched(rag: Rag) -> None:
    result = rag("watch", "nowhere")
    assert (result.exit_code, "no such folder" in result.stderr) == (Code.ERROR, True)
