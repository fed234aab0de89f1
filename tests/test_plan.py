"""What an ingest finds to do."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rag.errors import PathNotFound
from rag.events import Comparing
from rag.ingest.comparison import comparison
from rag.ingest.discovery import discover
from rag.ingest.plan import IngestPlan, make_plan
from rag.ingest.sources import Index
from rag.types import Coverage, Document, Failure

RECIPE = "r1"
EMPTY = Index({}, {}, {})


def index_of(plan: IngestPlan, recipe: str = RECIPE) -> Index:
    """The index as it stands after `plan` was carried out on an empty one."""
    documents = {
        source.path: Document(
            id=job.document_id,
            path=source.path,
            title=source.path.name,
            sha256=source.sha256,
            size=source.size,
            mtime_ns=source.mtime_ns,
            pages=1,
            chunks=1,
            language="en",
            coverage=Coverage(1, 0, 0, ()),
            metadata={},
            added_at="",
        )
        for job in plan.jobs
        for source in job.sources
    }
    return Index(documents, dict.fromkeys(documents, recipe), {})


def plan(
    folder: Path, index: Index = EMPTY, recipe: str = RECIPE, *, retry: bool = False
) -> IngestPlan:
    return make_plan(discover([folder], {".pdf"}), [folder], index, recipe, retry=retry)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a", "b"):
        (tmp_path / f"{name}.pdf").write_text(name)
    return tmp_path


def test_first_run_is_all_new(folder: Path) -> None:
    counts = plan(folder).counts()
    assert (counts.new, counts.changed, counts.unchanged) == (2, 0, 0)


def test_second_run_has_nothing_to_do(folder: Path) -> None:
    again = plan(folder, index_of(plan(folder)))
    assert again.jobs == ()
    assert again.unchanged == 2


def test_unchanged_files_are_not_read(folder: Path) -> None:
    index = index_of(plan(folder))
    stat = (folder / "a.pdf").stat()
    (folder / "a.pdf").write_text("X")  # same size; the time is put back
    os.utime(folder / "a.pdf", ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert plan(folder, index).unchanged == 2


def test_a_touched_file_with_the_same_content_only_gets_its_new_time(folder: Path) -> None:
    index = index_of(plan(folder))
    os.utime(folder / "a.pdf", ns=(1, 1))
    again = plan(folder, index)
    assert again.jobs == ()
    assert [(d.path.name, d.mtime_ns) for d in again.known] == [("a.pdf", 1)]
    assert again.counts().new == 0
    assert again.counts().unchanged == 2


def test_a_changed_file_is_done_again_and_may_reuse_its_vectors(folder: Path) -> None:
    index = index_of(plan(folder))
    (folder / "a.pdf").write_text("something else")
    again = plan(folder, index)
    assert [job.sources[0].path.name for job in again.jobs] == ["a.pdf"]
    assert again.jobs[0].replaces == (index.documents[folder / "a.pdf"].id,)
    assert (again.counts().new, again.counts().changed) == (0, 1)


def test_a_renamed_file_is_moved_not_read_again(folder: Path) -> None:
    index = index_of(plan(folder))
    (folder / "a.pdf").rename(folder / "c.pdf")
    again = plan(folder, index)
    assert again.jobs == ()
    assert again.gone == ()
    assert again.moved == {folder / "a.pdf": folder / "c.pdf"}
    assert again.counts().moved == 1
    assert again.counts().new == 0


def test_two_files_with_one_content_are_one_job(tmp_path: Path) -> None:
    for name in ("a.pdf", "b.pdf"):
        (tmp_path / name).write_text("same")
    made = plan(tmp_path)
    assert len(made.jobs) == 1
    assert len(made.jobs[0].sources) == 2


def test_a_copy_of_an_indexed_file_needs_only_its_row(folder: Path) -> None:
    index = index_of(plan(folder))
    (folder / "c.pdf").write_text("a")
    again = plan(folder, index)
    assert again.jobs == ()
    assert again.moved == {}
    assert [d.path.name for d in again.known] == ["c.pdf"]
    assert again.counts().new == 1


def test_a_deleted_file_is_gone_but_only_below_the_folders_asked_for(folder: Path) -> None:
    index = index_of(plan(folder))
    (folder / "a.pdf").unlink()
    assert plan(folder, index).gone == (folder / "a.pdf",)
    (folder / "sub").mkdir()
    assert plan(folder / "sub", index).gone == ()


def test_another_recipe_cuts_every_document_again(folder: Path) -> None:
    again = plan(folder, index_of(plan(folder)), "r2")
    assert again.counts().changed == 2
    assert all(job.replaces for job in again.jobs)


def test_a_known_failure_is_not_tried_again_unless_asked(folder: Path) -> None:
    stat = (folder / "a.pdf").stat()
    failure = Failure(folder / "a.pdf", "damaged", "", "", stat.st_size, stat.st_mtime_ns)
    index = replace(EMPTY, failures={failure.path: failure})
    assert plan(folder, index).known_bad == (failure,)
    assert len(plan(folder, index).jobs) == 1
    assert len(plan(folder, index, retry=True).jobs) == 2


def test_an_unreadable_file_costs_only_itself(folder: Path) -> None:
    (folder / "c.pdf").symlink_to(folder / "nowhere.pdf")
    made = plan(folder)
    assert [failure.path.name for failure in made.unreadable] == ["c.pdf"]
    assert len(made.jobs) == 2


def test_discover_takes_files_folders_and_globs(folder: Path) -> None:
    (folder / "deep").mkdir()
    (folder / "deep" / "d.PDF").write_text("d")
    (folder / ".hidden").mkdir()
    (folder / ".hidden" / "h.pdf").write_text("h")
    (folder / "note.xyz").write_text("n")
    found = discover([folder], {".pdf"})
    assert [path.name for path in found.files] == ["a.pdf", "b.pdf", "d.PDF"]
    assert found.passed_over == {".xyz": (folder / "note.xyz",)}
    assert [p.name for p in discover([folder / "*.pdf"], {".pdf"}).files] == ["a.pdf", "b.pdf"]
    named = discover([folder, folder / "note.xyz"], {".pdf"})
    assert folder / "note.xyz" in named.files
    assert named.passed_over == {}


def test_one_file_has_one_path_however_it_is_named(folder: Path) -> None:
    roundabout = folder / ".." / folder.name / "a.pdf"
    found = discover([roundabout, folder], {".pdf"})
    assert found.files == (folder / "a.pdf", folder / "b.pdf")


def test_what_is_passed_over_is_counted_by_its_kind(folder: Path) -> None:
    for name in ("letter.RTF", "mail.eml", "second.eml", "Makefile", ".hidden"):
        (folder / name).write_text("x")
    (folder / "elsewhere").symlink_to(folder.parent)
    counts = plan(folder).counts().passed_over
    assert counts == {".rtf": 1, ".eml": 2, "no suffix": 1, "linked folder": 1}


def test_where_indexes_are_kept_is_none_of_it(folder: Path) -> None:
    (folder / "home").mkdir()
    (folder / "home" / "c.pdf").write_text("c")
    found = discover([folder], {".pdf"}, own=folder / "home")
    assert [path.name for path in found.files] == ["a.pdf", "b.pdf"]


def test_what_is_no_file_is_not_opened(folder: Path) -> None:
    os.mkfifo(folder / "pipe.pdf")  # a reader would wait for a writer for ever
    made = plan(folder)
    assert [failure.path.name for failure in made.unreadable] == ["pipe.pdf"]
    assert len(made.jobs) == 2


def test_a_file_that_goes_while_we_look_is_gone(folder: Path) -> None:
    index = index_of(plan(folder))
    found = discover([folder], {".pdf"})
    (folder / "a.pdf").unlink()
    made = make_plan(found, [folder], index, RECIPE)
    assert (made.unreadable, made.gone) == ((), (folder / "a.pdf",))


def test_hashing_is_counted_in_bytes(folder: Path) -> None:
    (folder / "c.pdf").write_bytes(bytes(3 << 20))
    told: list[Comparing] = []
    make_plan(discover([folder], {".pdf"}), [folder], EMPTY, RECIPE, compared=told.append)
    total = (3 << 20) + 2
    assert [step.bytes_done for step in told if step.bytes_total == total] == [
        0, 1, 2, 2 + (1 << 20), 2 + (2 << 20)
    ]  # fmt: skip
    assert [step.files_done for step in told][-1] == 2


def test_discover_says_what_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(PathNotFound, match="no such file"):
        discover([tmp_path / "missing.pdf"], {".pdf"})


def test_what_is_read_again_keeps_its_old_id_until_then(folder: Path) -> None:
    index = index_of(plan(folder))
    again = make_plan(discover([folder], {".pdf"}), [folder], index, RECIPE, reread=True)
    assert (again.unchanged, again.counts().changed) == (0, 2)
    old = {document.id for document in index.documents.values()}
    assert not old & {job.document_id for job in again.jobs}
    assert {id_ for job in again.jobs for id_ in job.replaces} == old
    assert plan(folder, index_of(again)).unchanged == 2


def test_failures_of_files_that_are_gone_or_sound_again_are_forgotten(folder: Path) -> None:
    index = index_of(plan(folder))
    names = ("a.pdf", "gone.pdf", "elsewhere/x.pdf")
    paths = [folder / name for name in names[:2]] + [folder.parent / names[2]]
    failures = {path: Failure(path, "damaged", "", "", 1, 1) for path in paths}
    index = Index(index.documents, index.recipes, failures)
    assert plan(folder, index).recovered == (folder / "a.pdf", folder / "gone.pdf")


async def test_a_long_comparison_tells_how_far_it_is_and_stops_when_it_is_closed(
    tmp_path: Path,
) -> None:
    for name in ("a.pdf", "b.pdf", "c.pdf"):
        with (tmp_path / name).open("wb") as file:
            file.truncate(96 << 20)  # some tens of milliseconds to hash
            file.write(name.encode())
    empty = Index({}, {}, {})
    steps = [step async for step in comparison([tmp_path], empty, RECIPE, every_s=0.005)]
    told = [step for step in steps if isinstance(step, Comparing)]
    assert {step.files_total for step in told} <= {None, 3}
    assert {step.bytes_total for step in told} >= {3 * (96 << 20)}
    assert [step.files_done for step in told] == sorted(step.files_done for step in told)
    assert isinstance(steps[-1], IngestPlan)
    assert steps[-1].new == 3
    half = comparison([tmp_path], empty, RECIPE, every_s=0.005)
    assert isinstance(await anext(half), Comparing)
    await half.aclose()


# ── what the system does not let us see ───────────────────────────────────────────────────────


@pytest.fixture
def deny(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path, int], None]:
    """Have the system refuse a folder, as macOS refuses Documents: root may look into any."""
    look, names = os.scandir, os.listdir

    def deny(folder: Path, code: int) -> None:
        def refuse(path: Any = ".", real: Any = look) -> Any:
            if Path(os.fsdecode(path)) == folder:
                raise PermissionError(code, os.strerror(code), str(path))
            return real(path)

        monkeypatch.setattr(os, "scandir", refuse)
        monkeypatch.setattr(os, "listdir", lambda path=".": refuse(path, names))

    return deny


async def compare(argument: Path, index: Index = EMPTY) -> IngestPlan:
    steps = [step async for step in comparison([argument], index, RECIPE)]
    assert isinstance(steps[-1], IngestPlan)
    return steps[-1]


@pytest.mark.parametrize("argument", ["", "below", "below/*.pdf", "below/**/*.pdf"])
@pytest.mark.parametrize(
    ("code", "hint"), [(errno.EPERM, "Privacy"), (errno.EACCES, "permissions")]
)
async def test_a_folder_that_is_denied_is_named_and_loses_nothing(
    folder: Path, deny: Callable[[Path, int], None], argument: str, code: int, hint: str
) -> None:
    (folder / "below").mkdir()
    (folder / "below" / "c.pdf").write_text("c")
    index = index_of(plan(folder))
    deny(folder / "below", code)
    found = await compare(folder / argument, index)
    (failure,) = found.unreadable
    assert (failure.path, failure.reason) == (folder / "below", os.strerror(code))
    assert hint in failure.hint
    assert found.gone == ()
    assert found.jobs == ()


async def test_a_folder_that_is_open_again_is_no_failure_any_more(
    folder: Path, deny: Callable[[Path, int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    deny(folder, errno.EPERM)
    (failure,) = (await compare(folder)).unreadable
    index = Index({}, {}, {folder: failure})
    assert (await compare(folder, index)).recovered == ()
    monkeypatch.undo()
    assert (await compare(folder, index)).recovered == (folder,)
