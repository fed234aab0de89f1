"""The processes that this program starts: what they import, how they are spoken to and ended."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pymupdf
import pytest

from rag.config import Settings
from rag.events import Comparing
from rag.ingest.extractor_pool import ExtractorPool
from rag.ingest.messages import Setup
from rag.models.registry import embedding_folder
from rag.page_image import render_page_contained
from rag.worker_process import WorkerProcess
from service.ingest_worker import Order


@pytest.fixture
def hostile_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with modules that stand in for those of the standard library."""
    folder = tmp_path / "hostile"
    folder.mkdir()
    for name in ("json", "pickle", "asyncio", "struct", "pymupdf"):
        (folder / f"{name}.py").write_text("raise SystemExit('imported from the current folder')")
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def pdf(tmp_path: Path) -> Path:
    document = pymupdf.open()
    document.new_page().insert_text((72, 72), "The harbour dues rose in March.")
    document.save(tmp_path / "dues.pdf")
    return tmp_path / "dues.pdf"


@pytest.mark.usefixtures("hostile_folder")
async def test_a_page_is_drawn_in_a_folder_with_modules_of_its_own(pdf: Path) -> None:
    assert (await render_page_contained(pdf, 1)).startswith(b"\x89PNG")


@pytest.mark.usefixtures("hostile_folder")
async def test_files_are_read_in_a_folder_with_modules_of_its_own(
    settings: Settings, pdf: Path
) -> None:
    tokenizer = embedding_folder(settings) / "tokenizer.json"
    setup = Setup(settings.extraction, tokenizer, settings.chunk_tokens)
    async with ExtractorPool(setup, workers=1) as extractor:
        assert "harbour" in (await extractor.extract(pdf)).document.text


@pytest.mark.usefixtures("hostile_folder")
async def test_uploads_are_ingested_in_a_folder_with_modules_of_its_own(settings: Settings) -> None:
    process = await WorkerProcess.start("service.ingest_worker")
    try:
        await process.send(Order(settings, (Path("no such file.pdf"),)))
        while isinstance(problem := await process.receive(), Comparing):
            pass
        assert problem["code"] == "path_not_found"
        assert await process.exit_code() == 1
    finally:
        await process.kill()


async def test_a_process_is_asked_to_end_before_it_is_killed() -> None:
    process = await WorkerProcess.start("service.ingest_worker", quiet=True)
    await process.stop(20)
    await process.stop(20)
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await process.receive()
