"""A collection as one file, and back."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from store_factory import DIMENSIONS, EVERYTHING, addition, full_text, unit

from rag.errors import ConfigError, IndexCorrupt, IndexLocked, IndexMissing, StoreError
from rag.store import Store, StoreWriter
from rag.store.backup import backup, restore
from rag.store.lock import writer_lock
from rag.terms import query_terms


@pytest.fixture
async def collection(tmp_path: Path) -> Path:
    directory = tmp_path / "home" / "c"
    store = await StoreWriter.create(directory, "model@1", DIMENSIONS, "model")
    await store.commit([addition("cats", ["cats purr softly"], [unit(1, 0, 0, 0)])])
    await store.optimize()
    store.close()
    return directory


async def test_a_restored_collection_answers_as_the_old_one(
    collection: Path, tmp_path: Path
) -> None:
    size = backup(collection, tmp_path / "b.tar")
    assert size == (tmp_path / "b.tar").stat().st_size > 0
    restore(tmp_path / "b.tar", tmp_path / "home" / "d")
    store = await Store.open(tmp_path / "home" / "d")
    found = await full_text(store, query_terms("purr"), 5, EVERYTHING)
    assert [item.chunk.text for item in found] == ["cats purr softly"]
    assert sorted(path.name for path in (tmp_path / "home").iterdir()) == ["c", "d"]


async def test_restoring_over_a_collection_must_be_asked_for(
    collection: Path, tmp_path: Path
) -> None:
    backup(collection, tmp_path / "b.tar")
    writer = await StoreWriter.open(collection)
    await writer.remove([Path("/docs/cats")])
    with pytest.raises(ConfigError, match="exists"):
        restore(tmp_path / "b.tar", collection)
    restore(tmp_path / "b.tar", collection, replace=True)
    assert await (await Store.open(collection)).count_chunks() == 1


async def test_a_file_that_is_no_backup_changes_nothing(collection: Path, tmp_path: Path) -> None:
    (tmp_path / "b.tar").write_bytes(b"not a tar" * 100)
    with pytest.raises(IndexCorrupt):
        restore(tmp_path / "b.tar", collection, replace=True)
    with pytest.raises(IndexMissing):
        restore(tmp_path / "missing.tar", collection, replace=True)
    assert await (await Store.open(collection)).count_chunks() == 1
    assert [path.name for path in collection.parent.iterdir()] == ["c"]


async def test_no_backup_while_somebody_writes_and_none_is_left_half_done(
    collection: Path, tmp_path: Path
) -> None:
    with writer_lock(collection), pytest.raises(IndexLocked, match=r"process \d+"):
        backup(collection, tmp_path / "b.tar")
    assert not list(tmp_path.glob("*.tar*"))


def test_nothing_to_back_up(tmp_path: Path) -> None:
    with pytest.raises(IndexMissing):
        backup(tmp_path, tmp_path / "b.tar")


async def test_where_nothing_can_be_written_the_path_is_named(
    collection: Path, tmp_path: Path
) -> None:
    with pytest.raises(StoreError, match="nowhere"):
        backup(collection, tmp_path / "nowhere" / "b.tar")
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(StoreError, match="cannot be written"), writer_lock(tmp_path / "file" / "c"):
        pass


TINY_DISK = """
set -e
mount -t tmpfs -o size=256k tmpfs "$1"
"$2" - "$1" "$3" <<'END'
import sys
from pathlib import Path
from rag.store.backup import backup
from rag.errors import StorageFull
try:
    backup(Path(sys.argv[2]), Path(sys.argv[1], "b.tar"))
except StorageFull as error:
    print(error, list(Path(sys.argv[1]).iterdir()))
END
"""


def test_a_full_disk_is_said_to_be_full(collection: Path, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (collection / "large").write_bytes(bytes(1 << 20))
    unshare = shutil.which("unshare")
    if unshare is None:
        pytest.skip("needs Linux")
    script = [*("bash", "-c", TINY_DISK, "-"), tmp_path / "disk", sys.executable, collection]
    done = subprocess.run(
        [unshare, "--user", "--map-root-user", "--mount", *script],
        capture_output=True, text=True, check=False, cwd=Path(__file__).parent.parent,
    )  # fmt: skip
    if "unshare" in done.stderr or "mount" in done.stderr:
        pytest.skip("may not mount a small disk here")
    assert "the disk is full" in done.stdout, done.stderr
    assert done.stdout.strip().endswith("[]"), "no half of a backup stays behind"
