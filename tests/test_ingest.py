"""The ingest flow: real PDFs, real worker processes, real LanceDB; only the embedder is fake."""

from __future__ import annotations

import os
import pickle
import random
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from ingest_process import ingest, pipeline_settings
from pdf_factory import enclosing_pdf, text_pdf

from rag.errors import DamagedFile, EmbeddingError, IndexLocked, IndexMismatch
from rag.events import Comparing, FileFailed, FileIngested, Planned, Progress, Summary
from rag.ingest.extractor import InProcessExtractor
from rag.ingest.messages import Extracted, Setup
from rag.pipeline import Pipeline, open_pipeline
from rag.runtime import Runtime
from rag.store import Store
from rag.store.checks import check
from rag.store.lock import writer_lock
from rag.testing import FakeEmbedder

TOPICS = ("harbour", "orchard", "glacier", "library", "tramway", "windmill")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Six PDFs of three pages, a few chunks a page."""
    folder = tmp_path / "files"
    folder.mkdir()
    for topic in TOPICS:
        pages = [
            "\n".join(f"Sentence {i} of page {n} tells of the {topic}." for i in range(12))
            for n in range(1, 4)
        ]
        text_pdf(folder / f"{topic}.pdf", pages, title=f"About the {topic}")
    return folder


@pytest.fixture
async def pipeline(tmp_path: Path) -> AsyncIterator[Pipeline]:
    settings = pipeline_settings(tmp_path / "home")
    runtime = Runtime(settings, embedder=FakeEmbedder())
    async with open_pipeline(settings, runtime) as pipeline:
        yield pipeline
    await runtime.close()


async def run(pipeline: Pipeline, *paths: Path, **options: bool) -> Summary:
    *_, last = [event async for event in pipeline.ingest(paths, **options)]
    assert isinstance(last, Summary)
    return last


async def contents(home: Path) -> dict[str, tuple[str, tuple[float, ...]]]:
    """Chunk id → (text, vector) of every stored row, and that each stands once."""
    store = await Store.open(home / "collections" / "default")
    rows = (await store.chunks_table.query().to_arrow()).to_pylist()
    found = {row["id"]: (row["text"], tuple(row["vector"])) for row in rows}
    assert len(found) == len(rows)
    assert await check(store) == []
    store.close()
    return found


class Elsewhere:
    """An Extractor that asks a far machine: only what can be pickled goes there and comes back."""

    def __init__(self, setup: Setup) -> None:
        self._far = InProcessExtractor(pickle.loads(pickle.dumps(setup)))
        self.asked: list[str] = []

    async def extract(self, path: Path, *, password: str | None = None) -> Extracted:
        self.asked.append(path.name)
        if path.stem == "glacier":
            raise DamagedFile(f"{path.name}: the line went dead")
        extracted = await self._far.extract(path, password=password)
        return pickle.loads(pickle.dumps(extracted))  # type: ignore[no-any-return]


async def test_files_can_be_read_elsewhere(pipeline: Pipeline, folder: Path) -> None:
    elsewhere = Elsewhere(pipeline.extraction())
    events = [event async for event in pipeline.ingest([folder], extractor=elsewhere)]
    assert sorted(elsewhere.asked) == sorted(f"{topic}.pdf" for topic in TOPICS)
    failed = [event.failure for event in events if isinstance(event, FileFailed)]
    assert [(f.path.name, f.kind) for f in failed] == [("glacier.pdf", "damaged")]
    before = await contents(pipeline.settings.home)
    again = await run(pipeline, folder, reread=True, retry=True)  # in processes of this machine
    assert (again.ingested, again.failed) == (6, 0)
    after = await contents(pipeline.settings.home)
    assert set(before.values()) <= set(after.values())  # a file read anew has a new id


async def test_events_tell_the_whole_story(pipeline: Pipeline, folder: Path) -> None:
    first, *events = [event async for event in pipeline.ingest([folder])]
    assert first == Comparing(0, None)
    assert isinstance(events[0], Planned)
    assert events[0].new == 6
    assert sorted(e.document.name for e in events if isinstance(e, FileIngested)) == sorted(
        f"{topic}.pdf" for topic in TOPICS
    )
    progress = [e for e in events if isinstance(e, Progress)]
    assert progress[-1].files_done == progress[-1].files_total == 6
    assert progress[-1].pages == 18
    summary = events[-1]
    assert isinstance(summary, Summary)
    assert (summary.ingested, summary.pages, summary.failed) == (6, 18, 0)
    assert summary.chunks == progress[-1].chunks_embedded > 18


async def test_what_was_not_taken_is_in_the_summary(pipeline: Pipeline, folder: Path) -> None:
    for name in ("letter.rtf", "second.rtf", "parts.dwg"):
        (folder / name).write_bytes(b"not read")
    text_pdf(folder / "blank.pdf", ["The heron stands.", "", ""])
    enclosing_pdf(folder / "bill.pdf", "The bill is enclosed.", {"bill.xml": b"<total>40</total>"})
    summary = await run(pipeline, folder)
    assert summary.passed_over == {".rtf": 2, ".dwg": 1}
    assert (summary.empty_pages, summary.warned, summary.ingested) == (2, 1, 8)
    (document,) = [d for d in await pipeline.documents() if d.name == "bill.pdf"]
    assert document.warnings == ("attachments not read: bill.xml",)


async def test_a_second_run_does_nothing(pipeline: Pipeline, folder: Path) -> None:
    await run(pipeline, folder)
    again = await run(pipeline, folder)
    assert (again.ingested, again.unchanged, again.pages) == (0, 6, 0)


async def test_what_is_ingested_is_found_and_covered(pipeline: Pipeline, folder: Path) -> None:
    await run(pipeline, folder)
    store = await pipeline.store()
    assert await store.unindexed_rows() == 0
    hits = (await pipeline.search("tell me of the windmill on page 2")).hits
    assert hits[0].document.name == "windmill.pdf"
    pages = {p.number: p for p in await store.pages(hits[0].document.id)}
    for hit in hits:
        if hit.document.name == "windmill.pdf":
            assert hit.chunk.text in pages[hit.chunk.first_page].text


async def test_a_changed_file_replaces_its_old_self_and_keeps_vectors_of_unchanged_text(
    pipeline: Pipeline, folder: Path
) -> None:
    await run(pipeline, folder)
    first_page = "\n".join(f"Sentence {i} of page 1 tells of the glacier." for i in range(12))
    text_pdf(folder / "glacier.pdf", [first_page, "New."], title="About the glacier")
    summary = await run(pipeline, folder)
    assert (summary.ingested, summary.unchanged) == (1, 5)
    assert summary.reused_vectors > 0
    store = await pipeline.store()
    assert await check(store) == []
    assert len((await store.snapshot()).by_path) == 6


async def test_a_renamed_file_keeps_its_vectors_and_a_deleted_one_goes_when_pruned(
    pipeline: Pipeline, folder: Path
) -> None:
    await run(pipeline, folder)
    (folder / "harbour.pdf").rename(folder / "port.pdf")
    (folder / "orchard.pdf").unlink()
    summary = await run(pipeline, folder)
    assert (summary.moved, summary.ingested, summary.removed) == (1, 0, 0)
    kept = pipeline.settings.cache / "prompts" / "model" / "conversation.head"
    kept.parent.mkdir(parents=True)
    kept.touch()
    await run(pipeline, folder)
    assert kept.exists()
    summary = await run(pipeline, folder, prune=True)
    assert summary.removed == 1
    assert not kept.exists()  # what models read may hold its words
    names = {path.name for path in (await pipeline.snapshot()).by_path}
    assert names == {"port.pdf", "glacier.pdf", "library.pdf", "tramway.pdf", "windmill.pdf"}
    assert (await pipeline.search("harbour")).hits[0].document.name == "port.pdf"
    assert await check(await pipeline.store()) == []


async def test_a_bad_file_is_reported_and_the_rest_goes_on(
    pipeline: Pipeline, folder: Path
) -> None:
    (folder / "bad.pdf").write_bytes(b"%PDF-1.7 and then nothing of use")
    events = [event async for event in pipeline.ingest([folder])]
    failures = [e.failure for e in events if isinstance(e, FileFailed)]
    assert [(f.path.name, f.kind) for f in failures] == [("bad.pdf", "damaged")]
    assert failures[0].hint
    assert isinstance(events[-1], Summary)
    assert (events[-1].ingested, events[-1].failed) == (6, 1)
    again = await run(pipeline, folder)
    assert (again.known_bad, again.failed) == (1, 0)
    assert (await run(pipeline, folder, retry=True)).failed == 1


async def test_a_file_that_breaks_keeps_its_earlier_version_until_it_is_whole_again(
    pipeline: Pipeline, folder: Path
) -> None:
    await run(pipeline, folder)
    whole = (folder / "harbour.pdf").read_bytes()
    (folder / "harbour.pdf").write_bytes(whole[:300])
    events = [event async for event in pipeline.ingest([folder], prune=True)]
    reasons = [e.failure.reason for e in events if isinstance(e, FileFailed)]
    assert len(reasons) == 1
    assert reasons[0].endswith("its earlier version stays in the index")
    assert (await pipeline.search("harbour")).hits[0].document.name == "harbour.pdf"
    assert (await run(pipeline, folder)).known_bad == 1
    (folder / "harbour.pdf").write_bytes(whole)
    summary = await run(pipeline, folder)
    assert (summary.unchanged, summary.failed, summary.known_bad) == (6, 0, 0)
    assert await (await pipeline.store()).failures() == {}


class WrittenMeanwhile(InProcessExtractor):
    """Reads a file; then somebody writes another one in its place."""

    async def extract(self, path: Path, *, password: str | None = None) -> Extracted:
        extracted = await super().extract(path, password=password)
        if path.name == "glacier.pdf":
            path.write_bytes(path.with_name("later").read_bytes())
        return extracted


async def test_a_file_that_changes_while_it_is_read_is_not_taken_for_what_it_was(
    pipeline: Pipeline, folder: Path
) -> None:
    first = (folder / "glacier.pdf").read_bytes()
    text_pdf(folder / "later", ["The glacier has melted."])
    extractor = WrittenMeanwhile(pipeline.extraction())
    events = [event async for event in pipeline.ingest([folder], extractor=extractor)]
    failures = [e.failure for e in events if isinstance(e, FileFailed)]
    assert [(f.path.name, f.kind) for f in failures] == [("glacier.pdf", "changed")]
    assert failures[0].hint
    assert (await run(pipeline, folder)).ingested == 1
    assert "melted" in (await pipeline.search("glacier melted")).hits[0].chunk.text
    (folder / "copy.pdf").write_bytes(first)
    await run(pipeline, folder)
    assert "page 2" in (await pipeline.search("page 2 glacier sentence")).hits[0].chunk.text


async def test_a_failure_is_forgotten_with_its_file(pipeline: Pipeline, folder: Path) -> None:
    (folder / "bad.pdf").write_bytes(b"%PDF-1.7 and then nothing of use")
    await run(pipeline, folder)
    (folder / "bad.pdf").unlink()
    await run(pipeline, folder)
    assert await (await pipeline.store()).failures() == {}


async def test_reading_again_replaces_documents_without_embedding_what_is_known(
    pipeline: Pipeline, folder: Path
) -> None:
    await run(pipeline, folder)
    before = {d.id for d in await pipeline.documents()}
    summary = await run(pipeline, folder, reread=True)
    assert (summary.ingested, summary.reused_vectors) == (6, summary.chunks)
    after = {d.id for d in await pipeline.documents()}
    assert not before & after
    assert await check(await pipeline.store()) == []
    assert (await run(pipeline, folder)).unchanged == 6


async def test_progress_counts_what_was_skipped_and_ends_with_nothing_left(
    pipeline: Pipeline, folder: Path
) -> None:
    (folder / "bad.pdf").write_bytes(b"%PDF-1.7 and then nothing of use")
    await run(pipeline, folder / "harbour.pdf", folder / "bad.pdf")
    progress = [e async for e in pipeline.ingest([folder]) if isinstance(e, Progress)]
    assert {event.skipped for event in progress} == {2}
    assert progress[0].seconds_left is None
    assert progress[0].current is not None
    assert (progress[-1].seconds_left, progress[-1].files_done) == (0.0, 5)
    assert [e.files_done for e in progress] == sorted(e.files_done for e in progress)


async def test_a_second_writer_is_told_who_holds_the_lock(pipeline: Pipeline, folder: Path) -> None:
    lock = writer_lock(pipeline.settings.collection_dir)
    with lock, pytest.raises(IndexLocked, match=str(os.getpid())):
        await run(pipeline, folder)
    assert (await run(pipeline, folder)).ingested == 6


async def test_readers_see_a_consistent_index_while_a_writer_works(
    pipeline: Pipeline, folder: Path
) -> None:
    await run(pipeline, folder)
    for topic in TOPICS:
        text_pdf(folder / f"{topic}.pdf", [f"Now all about {topic}."], title=topic)
    async for _ in pipeline.ingest([folder]):
        hits = (await pipeline.search("sentence about the library", k=50)).hits
        assert len({hit.chunk.id for hit in hits}) == len(hits)
        assert hits


async def test_stopping_in_the_middle_leaves_a_sound_index(
    pipeline: Pipeline, folder: Path
) -> None:
    events = pipeline.ingest([folder])
    async for event in events:
        if isinstance(event, Progress):
            break
    await events.aclose()
    assert await run(pipeline, folder)
    assert await check(await pipeline.store()) == []


async def test_an_embedder_that_fails_fails_the_run_as_itself(tmp_path: Path, folder: Path) -> None:
    class Broken(FakeEmbedder):
        async def embed_documents(self, texts):  # type: ignore[no-untyped-def]
            raise EmbeddingError("NaN in vector 3")

    settings = pipeline_settings(tmp_path / "home")
    async with open_pipeline(settings, Runtime(settings, embedder=Broken())) as pipeline:
        with pytest.raises(EmbeddingError, match="NaN"):
            await run(pipeline, folder)


async def test_another_embedder_is_refused(
    tmp_path: Path, pipeline: Pipeline, folder: Path
) -> None:
    await run(pipeline, folder)
    other = Runtime(pipeline.settings, embedder=FakeEmbedder(id="another"))
    async with open_pipeline(pipeline.settings, other) as mismatched:
        with pytest.raises(IndexMismatch):
            await run(mismatched, folder)
        with pytest.raises(IndexMismatch):
            await mismatched.search("anything")
    await other.close()


async def test_killed_at_random_moments_the_next_run_gives_the_same_index(
    tmp_path: Path, folder: Path
) -> None:
    await ingest(tmp_path / "calm", folder)
    wanted = await contents(tmp_path / "calm")
    chance = random.Random(20261122)
    for _ in range(5):
        _kill_within(tmp_path / "killed", folder, chance.uniform(0.0, 1.5))
    await ingest(tmp_path / "killed", folder)
    assert await contents(tmp_path / "killed") == wanted


def _kill_within(home: Path, folder: Path, seconds: float) -> None:
    """Start an ingest and kill it with its workers, `seconds` after it has loaded."""
    script = Path(__file__).with_name("ingest_process.py")
    process = subprocess.Popen(
        [sys.executable, script, home, folder],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        cwd=script.parent.parent,
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(seconds)
        os.killpg(process.pid, signal.SIGKILL)
