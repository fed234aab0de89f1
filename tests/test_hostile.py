"""Files made to crash, hang or bloat a reader: each costs itself only, with the right reason."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pdf_factory import encrypted_pdf, nested_forms, page_objects, raw_pdf, stream, text_pdf

from rag.config import Extraction, Settings
from rag.errors import EncryptedFile, ExtractionError, LimitExceeded
from rag.ingest.extractor import Extractor
from rag.ingest.extractor_pool import ExtractorPool
from rag.ingest.messages import Setup
from rag.models import registry
from rag.process_memory import SYSTEM_KEEPS_LIMITS

MANIFEST = Path(__file__).parents[2] / "shared" / "eval" / "hostile" / "manifest.jsonl"


keeps_limits = pytest.mark.skipif(not SYSTEM_KEEPS_LIMITS, reason="macOS keeps no limit on memory")


def extractor(settings: Settings, *, watched: bool | None = None, **limits_: Any) -> ExtractorPool:
    limits = Extraction(**{"timeout_s": 8, "ocr": False, **limits_})
    tokenizer = registry.embedding_folder(settings) / "tokenizer.json"
    setup = Setup(limits, tokenizer, settings.chunk_tokens)
    if watched is not None:
        setup = replace(setup, watched=watched)
    return ExtractorPool(setup, workers=2)


async def outcome(extraction: Extractor, path: Path, password: str | None = None) -> str:
    try:
        await extraction.extract(path, password=password)
    except ExtractionError as error:
        return error.kind if path.name in str(error) and error.hint else f"unexplained: {error}"
    return "ok"


@pytest.mark.skipif(not MANIFEST.is_file(), reason="the hostile set is not part of the project")
async def test_the_hostile_set_ends_as_its_manifest_says(settings: Settings) -> None:
    entries = [json.loads(line) for line in MANIFEST.read_text().splitlines()]
    # 20,000 empty pages want 10 s of some processors, 60 is what a user's files are given.
    async with extractor(settings, timeout_s=24) as extraction:
        files = [MANIFEST.parent / entry["file"] for entry in entries]
        outcomes = await asyncio.gather(*(outcome(extraction, file) for file in files))
    wrong = [
        f"{entry['file']}: {found}, not {entry['expected']} ({entry['note']})"
        for entry, found in zip(entries, outcomes, strict=True)
        if found not in entry["expected"].split("-or-")
    ]
    assert wrong == []


def truncated(path: Path) -> Path:
    whole = text_pdf(path, ["Some text."] * 3).read_bytes()
    path.write_bytes(whole[:250])
    return path


def written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


@pytest.fixture
def bad_files(tmp_path: Path) -> list[tuple[Path, str]]:
    """(file, how it must end)."""
    form = "/Type/XObject/Subtype/Form/BBox[0 0 9 9]/Resources<</XObject<</F 5 0 R>>>>"
    circle = [*page_objects("/XObject<</F 5 0 R>>", "/F Do"), stream(form, "/F Do")]
    return [
        (truncated(tmp_path / "truncated.pdf"), "damaged"),
        (written(tmp_path / "empty.pdf", b""), "damaged"),
        (written(tmp_path / "zeros.pdf", bytes(5000)), "damaged"),
        (written(tmp_path / "page.pdf", b"<html><p>Hello</p></html>"), "not-a-pdf"),
        (written(tmp_path / "fake.docx", b"no zip at all"), "not-a-pdf"),
        (written(tmp_path / "broken.docx", b"PK\x03\x04 and nothing else"), "damaged"),
        (written(tmp_path / "binary.txt", bytes(range(256)) * 9), "not-a-pdf"),
        (encrypted_pdf(tmp_path / "locked.pdf", "secret", password="open"), "encrypted"),
        (raw_pdf(tmp_path / "circle.pdf", circle), "no-text"),
        (raw_pdf(tmp_path / "bomb.pdf", nested_forms(40)), "limit"),
        (raw_pdf(tmp_path / "lie.pdf", page_objects("", "", count="99999999")), "damaged"),
        (tmp_path / "missing.pdf", "damaged"),
        (text_pdf(tmp_path / "good.pdf", ["A good file among bad ones."]), "ok"),
    ]


async def test_bad_files_cost_only_themselves(
    settings: Settings, bad_files: list[tuple[Path, str]]
) -> None:
    async with extractor(settings, timeout_s=4) as extraction:
        outcomes = await asyncio.gather(*(outcome(extraction, file) for file, _ in bad_files))
    found = {file.name: kind for (file, _), kind in zip(bad_files, outcomes, strict=True)}
    assert found == {file.name: kind for file, kind in bad_files}


async def test_the_password_opens_and_a_wrong_one_says_so(
    settings: Settings, tmp_path: Path
) -> None:
    file = encrypted_pdf(tmp_path / "locked.pdf", "the secret text", password="open")
    async with extractor(settings) as extraction:
        extracted = await extraction.extract(file, password="open")
        with pytest.raises(EncryptedFile, match="wrong"):
            await extraction.extract(file, password="close")
    assert "the secret text" in extracted.document.text


async def test_text_that_no_reader_sees_is_left_out(settings: Settings, tmp_path: Path) -> None:
    import pymupdf

    document = pymupdf.open()
    page = document.new_page()
    page.insert_text((72, 72), "Visible text.")
    page.insert_text((72, 100), "Transparent orders.", render_mode=3)
    page.insert_text((72, 130), "White orders.", color=(1, 1, 1))
    page.insert_text((72, 160), "Tiny orders.", fontsize=1)
    page.draw_rect((60, 180, 300, 210), fill=(0, 0, 0.4))
    page.insert_text((72, 200), "White on blue.", color=(1, 1, 1))
    document.save(tmp_path / "hidden.pdf")
    async with extractor(settings) as extraction:
        extracted = await extraction.extract(tmp_path / "hidden.pdf")
    assert extracted.document.text.split("\n\n") == ["Visible text.", "White on blue."]


@pytest.mark.parametrize(
    ("memory_mb", "watched"),
    [
        pytest.param(256, False, marks=keeps_limits),
        pytest.param(400, False, marks=keeps_limits),
        (256, True),
    ],
)
async def test_memory_has_a_limit(
    settings: Settings, tmp_path: Path, memory_mb: int, watched: bool
) -> None:
    """Kept by the system, or by the parent as on macOS."""
    row = "(manyletters) Tj 90 0 Td " * 1000 + "-90000 14 Td "
    resources = "/Font<</F<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>"
    objects = page_objects(resources, "BT /F 12 Tf " + row * 300 + "ET")
    objects[2] = objects[2].replace("200 200", "99999 99999")
    file = raw_pdf(tmp_path / "bloated.pdf", objects)
    pool = extractor(settings, watched=watched, memory_mb=memory_mb, timeout_s=30)
    async with pool as extraction:
        with pytest.raises(LimitExceeded, match="memory"):
            await extraction.extract(file)
        good = await extraction.extract(text_pdf(tmp_path / "good.pdf", ["Still here."]))
    assert good.document.pages[0].text == "Still here."


async def test_page_and_size_limits(settings: Settings, tmp_path: Path) -> None:
    file = text_pdf(tmp_path / "four.pdf", ["Text."] * 4)
    large = tmp_path / "large.pdf"
    large.write_bytes(file.read_bytes() + bytes(2**20))
    async with extractor(settings, max_pages=3, max_file_mb=1) as extraction:
        with pytest.raises(LimitExceeded, match="4 pages, 3 allowed"):
            await extraction.extract(file)
        with pytest.raises(LimitExceeded, match="1 allowed"):
            await extraction.extract(large)
