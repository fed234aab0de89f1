"""An index of an earlier format is read as it is, and upgraded by whoever writes next."""

from __future__ import annotations

import asyncio
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from make_index_fixture import ANSWER, FIXTURES, QUESTION, answers
from pdf_factory import text_pdf
from typer.testing import CliRunner, Result

from cli.main import create_cli
from cli.terminal import say
from rag import maintenance
from rag.config import Settings
from rag.errors import IndexCorrupt, IndexLocked, IndexMismatch
from rag.events import FileIngested
from rag.pipeline import Pipeline
from rag.runtime import Runtime
from rag.store import Store, StoreWriter
from rag.store.backup import restore
from rag.store.connection import connect
from rag.store.lock import writer_lock
from rag.store.manifest import Manifest, read_manifest
from rag.store.migrations import MIGRATIONS, Migration, migrate, pending
from rag.store.reembed import reembed, shadow_name
from rag.store.schema import FORMAT
from rag.testing import FakeEmbedder, FakeEngine

FORMATS = range(1, FORMAT)


class Opened:
    """A pipeline on a fixture's index, and the lines that it told."""

    def __init__(self, home: Path) -> None:
        self.told: list[str] = []
        settings = Settings(home=home, collection="old", workers=1)
        self.runtime = Runtime(
            settings,
            embedder=FakeEmbedder(),
            engine=FakeEngine(ANSWER),
            notify=self.told.append,
        )
        self.pipeline = Pipeline(settings, self.runtime)
        self.directory = settings.collection_dir

    async def close(self) -> None:
        self.pipeline.close()
        await self.runtime.close()


@pytest.fixture(params=FORMATS)
async def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    opened = Opened(tmp_path / "home")
    restore(FIXTURES / f"index-format-{request.param}.tar.gz", opened.directory)
    yield opened
    await opened.close()


def expected(format: int) -> Any:
    return json.loads((FIXTURES / f"index-format-{format}.json").read_text())


def format_of(directory: Path) -> int:
    return read_manifest(directory).format


def test_every_format_has_its_step_and_its_fixture() -> None:
    assert [step.to for step in MIGRATIONS] == [number + 1 for number in FORMATS]
    assert all((FIXTURES / f"index-format-{number}.tar.gz").stat().st_size for number in FORMATS)


async def test_an_earlier_format_answers_as_it_is(opened: Opened) -> None:
    before = format_of(opened.directory)
    assert await answers(opened.pipeline) == expected(before)
    assert (format_of(opened.directory), opened.told) == (before, [])


async def test_a_writer_upgrades_it_and_it_answers_the_same(opened: Opened, tmp_path: Path) -> None:
    before = format_of(opened.directory)
    reader = await Store.open(opened.directory)
    with writer_lock(opened.directory):
        (await StoreWriter.open(opened.directory, notify=opened.told.append)).close()
    assert format_of(opened.directory) == FORMAT
    steps = [f"from format {number} to {number + 1}" for number in range(before, FORMAT)]
    assert len(opened.told) == len(steps)
    assert all(step in line for step, line in zip(steps, opened.told, strict=True))
    assert await answers(opened.pipeline) == expected(before)
    assert len((await reader.snapshot()).by_path) == 4  # one that was open before goes on
    reader.close()


async def test_an_ingest_goes_on_from_it(opened: Opened, tmp_path: Path) -> None:
    file = text_pdf(tmp_path / "new.pdf", ["Moorings are inspected each spring."])
    (tmp_path / "letter.txt").write_bytes("Grüße aus dem Hafen".encode("cp1252"))
    events = [event async for event in opened.pipeline.ingest([file, tmp_path / "letter.txt"])]
    ingested = {e.document.name: e.document for e in events if isinstance(e, FileIngested)}
    assert ingested["new.pdf"].warnings == ()
    assert ingested["letter.txt"].warnings == (
        "not UTF-8 and nothing says what: read as Windows-1252",
    )
    documents = await opened.pipeline.documents()
    assert len(documents) == 6
    stored = {d.name: d.warnings for d in documents}
    assert (stored["letter.txt"], stored["harbour.pdf"]) == (ingested["letter.txt"].warnings, ())
    assert len(opened.told) == FORMAT - 1


async def test_a_tag_of_an_earlier_format_is_gone_back_to(opened: Opened) -> None:
    for _ in range(2):  # before the upgrade and after it
        opened.pipeline.as_of("before")
        names = [d.name for d in await opened.pipeline.documents()]
        assert names == ["harbour.pdf", "library.pdf"]
        hits = (await opened.pipeline.search(QUESTION)).hits
        assert hits[0].document.name == "harbour.pdf"
        opened.pipeline.as_of(None)
        await maintenance.tag(opened.pipeline, "after")
        assert format_of(opened.directory) == FORMAT


# ── crashes ───────────────────────────────────────────────────────────────────────────────────


async def test_a_crash_after_the_work_leaves_the_format_before(opened: Opened) -> None:
    """The manifest is written last. What a crash leaves is read, and the step runs again."""
    before = format_of(opened.directory)

    async def crash(connection: Any, manifest: Manifest) -> Manifest:
        await pending(manifest)[0].apply(connection, manifest)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await migrate(opened.directory, print, [Migration(before + 1, "crashes", crash)])
    assert format_of(opened.directory) == before
    assert await answers(opened.pipeline) == expected(before)
    assert (await migrate(opened.directory, print)).format == FORMAT
    assert await answers(opened.pipeline) == expected(before)


async def test_steps_that_were_done_stay_done(opened: Opened) -> None:
    done: list[int] = []

    def step(to: int, *, fails: bool) -> Migration:
        async def apply(connection: Any, manifest: Manifest) -> Manifest:
            done.append(to)
            if fails:
                raise OSError(28, "No space left on device")
            return replace(manifest, model=f"model {to}")

        return Migration(to, "", apply)

    start = format_of(opened.directory)
    with pytest.raises(Exception, match="disk is full"):
        await migrate(
            opened.directory, print, [step(start + 1, fails=False), step(start + 2, fails=True)]
        )
    fields = json.loads((opened.directory / "index.json").read_text())
    assert (fields["format"], fields["model"], done) == (
        start + 1, f"model {start + 1}", [start + 1, start + 2],
    )  # fmt: skip


async def test_nobody_upgrades_what_another_writes_to(opened: Opened) -> None:
    before = format_of(opened.directory)
    with writer_lock(opened.directory):
        task = asyncio.create_task(maintenance.tag(opened.pipeline, "mine"))
        with pytest.raises(IndexLocked):
            await task
    assert format_of(opened.directory) == before


async def test_who_may_only_read_reads_an_earlier_format(opened: Opened) -> None:
    """Reading writes nothing: not into the index, not beside it."""

    def state() -> dict[str, int]:
        files = (p for p in opened.directory.rglob("*") if p.is_file())
        return {str(p): p.stat().st_mtime_ns for p in files}

    before = state()
    await opened.pipeline.search(QUESTION)
    assert state() == before


async def test_an_unfinished_reembed_of_an_earlier_format_is_finished(opened: Opened) -> None:
    """Its table was made with the schema of that time."""
    new = FakeEmbedder(id="new")
    connection = await connect(opened.directory)
    old = await (await connection.open_table("chunks")).schema()
    assert b"rag.format" in old.metadata  # what this schema had then
    name = shadow_name(new)
    metadata = {**old.metadata, b"rag.embedder": new.id.encode()}
    await connection.create_table(name, schema=old.with_metadata(metadata))
    connection.close()
    store = await StoreWriter.open(opened.directory)
    assert [step.done async for step in reembed(store, new, "new")] == [0, 5]
    await store.refresh()
    assert await store.embedder() == (new.id, new.dimensions)
    store.close()


# ── what the user sees ────────────────────────────────────────────────────────────────────────


def run(directory: Path, *arguments: str) -> Result:
    def runtime(settings: Settings) -> Runtime:
        return Runtime(settings, embedder=FakeEmbedder(), engine=FakeEngine(), notify=say)

    home = ["--home", str(directory.parent.parent), "--collection", directory.name]
    return CliRunner().invoke(create_cli(runtime_factory=runtime), [*home, *arguments])


def doctor(directory: Path, *arguments: str) -> dict[str, Any]:
    result = run(directory, "doctor", "--json", *arguments)
    checks = map(json.loads, result.stdout.splitlines())
    return next(check for check in checks if check["name"] == "format")


def test_doctor_tells_the_format_and_upgrades_it(tmp_path: Path) -> None:
    directory = tmp_path / "home" / "collections" / "old"
    restore(FIXTURES / "index-format-1.tar.gz", directory)
    check = doctor(directory)
    assert (check["state"], check["value"]) == ("warning", "1, an earlier one")
    assert "rag doctor --fix" in check["hint"]
    fixed = doctor(directory, "--fix")
    assert (fixed["state"], fixed["value"], fixed["hint"]) == ("ok", str(FORMAT), "")


def test_an_ingest_tells_of_the_upgrade_and_of_what_it_could_not_read(tmp_path: Path) -> None:
    directory = tmp_path / "home" / "collections" / "old"
    restore(FIXTURES / "index-format-1.tar.gz", directory)
    letter = tmp_path / "letter.txt"
    letter.write_bytes("Grüße aus dem Hafen".encode("cp1252"))
    result = run(directory, "ingest", str(letter))
    assert "Upgrading the index of old from format 1 to 2" in result.stderr
    assert "not UTF-8" in result.stderr
    assert "Upgrading" not in result.stdout
    assert "not UTF-8" in run(directory, "show", "letter").stdout


# ── formats that are not ours ─────────────────────────────────────────────────────────────────


def write_format(directory: Path, value: Any, **fields: Any) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    manifest = {"format": value, "chunks": "chunks", "model": "m", **fields}
    (directory / "index.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize("above", [1, 2, 10**9])
async def test_a_newer_format_says_to_update(tmp_path: Path, above: int) -> None:
    write_format(tmp_path, FORMAT + above, unheard_of={"field": 1})
    for opening in (Store.open(tmp_path), StoreWriter.open(tmp_path)):
        with pytest.raises(IndexMismatch, match="a newer version of this program") as caught:
            await opening
        assert f"format {FORMAT + above}," in str(caught.value)
        assert "Update" in caught.value.hint
    assert json.loads((tmp_path / "index.json").read_text())["format"] == FORMAT + above


@pytest.mark.parametrize("value", [0, -1, True, 1.0, "1", None, [], {}])
async def test_what_is_no_format_is_damage(tmp_path: Path, value: Any) -> None:
    write_format(tmp_path, value)
    with pytest.raises(IndexCorrupt, match="damaged"):
        await Store.open(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", "null", "3", '"x"', "{}", '{"format": 1}'])
async def test_a_manifest_that_is_none_is_damage(tmp_path: Path, text: str) -> None:
    (tmp_path / "index.json").write_text(text)
    with pytest.raises(IndexCorrupt, match="damaged"):
        await Store.open(tmp_path)


async def test_a_backup_of_an_earlier_format_is_restored_over_a_newer_one(
    opened: Opened, tmp_path: Path
) -> None:
    before = format_of(opened.directory)
    await maintenance.tag(opened.pipeline, "now")
    restore(FIXTURES / f"index-format-{before}.tar.gz", opened.directory, replace=True)
    opened.pipeline.close()
    assert await answers(opened.pipeline) == expected(before)
    shutil.rmtree(opened.directory)
