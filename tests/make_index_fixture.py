"""Writes the index fixture of the format that this checkout has, for tests/test_migrations.py.

Run it before FORMAT is raised, from the repository root: uv run python tests/make_index_fixture.py

Two PDFs of our own are ingested and tagged `before`; then a third, a text file that is not UTF-8
and a file that fails. The models are fakes, so that no model's version matters. Beside the index
stands what it answered, which every later format must answer too.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from pdf_factory import text_pdf

from rag import maintenance
from rag.config import Settings
from rag.events import Done
from rag.pipeline import Pipeline
from rag.runtime import Runtime
from rag.store.backup import backup
from rag.store.schema import FORMAT
from rag.testing import FakeEmbedder, FakeEngine

FIXTURES = Path(__file__).parent / "fixtures"
QUESTION = "What do berths cost at the Lindholm harbour?"
ANSWER = "A berth costs 340 crowns a month. [1]"

HARBOUR = [
    "# Dues\nThe Lindholm harbour has forty berths. A berth costs 340 crowns a month.",
    "# Winter\nFrom November to March boats stand in the northern shed.",
]
LIBRARY = ["# Opening hours\nThe library opens at nine and closes at seven on weekdays."]
FERRY = ["# Timetable\nThe ferry to Lindholm leaves at half past eight."]


async def main() -> None:
    # A path that tells nothing of the machine: it stands in the index.
    folder = Path("/tmp/rag-index-fixture")
    shutil.rmtree(folder, ignore_errors=True)
    files = folder / "documents"
    files.mkdir(parents=True)
    settings = Settings(home=folder / "home", collection="old", workers=1)
    runtime = Runtime(settings, embedder=FakeEmbedder(), engine=FakeEngine(ANSWER))
    pipeline = Pipeline(settings, runtime)
    try:
        text_pdf(files / "harbour.pdf", HARBOUR, title="Lindholm harbour")
        text_pdf(files / "library.pdf", LIBRARY)
        await _ingest(pipeline, files)
        await maintenance.tag(pipeline, "before")
        text_pdf(files / "ferry.pdf", FERRY)
        (files / "menu.txt").write_bytes("Today: Gemüse and crème brûlée.".encode("cp1252"))
        (files / "broken.pdf").write_bytes(b"%PDF-1.7\nnothing follows")
        await _ingest(pipeline, files)
        _write(await answers(pipeline), settings.collection_dir)
    finally:
        pipeline.close()
        await runtime.close()
        shutil.rmtree(folder)


async def _ingest(pipeline: Pipeline, files: Path) -> None:
    async for _ in pipeline.ingest([files]):
        pass


def _write(told: dict[str, Any], collection: Path) -> None:
    FIXTURES.mkdir(exist_ok=True)
    name = FIXTURES / f"index-format-{FORMAT}"
    name.with_suffix(".json").write_text(json.dumps(told, indent=2) + "\n")
    with tempfile.TemporaryDirectory() as temporary:
        tar = Path(temporary, "index.tar")
        backup(collection, tar)
        packed = gzip.compress(tar.read_bytes(), mtime=0)
    name.with_suffix(".tar.gz").write_bytes(packed)
    print(f"{name}.tar.gz: {len(packed):,} bytes")


async def answers(pipeline: Pipeline) -> dict[str, Any]:
    """What an index tells, as JSON has it: documents, failures, a search, an answer's citations."""
    events = [event async for event in pipeline.ask(QUESTION)]
    done = events[-1]
    assert isinstance(done, Done)
    store = await pipeline.store()
    told = {
        "documents": [
            [str(d.path), d.title, d.pages, d.chunks] for d in await pipeline.documents()
        ],
        "failures": sorted([str(f.path), f.kind] for f in (await store.failures()).values()),
        "hits": [
            [hit.chunk.id, round(hit.score, 4)] for hit in (await pipeline.search(QUESTION)).hits
        ],
        "answer": done.answer.text,
        "citations": [[c.document.name, c.page, c.quote, c.boxes] for c in done.answer.citations],
    }
    comparable: dict[str, Any] = json.loads(json.dumps(told))
    return comparable


if __name__ == "__main__":
    asyncio.run(main())
