"""The pool of workers: every format through it, and what happens when a worker dies."""

from __future__ import annotations

import asyncio
import os
import signal
import zipfile
from asyncio import gather
from pathlib import Path

import pytest
from pdf_factory import nested_forms, raw_pdf, text_pdf

from rag.config import Extraction, Settings
from rag.errors import DamagedFile, ExtractionError, UnsupportedFile
from rag.ingest.extractor import InProcessExtractor
from rag.ingest.extractor_pool import ExtractorPool
from rag.ingest.messages import Setup
from rag.models import registry
from rag.readers.formats import SUFFIXES
from rag.types import ParsedDocument

BODY = "The harbour opens at dawn and closes when the last boat is in. " * 4
DOCX = {
    "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/'
    'content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-'
    'package.relationships+xml"/><Override PartName="/word/document.xml" ContentType="application/'
    'vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>',
    "_rels/.rels": '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/'
    'relationships"><Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/'
    '2006/relationships/officeDocument" Target="word/document.xml"/></Relationships>',
    "word/_rels/document.xml.rels": '<Relationships xmlns="http://schemas.openxmlformats.org/'
    'package/2006/relationships"></Relationships>',
    "word/document.xml": '<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/'
    f'2006/main"><w:body><w:p><w:r><w:t>{BODY}</w:t></w:r></w:p></w:body></w:document>',
}
EPUB = {
    "mimetype": "application/epub+zip",
    "META-INF/container.xml": '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container" '
    'version="1.0"><rootfiles><rootfile full-path="book.opf" media-type="application/'
    'oebps-package+xml"/></rootfiles></container>',
    "book.opf": '<package xmlns="http://www.idpf.org/2007/opf" version="2.0"><metadata '
    'xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>Harbour Book</dc:title></metadata>'
    '<manifest><item id="c" href="c.xhtml" media-type="application/xhtml+xml"/></manifest>'
    '<spine><itemref idref="c"/></spine></package>',
    "c.xhtml": '<html xmlns="http://www.w3.org/1999/xhtml"><body><h1>Harbour</h1>'
    f"<p>{BODY}</p></body></html>",
}


def pool(settings: Settings, workers: int = 1, **limits: float) -> ExtractorPool:
    return ExtractorPool(setup(settings, **limits), workers=workers)


def setup(settings: Settings, **limits: float) -> Setup:
    extraction = Extraction.model_validate({"ocr": False, **limits})
    tokenizer = registry.embedding_folder(settings) / "tokenizer.json"
    return Setup(extraction, tokenizer, settings.chunk_tokens)


def zipped(path: Path, files: dict[str, str]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def written(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


async def test_every_kind_of_file_goes_the_same_way(settings: Settings, tmp_path: Path) -> None:
    files = [
        text_pdf(tmp_path / "a.pdf", [f"# Harbour\n{BODY}"]),
        text_pdf(tmp_path / "a.pdf", [f"# Harbour\n{BODY}"]).rename(tmp_path / "pdf.txt"),
        written(tmp_path / "a.md", f"# Harbour\n\n{BODY}\n\n- one\n- two\n"),
        written(tmp_path / "a.txt", BODY, "utf-16"),
        written(tmp_path / "a.html", f"<html><h1>Harbour</h1><p>{BODY}</p></html>"),
        zipped(tmp_path / "a.docx", DOCX),
        zipped(tmp_path / "a.epub", EPUB),
    ]
    text_pdf(tmp_path / "a.pdf", [f"# Harbour\n{BODY}"])
    async with pool(settings, workers=2) as extractor:
        found = await asyncio.gather(*(extractor.extract(file) for file in files))
    for file, extracted in zip(files, found, strict=True):
        document: ParsedDocument = extracted.document
        assert file.suffix in SUFFIXES
        assert BODY.strip() in " ".join(document.text.split()), file.name
        assert document.language == "en"
        for chunk in extracted.chunks:
            assert chunk.text == document.text[chunk.start : chunk.end]
            assert chunk.tokens <= settings.chunk_tokens
    assert [each.document.title for each in found[2:3] + found[6:]] == ["Harbour", "Harbour Book"]
    kinds = [block.kind for block in found[2].document.pages[0].blocks]
    assert kinds == ["heading", "text", "list"]


async def test_long_text_files_have_pages(settings: Settings, tmp_path: Path) -> None:
    file = written(tmp_path / "long.txt", f"{BODY}\n\n" * 40)
    async with pool(settings) as extractor:
        pages = (await extractor.extract(file)).document.pages
    assert [page.number for page in pages] == list(range(1, len(pages) + 1))
    assert len(pages) > 2
    assert all(len(page.text) < 4000 for page in pages)


async def test_unknown_files_are_refused(settings: Settings, tmp_path: Path) -> None:
    async with pool(settings) as extractor:
        with pytest.raises(UnsupportedFile, match="not read"):
            await extractor.extract(written(tmp_path / "a.xyz", "text"))
        with pytest.raises(DamagedFile):
            await extractor.extract(tmp_path / "missing.txt")


async def test_a_worker_that_dies_costs_its_file_only(settings: Settings, tmp_path: Path) -> None:
    good = text_pdf(tmp_path / "good.pdf", [BODY])
    slow = raw_pdf(tmp_path / "slow.pdf", nested_forms(40))
    async with pool(settings) as extractor:
        await extractor.extract(good)
        (worker,) = children()
        task = asyncio.create_task(extractor.extract(slow))
        await asyncio.sleep(0.2)
        os.kill(worker, signal.SIGSEGV)
        with pytest.raises(DamagedFile, match="SIGSEGV"):
            await task
        assert (await extractor.extract(good)).chunks
    assert children() == []


async def test_cancelling_ends_the_worker(settings: Settings, tmp_path: Path) -> None:
    good = text_pdf(tmp_path / "good.pdf", [BODY])
    slow = raw_pdf(tmp_path / "slow.pdf", nested_forms(40))
    async with pool(settings) as extractor:
        await extractor.extract(good)
        (worker,) = children()
        task = asyncio.create_task(extractor.extract(slow))
        await asyncio.sleep(0.2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert worker not in children()
        assert (await extractor.extract(good)).chunks


async def test_workers_are_recycled(settings: Settings, tmp_path: Path) -> None:
    file = text_pdf(tmp_path / "a.pdf", [BODY])
    seen = []
    async with ExtractorPool(setup(settings), workers=1, files_per_worker=2) as extractor:
        for _ in range(3):
            await extractor.extract(file)
            seen.append(children())
    assert [len(each) for each in seen] == [1, 0, 1]
    assert seen[0] != seen[2]
    assert children() == []


async def test_a_tokenizer_that_is_missing_is_an_error_of_ours(
    settings: Settings, tmp_path: Path
) -> None:
    missing = Setup(settings.extraction, tmp_path / "none.json", settings.chunk_tokens)
    extractor = ExtractorPool(missing, workers=1)
    async with extractor:
        with pytest.raises(ExtractionError, match="cannot start"):
            await extractor.extract(text_pdf(tmp_path / "a.pdf", [BODY]))


async def test_in_this_process_the_same_is_read(settings: Settings, tmp_path: Path) -> None:
    files = [
        text_pdf(tmp_path / "a.pdf", [BODY, BODY]),
        text_pdf(tmp_path / "b.pdf", ["# Heading\nAnother text."]),
    ]
    here = InProcessExtractor(setup(settings))
    async with pool(settings) as workers:
        for file, read in zip(files, await gather(*map(here.extract, files)), strict=True):
            other = await workers.extract(file)
            assert (read.document, read.chunks) == (other.document, other.chunks)


async def test_in_this_process_a_bad_file_is_the_same_error(
    settings: Settings, tmp_path: Path
) -> None:
    (tmp_path / "bad.pdf").write_bytes(b"%PDF-1.7 nothing")
    (tmp_path / "empty.pdf").touch()
    text_pdf(tmp_path / "blank.pdf", [""])
    here = InProcessExtractor(setup(settings))
    async with pool(settings) as workers:
        for name in ("bad.pdf", "empty.pdf", "blank.pdf", "none.pdf"):
            told = []
            for extractor in (here, workers):
                with pytest.raises(ExtractionError) as caught:
                    await extractor.extract(tmp_path / name)
                told.append((type(caught.value), str(caught.value)))
            assert told[0] == told[1]


def children() -> list[int]:
    """Extraction workers of this process that still run."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes()
            parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
        except (OSError, IndexError, ValueError):
            continue
        if parent == os.getpid() and b"extract_worker" in command:
            found.append(int(entry.name))
    return found
