"""The store, on a real LanceDB in a temporary folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from store_factory import DIMENSIONS, EVERYTHING, addition, dense, full_text, read, unit

from rag.errors import IndexMismatch, IndexMissing
from rag.options import PageRange
from rag.store import Filter, Store, StoreWriter
from rag.store.column_cache import Held
from rag.store.schema import FORMAT
from rag.store.search import HELD_AFTER
from rag.terms import query_terms
from rag.types import Failure


@pytest.fixture
async def store(tmp_path: Path):
    store = await StoreWriter.create(tmp_path / "c", "model@1", DIMENSIONS, "model")
    yield store
    store.close()


CATS = addition("cats", ["cats purr softly", "kittens play"], [unit(1, 0, 0, 0), unit(1, 1, 0, 0)])
DOGS = addition("dogs", ["dogs bark at O'Neil's"], [unit(0, 0, 1, 0)])


async def test_what_was_stored_comes_back_whole(store: StoreWriter) -> None:
    await store.commit([CATS, DOGS])
    snapshot = await store.snapshot()
    assert list(snapshot.by_path.values()) == [CATS.document, DOGS.document]
    assert await store.pages("id-cats") == list(CATS.pages)
    assert await store.pages("id-cats", [2]) == [CATS.pages[1]]
    assert [c.text for c in await store.chunks("id-cats")] == ["cats purr softly", "kittens play"]


async def test_dense_search_ranks_by_cosine(store: StoreWriter) -> None:
    await store.commit([CATS, DOGS])
    found = await dense(store, unit(1, 0.1, 0, 0), 3, EVERYTHING)
    assert [item.chunk.text for item in found][:2] == ["cats purr softly", "kittens play"]
    assert found[0].score == pytest.approx(float(unit(1, 0.1, 0, 0)[0]), abs=1e-5)


async def test_full_text_search_covers_every_row_after_optimize(store: StoreWriter) -> None:
    await store.commit([CATS])
    await store.optimize()
    await store.commit([DOGS])
    await store.optimize()
    assert await store.unindexed_rows() == 0
    for word, name in (("playing", "id-cats"), ("barking", "id-dogs")):
        found = await full_text(store, query_terms(word), 5, EVERYTHING)
        assert [item.chunk.document_id for item in found] == [name]


async def test_filters_narrow_both_searches(store: StoreWriter) -> None:
    await store.commit([CATS, DOGS])
    await store.optimize()
    only_dogs = Filter(document_ids=("id-dogs",))
    assert {f.chunk.document_id for f in await dense(store, unit(1, 0, 0, 0), 9, only_dogs)} == {
        "id-dogs"
    }
    assert await full_text(store, query_terms("purr"), 9, only_dogs) == []
    second_page = Filter(pages=PageRange(2, 9))
    assert [f.chunk.first_page for f in await dense(store, unit(1, 0, 0, 0), 9, second_page)] == [2]


async def test_a_changed_document_replaces_its_old_self(store: StoreWriter) -> None:
    await store.commit([CATS])
    newer = addition("cats", ["lions roar"], [unit(0, 1, 0, 0)], id_="id-lions")
    await store.commit([newer])
    assert [d.id for d in (await store.snapshot()).by_path.values()] == ["id-lions"]
    assert await store.count_chunks() == 1
    assert await store.pages("id-cats") == []


async def test_committing_the_same_document_twice_doubles_nothing(store: StoreWriter) -> None:
    await store.commit([CATS])
    await store.commit([CATS])
    assert await store.count_chunks() == 2
    assert len(await store.pages("id-cats")) == 2


async def test_a_content_under_two_paths_is_stored_once_and_outlives_one_of_them(
    store: StoreWriter,
) -> None:
    copy = replace(CATS, document=replace(CATS.document, path=Path("/docs/copy")))
    await store.commit([CATS, copy])
    assert await store.count_chunks() == 2
    await store.remove([Path("/docs/cats")])
    assert await store.count_chunks() == 2
    await store.remove([Path("/docs/copy")])
    assert await store.count_chunks() == 0


async def test_rows_without_a_document_are_never_found_and_repair_deletes_them(
    store: StoreWriter,
) -> None:
    await store.commit([CATS, DOGS])
    # What a crash leaves: chunks and pages written, the document row not (or no longer).
    await store._delete(store._documents, "path", ["/docs/cats"])
    found = await dense(store, unit(1, 0, 0, 0), 9, EVERYTHING)
    assert {item.chunk.document_id for item in found} == {"id-dogs"}
    assert await store.repair() == 1
    assert await store.count_chunks() == 1
    assert await store.repair() == 0


async def test_a_second_reader_sees_what_the_writer_committed(
    store: StoreWriter, tmp_path: Path
) -> None:
    reader = await Store.open(tmp_path / "c")
    assert (await reader.snapshot()).by_path == {}
    await store.commit([CATS])
    fresh = await Store.open(tmp_path / "c")
    assert len((await fresh.snapshot()).by_path) == 1


async def test_a_search_goes_on_in_the_moment_that_it_began_in(
    store: StoreWriter, tmp_path: Path
) -> None:
    await store.commit([CATS])
    await store.commit([DOGS])
    reader = await Store.open(tmp_path / "c")
    searcher = await reader.searcher()
    assert await reader.searcher() is searcher
    matches = await searcher.dense(unit(0, 0, 1, 0), 9, EVERYTHING)
    await store.remove([Path("/docs/cats")])
    await store.optimize()  # compacts: the rows that stay have other ids now
    await reader.refresh()
    found = await read(searcher, matches)
    assert {item.chunk.document_id for item in found} == {"id-cats", "id-dogs"}
    now = await dense(reader, unit(0, 0, 1, 0), 9, EVERYTHING)
    assert [item.chunk.document_id for item in now] == ["id-dogs"]


async def test_a_version_asked_often_tells_the_same_from_memory(store: StoreWriter) -> None:
    for name in ("cats", "lions", "tigers"):  # rows of several commits, and deleted ones
        texts, vectors = [f"{name} purr", f"{name} play"], [unit(1, 0, 0, 0), unit(1, 1, 0, 0)]
        await store.commit([addition("cats", texts, vectors, id_=name), DOGS])
    await store.optimize()
    await store.commit([addition("owls", ["owls hoot"], [unit(0, 0, 1, 1)])])
    searcher, near = await store.searcher(), unit(1, 0.5, 0.2, 0)
    before = await read(searcher, await searcher.dense(near, 9, EVERYTHING))
    assert len(before) == 4
    for _ in range(10 * HELD_AFTER):
        if searcher._held is None:
            found = await searcher.dense(near, 9, EVERYTHING)
    assert searcher._held is not None
    found = await searcher.dense(near, 9, EVERYTHING)
    assert await read(searcher, found) == before
    barked = await searcher.full_text(query_terms("bark"), 9, Filter(("id-dogs",), PageRange(1, 1)))
    assert [item.ref.id for item in barked] == ["id-dogs:00000"]


@given(st.lists(st.integers(0, 2**64 - 1), unique=True, min_size=1, max_size=50), st.data())
def test_held_columns_are_those_of_the_rows_asked_for(rows: list[int], data: st.DataObject) -> None:
    columns = {name: [f"{name} {row}" for row in rows] for name in Held.COLUMNS}
    held = Held(pa.table({"_rowid": pa.array(rows, pa.uint64()), **columns}))
    wanted = data.draw(st.lists(st.sampled_from(rows), max_size=20))
    table = held.of(pa.chunked_array([pa.array(wanted, pa.uint64())]), ["kind", "document_id"])
    assert table.column_names == ["kind", "document_id"]
    assert table["kind"].to_pylist() == [f"kind {row}" for row in wanted]
    assert table["document_id"].to_pylist() == [f"document_id {row}" for row in wanted]


async def test_failures_are_remembered_until_the_file_is_ingested(store: StoreWriter) -> None:
    failure = Failure(Path("/docs/cats"), "damaged", "broken", "mend it", 1, 2)
    await store.record_failures([failure])
    assert await store.failures() == {failure.path: failure}
    await store.commit([CATS])
    assert await store.failures() == {}


async def test_opening_nothing_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(IndexMissing, match="nothing was ingested") as caught:
        await Store.open(tmp_path)
    assert "rag ingest" in caught.value.hint


async def test_another_embedder_is_refused_with_the_way_out(
    store: StoreWriter, tmp_path: Path
) -> None:
    with pytest.raises(IndexMismatch, match="model@1") as caught:
        await StoreWriter.create(tmp_path / "c", "other@2", DIMENSIONS, "other")
    assert "rag reembed --model other" in caught.value.hint


async def test_another_format_is_refused(store: StoreWriter, tmp_path: Path) -> None:
    (tmp_path / "c" / "index.json").write_text(f'{{"format": {FORMAT + 1}, "chunks": "chunks"}}')
    with pytest.raises(IndexMismatch, match="format"):
        await Store.open(tmp_path / "c")


async def test_vectors_come_back_by_text(store: StoreWriter) -> None:
    await store.commit([CATS])
    vectors = await store.vectors(["id-cats"])
    assert set(vectors) == {"cats\ncats purr softly", "cats\nkittens play"}
    np.testing.assert_array_equal(vectors["cats\nkittens play"], CATS.vectors[1])
