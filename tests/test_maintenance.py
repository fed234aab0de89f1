"""Faults of an index: each one injected, found and repaired; tags; a change of the embedder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from store_factory import EVERYTHING, addition, dense, full_text, unit

from rag.errors import IndexMissing, InvalidName
from rag.store import Addition, Filter, Store, StoreWriter
from rag.store.checks import check, repair
from rag.store.connection import one_of
from rag.store.indexes import PARTS, ROWS_A_PARTITION, index_chunks
from rag.store.reembed import reembed
from rag.store.tags import delete_tag, set_tag
from rag.terms import query_terms
from rag.testing import FakeEmbedder
from rag.types import Coverage, Document

TEXTS = {"cats": ["cats purr softly", "kittens play"], "dogs": ["dogs bark at night"]}


@pytest.fixture
def embedder() -> FakeEmbedder:
    return FakeEmbedder()


async def make(folder: Path, name: str, embedder: FakeEmbedder) -> Addition:
    """An addition whose file exists and whose vectors are the embedder's."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(name)
    plain = addition(name, TEXTS[name], [np.ones(4)] * len(TEXTS[name]))
    vectors = await embedder.embed_documents([chunk.content for chunk in plain.chunks])
    document = Document(**{**_fields(plain.document), "path": folder / name})
    return Addition(document, plain.recipe, plain.pages, plain.chunks, vectors)


def _fields(document: Document) -> dict[str, object]:
    return {name: getattr(document, name) for name in Document.__slots__}


@pytest.fixture
async def store(tmp_path: Path, embedder: FakeEmbedder):
    store = await StoreWriter.create(tmp_path / "c", embedder.id, embedder.dimensions, "fake")
    await store.commit([await make(tmp_path / "files", name, embedder) for name in TEXTS])
    await store.optimize()
    yield store
    store.close()


async def kinds(store: Store) -> list[str]:
    return [fault.kind for fault in await check(store)]


async def test_a_sound_index_has_no_faults(store: StoreWriter) -> None:
    assert await kinds(store) == []


async def test_chunks_that_full_text_misses(
    store: StoreWriter, embedder: FakeEmbedder, tmp_path: Path
) -> None:
    TEXTS["birds"] = ["birds sing"]
    await store.commit([await make(tmp_path / "files", "birds", embedder)])
    faults = await check(store)
    assert [fault.kind for fault in faults] == ["full-text"]
    await repair(store, faults, embedder)
    assert await kinds(store) == []
    del TEXTS["birds"]


async def test_chunks_without_a_document(store: StoreWriter, embedder: FakeEmbedder) -> None:
    await store._documents.delete(one_of("id", ["id-cats"]))
    faults = await check(store)
    assert [(fault.kind, fault.items) for fault in faults] == [("orphans", ("id-cats",))]
    await repair(store, faults, embedder)
    assert await kinds(store) == []
    assert await store.count_chunks() == 1


async def test_a_document_without_its_chunks_must_be_ingested_again(
    store: StoreWriter, embedder: FakeEmbedder, tmp_path: Path
) -> None:
    await store.chunks_table.delete(one_of("id", ["id-cats:00001"]))
    faults = await check(store)
    assert [fault.kind for fault in faults] == ["incomplete"]
    assert await repair(store, faults, embedder) == [tmp_path / "files" / "cats"]
    assert len((await store.snapshot()).by_path) == 2, "it stays until it was read again"


async def test_a_document_without_its_pages_must_be_ingested_again(
    store: StoreWriter, embedder: FakeEmbedder
) -> None:
    await store._pages.delete("number = 2")
    assert await kinds(store) == ["incomplete"]


async def test_vectors_of_a_document_without_chunks_or_with_refused_vectors(
    store: StoreWriter,
) -> None:
    rows = await store.chunks_table.query().where(one_of("id", ["id-dogs:00000"])).to_arrow()
    none = pa.nulls(1, rows.schema.field("vector").type)
    position = rows.schema.get_field_index("vector")
    await store.chunks_table.delete("true")
    assert await store.vectors(["id-dogs"]) == {}
    await store.chunks_table.add(rows.set_column(position, "vector", none))
    assert await store.vectors(["id-dogs"]) == {}


async def test_doubled_chunks(store: StoreWriter, embedder: FakeEmbedder) -> None:
    rows = await store.chunks_table.query().where(one_of("id", ["id-cats:00000"])).to_arrow()
    await store.chunks_table.add(rows)
    await store.optimize()
    faults = await check(store)
    assert [(fault.kind, fault.items) for fault in faults] == [("duplicates", ("id-cats:00000",))]
    await repair(store, faults, embedder)
    assert await kinds(store) == []
    assert await store.count_chunks() == 3


@pytest.mark.parametrize("value", [float("nan"), 0.0, 3.0])
async def test_broken_vectors_are_embedded_again(
    store: StoreWriter, embedder: FakeEmbedder, value: float
) -> None:
    before = (await store.vectors(["id-dogs"]))["dogs\ndogs bark at night"]
    rows = await store.chunks_table.query().where(one_of("id", ["id-dogs:00000"])).to_arrow()
    broken = np.full(embedder.dimensions, value, dtype=np.float32)
    column = pa.FixedSizeListArray.from_arrays(pa.array(broken), embedder.dimensions)
    position = rows.schema.get_field_index("vector")
    await store.chunks_table.delete(one_of("id", ["id-dogs:00000"]))
    # LanceDB refuses NaN vectors unless told what to do with them: "null" stores none at all.
    await store.chunks_table.add(rows.set_column(position, "vector", column), on_bad_vectors="null")
    await store.optimize()
    faults = await check(store)
    assert [(fault.kind, fault.items) for fault in faults] == [("vectors", ("id-dogs:00000",))]
    await repair(store, faults, embedder)
    assert await kinds(store) == []
    after = (await store.vectors(["id-dogs"]))["dogs\ndogs bark at night"]
    np.testing.assert_allclose(after, before, atol=1e-6)


async def test_a_deleted_file_leaves_the_index_but_an_unmounted_disk_does_not(
    store: StoreWriter, embedder: FakeEmbedder, tmp_path: Path
) -> None:
    (tmp_path / "files").rename(tmp_path / "unmounted")
    faults = await check(store)
    assert [fault.kind for fault in faults] == ["missing-source"]
    await repair(store, faults, embedder)
    assert len((await store.snapshot()).by_path) == 2
    (tmp_path / "unmounted").rename(tmp_path / "files")
    (tmp_path / "files" / "cats").unlink()
    await repair(store, await check(store), embedder)
    assert [path.name for path in (await store.snapshot()).by_path] == ["dogs"]
    assert await kinds(store) == []


async def test_pages_that_were_not_read_are_named(
    store: StoreWriter, embedder: FakeEmbedder, tmp_path: Path
) -> None:
    made = await make(tmp_path / "files", "dogs", embedder)
    coverage = Coverage(0, 0, 0, (), {"scan": (1,)})
    scanned = Document(**{**_fields(made.document), "coverage": coverage})
    await store.upsert([(scanned, made.recipe)])
    faults = await check(store)
    assert [(f.kind, f.items) for f in faults] == [
        ("unread-pages", (str(tmp_path / "files" / "dogs"),))
    ]
    assert await repair(store, faults, embedder) == [tmp_path / "files" / "dogs"]


# ── tags ──────────────────────────────────────────────────────────────────────────────────────


async def test_a_tag_goes_back_to_its_moment(store: StoreWriter, tmp_path: Path) -> None:
    await set_tag(store, "before")
    await store.remove([tmp_path / "files" / "cats"])
    await store.optimize()
    then = await Store.open(tmp_path / "c", tag="before")
    assert len((await then.snapshot()).by_path) == 2
    found = await full_text(then, query_terms("purr"), 5, EVERYTHING)
    assert [item.chunk.document_id for item in found] == ["id-cats"]
    assert len((await store.snapshot()).by_path) == 1


async def test_a_tag_can_be_moved_and_deleted(store: StoreWriter, tmp_path: Path) -> None:
    await set_tag(store, "t")
    await store.remove([tmp_path / "files" / "cats"])
    await set_tag(store, "t")
    assert len((await (await Store.open(tmp_path / "c", tag="t")).snapshot()).by_path) == 1
    await delete_tag(store, "t")
    with pytest.raises(IndexMissing, match="no tag 't'"):
        await Store.open(tmp_path / "c", tag="t")
    with pytest.raises(IndexMissing):
        await delete_tag(store, "t")
    with pytest.raises(InvalidName):
        await set_tag(store, "../x")


# ── another embedder ──────────────────────────────────────────────────────────────────────────


async def test_reembed_swaps_under_an_open_reader_and_drops_the_old_table_later(
    store: StoreWriter, tmp_path: Path
) -> None:
    other = FakeEmbedder(dimensions=32)
    reader = await Store.open(tmp_path / "c")
    steps = [step async for step in reembed(store, other, "other")]
    assert (steps[-1].done, steps[-1].total) == (3, 3)
    found = await dense(reader, await other.embed_query("cats purr"), 1, EVERYTHING)
    assert found[0].chunk.text == "cats purr softly"
    assert (await reader.embedder())[0] == other.id
    found = await full_text(reader, query_terms("barking"), 5, EVERYTHING)
    assert [item.chunk.document_id for item in found] == ["id-dogs"]
    again = await StoreWriter.open(tmp_path / "c")
    await again.optimize()
    assert again.manifest.retired == ()
    assert await kinds(again) == []


async def test_reembed_goes_on_where_it_was_stopped(store: StoreWriter, tmp_path: Path) -> None:
    other = FakeEmbedder(dimensions=32)
    async for _ in reembed(store, other, "other"):
        break  # killed before the first row: the shadow table is there, the manifest is not
    assert (await (await Store.open(tmp_path / "c")).embedder())[0] != other.id
    await store.remove([tmp_path / "files" / "dogs"])
    async for _ in reembed(store, other, "other"):
        pass
    after = await Store.open(tmp_path / "c")
    assert await after.count_chunks() == 2
    assert await kinds(after) == []


# ── vector index ──────────────────────────────────────────────────────────────────────────────


async def test_a_large_table_gets_a_vector_index_that_grows_with_it(tmp_path: Path) -> None:
    """Clustered vectors: nearly all true neighbours are found, filters hold, new rows count."""
    store = await StoreWriter.create(tmp_path / "c", "e@1", 16, "e")
    chance = np.random.default_rng(0)
    centres = chance.standard_normal((50, 16))

    async def add(name: str, count: int) -> np.ndarray:
        vectors = centres[chance.integers(0, 50, count)] + 0.5 * chance.standard_normal((count, 16))
        vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
        await store.commit([addition(name, [f"text {i}" for i in range(count)], list(vectors))])
        await store.optimize()
        return vectors

    async def names() -> set[str]:
        return {i.name for i in await store.chunks_table.list_indices() if "vector" in i.columns}

    async def found(vector: np.ndarray, where: Filter) -> set[str]:
        return {item.chunk.id for item in await dense(store, vector, 10, where)}

    few = await add("few", 100)
    assert await names() == set()
    many = await add("many", 4 * ROWS_A_PARTITION)
    assert await names() == {"vector_ivf_4"}
    for vector in many[:20]:
        nearest = np.argsort(-np.concatenate([few, many]) @ vector, kind="stable")[:10]
        ids = {f"id-few:{i:05}" if i < 100 else f"id-many:{i - 100:05}" for i in nearest}
        assert len(ids & await found(vector, EVERYTHING)) >= 9
        own = await found(vector, Filter(("id-few",)))
        assert own == {f"id-few:{i:05}" for i in np.argsort(-few @ vector)[:10]}
    late = await add("late", 10)
    assert "id-late:00003" in await found(late[3], EVERYTHING)
    await add("more", 4 * ROWS_A_PARTITION)
    assert await names() == {"vector_ivf_8"}
    store.close()


async def add_clustered(store: StoreWriter, name: str, count: int, dimensions: int) -> np.ndarray:
    """A document of so many unit vectors around forty centres."""
    chance = np.random.default_rng(count)
    centres = np.random.default_rng(0).standard_normal((40, dimensions))
    vectors = centres[chance.integers(0, 40, count)]
    vectors = vectors + 0.5 * chance.standard_normal((count, dimensions))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    await store.commit([addition(name, [f"text {i}" for i in range(count)], list(vectors))])
    return vectors


async def vector_indexes(store: Store) -> list[str]:
    return [i.name for i in await store.chunks_table.list_indices() if "vector" in i.columns]


async def test_a_table_too_large_to_search_whole_gets_its_vectors_quantised(tmp_path: Path) -> None:
    """Nearly all true neighbours are found, with their exact cosines; filters hold."""
    store = await StoreWriter.create(tmp_path / "c", "e@1", 64, "e")
    many = await add_clustered(store, "many", 1500, 64)
    await index_chunks(store.chunks_table, a_partition=250, exact=6)
    assert await vector_indexes(store) == ["vector_ivf_6"]
    few = await add_clustered(store, "few", 500, 64)
    await index_chunks(store.chunks_table, a_partition=250, exact=6)
    assert await vector_indexes(store) == ["vector_rq_8"]
    assert "document_ids" in {index.name for index in await store.chunks_table.list_indices()}
    everything = np.concatenate([many, few])
    shared = 0
    for vector in everything[::100]:
        found = await dense(store, vector, 10, EVERYTHING)
        rows = [item.chunk.ordinal + 1500 * (item.chunk.document_id == "id-few") for item in found]
        assert [item.score for item in found] == pytest.approx(everything[rows] @ vector, abs=1e-5)
        shared += len({*rows} & {*np.argsort(-everything @ vector)[:10].tolist()})
        own = await dense(store, vector, 10, Filter(("id-few",)))
        assert {item.chunk.document_id for item in own} == {"id-few"}
    assert shared >= 0.95 * 10 * len(everything[::100])
    store.close()


async def test_a_quantised_index_stays_and_takes_rows_in(tmp_path: Path) -> None:
    store = await StoreWriter.create(tmp_path / "c", "e@1", 16, "e")
    await add_clustered(store, "many", 1000, 16)
    await index_chunks(store.chunks_table, a_partition=100, exact=8)
    late = await add_clustered(store, "late", 20, 16)
    await store.chunks_table.optimize()
    stats = await store.chunks_table.index_stats("vector_rq_10")
    assert stats is not None
    assert stats.num_unindexed_rows == 0
    found = await dense(store, late[7], 1, EVERYTHING)
    assert [item.chunk.id for item in found] == ["id-late:00007"]
    await store.remove([Path("/docs/late")])
    await index_chunks(store.chunks_table, a_partition=100, exact=12)  # few enough again
    assert await vector_indexes(store) == ["vector_rq_10"]
    store.close()


async def test_vectors_that_cannot_be_quantised_are_indexed_whole(tmp_path: Path) -> None:
    store = await StoreWriter.create(tmp_path / "c", "e@1", 12, "e")
    await add_clustered(store, "many", 1000, 12)
    await index_chunks(store.chunks_table, a_partition=100, exact=4)
    assert await vector_indexes(store) == ["vector_ivf_10"]
    store.close()


async def test_many_small_commits_leave_a_vector_index_of_few_parts(tmp_path: Path) -> None:
    store = await StoreWriter.create(tmp_path / "c", "e@1", 4, "e")
    chance = np.random.default_rng(0)

    async def add(name: str, vectors: list[np.ndarray]) -> None:
        await store.commit([addition(name, ["text"] * len(vectors), vectors)])
        await store.optimize()

    await add("many", [unit(*chance.standard_normal(4)) for _ in range(ROWS_A_PARTITION)])
    parts = []
    for i in range(PARTS + 2):
        await add(f"one{i}", [unit(*chance.standard_normal(4))])
        stats = await store.chunks_table.index_stats("vector_ivf_1")
        assert stats is not None
        assert stats.num_unindexed_rows == 0
        parts.append(stats.num_indices)
    assert max(parts) == PARTS
    assert parts[-1] < PARTS
    await add("last", [unit(1, 2, 3, 4)])
    found = await dense(store, unit(1, 2, 3, 4), 1, EVERYTHING)
    assert [item.chunk.document_id for item in found] == ["id-last"]
