"""One file has one path, however its name was typed."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.config import Settings, in_collection, load_settings
from rag.encoding import name_key
from rag.paths import located, spelled
from rag.retrieval.document_lookup import Lookup
from rag.types import Coverage, Document

ON_DISK = ("Users", "Ada", "Übersicht Straße.pdf")


def document(path: str, title: str = "") -> Document:
    return Document(
        id="0123456789abcdef",
        path=Path(path),
        title=title or Path(path).stem,
        sha256="",
        size=1,
        mtime_ns=1,
        pages=1,
        chunks=1,
        language="en",
        coverage=Coverage(1, 0, 0, ()),
        metadata={},
        added_at="",
    )


def apple(path: Path) -> Path:
    """What stands on a disk of macOS, with its names in NFD, under a name of any spelling."""
    names = [unicodedata.normalize("NFD", name) for name in ON_DISK]
    keys = [name_key(name) for name in names]
    found = [names[keys.index(name_key(part))] for part in path.parts[1:] if name_key(part) in keys]
    if len(found) < len(path.parts) - 1:
        raise FileNotFoundError(path)
    return Path("/", *found)


def respelled(path: str) -> Path:
    return spelled(
        Path(path),
        same=lambda one, other: apple(one) == apple(other),
        names=lambda _: [unicodedata.normalize("NFD", name) for name in ON_DISK],
    )


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("change", [str, str.upper, str.swapcase])
def test_a_name_is_spelled_as_on_the_disk(form: str, change: type[str]) -> None:
    typed = unicodedata.normalize(form, change("/Users/Ada/Übersicht Straße.pdf"))
    assert respelled(typed) == apple(Path("/Users/Ada/Übersicht Straße.pdf"))


def test_what_is_not_there_stays_as_it_is() -> None:
    assert respelled("/Users/ADA/none.PDF") == Path("/Users/Ada/none.PDF")


def test_two_files_that_differ_in_case_stay_two(tmp_path: Path) -> None:
    for name in ("a.pdf", "A.pdf"):
        (tmp_path / name).write_text(name)
    if len(list(tmp_path.iterdir())) == 1:
        pytest.skip("the file system takes them for one")
    assert located(tmp_path / "A.pdf").name == "A.pdf"
    assert located(tmp_path / "a.pdf").name == "a.pdf"


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("other", ["NFC", "NFD"])
@pytest.mark.parametrize(
    "typed", ["Übersicht.pdf", "übersicht", "Über*.pdf", "bersi", "/docs/ÜBERSICHT.pdf"]
)
def test_a_document_is_found_by_either_form_of_its_name(form: str, other: str, typed: str) -> None:
    known = document(unicodedata.normalize(form, "/docs/Übersicht.pdf"))
    assert Lookup([known]).find(unicodedata.normalize(other, typed)) == [known]


@given(st.text())
def test_a_key_is_the_same_for_every_form(text: str) -> None:
    forms = [unicodedata.normalize(form, text) for form in ("NFC", "NFD")]
    assert {name_key(form) for form in forms} == {name_key(text)}


def test_collections_that_differ_in_case_are_one(tmp_path: Path) -> None:
    (tmp_path / "collections" / "Demo").mkdir(parents=True)
    settings = load_settings(home=tmp_path, collection="demo")
    assert settings.collection == "Demo"
    assert in_collection(settings, "DEMO").collection_dir == settings.collection_dir
    assert in_collection(settings, "other").collection == "other"
    assert load_settings(home=tmp_path / "none", collection="demo").collection == "demo"


def test_of_two_that_are_there_each_keeps_its_own(tmp_path: Path) -> None:
    for name in ("Demo", "demo"):
        (tmp_path / "collections" / name).mkdir(parents=True, exist_ok=True)
    for name in (path.name for path in (tmp_path / "collections").iterdir()):
        assert in_collection(Settings(home=tmp_path), name).collection == name
