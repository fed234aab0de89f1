"""Uploads, jobs, page images and collections, on a real server with the real ingest process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.testing import FakeEngine
from service.uploads import safe_name
from tests.service_server import GARDEN, LEASE, pdf, running, service_settings, upload


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def client(home: Path, shared_cache: Path) -> Iterator[httpx2.Client]:
    settings = service_settings(home, shared_cache)
    settings = settings.model_copy(
        update={"service": settings.service.model_copy(update={"max_upload_mb": 1})}
    )
    with (
        running(settings, FakeEngine()) as url,
        httpx2.Client(base_url=url, timeout=60) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def lease(client: httpx2.Client) -> dict[str, object]:
    """A document of two pages that was uploaded and ingested."""
    job = upload(client, ("lease.pdf", pdf(f"{LEASE}\f{GARDEN}", "Lease")))
    assert job["status"] == "done", job
    return client.get(f"/documents/{job['files'][0]['document_id']}").json()  # type: ignore[no-any-return]


def test_an_upload_becomes_a_document(client: httpx2.Client, lease: dict[str, object]) -> None:
    assert (lease["name"], lease["title"], lease["pages"]) == ("lease.pdf", "Lease", 2)
    listed = client.get("/documents", params={"q": "leas"}).json()
    assert [document["id"] for document in listed["documents"]] == [lease["id"]]
    file = client.get(str(lease["file_url"]))
    assert file.content.startswith(b"%PDF-")
    assert file.headers["content-type"] == "application/pdf"
    head = client.head(str(lease["file_url"]))
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(file.content))
    part = client.get(str(lease["file_url"]), headers={"Range": "bytes=1-3"})
    assert (part.status_code, part.content) == (206, b"PDF")


def test_the_same_content_is_recognised_under_any_name(
    client: httpx2.Client, lease: dict[str, object]
) -> None:
    content = client.get(str(lease["file_url"])).content
    answer = client.post("/documents", params={"name": "lease.pdf"}, content=content).json()
    assert answer["job"] is None
    assert answer["files"][0]["status"] == "duplicate"
    assert answer["files"][0]["document_id"] == lease["id"]


def test_a_file_is_what_it_holds_not_what_it_is_called(client: httpx2.Client) -> None:
    for name, content, status in (
        ("page.pdf", b"<html>not a PDF</html>", 415),
        ("program.exe", b"MZ\x90\x00", 415),
        ("empty.pdf", b"", 422),
        ("large.pdf", b"%PDF-1.7" + bytes(2 << 20), 413),
    ):
        answer = client.post("/documents", files=[("file", (name, content))])
        assert answer.status_code == status, answer.text
        assert name in answer.json()["detail"]


def test_a_damaged_file_fails_its_job_and_is_not_kept(client: httpx2.Client, home: Path) -> None:
    job = upload(client, ("broken.pdf", b"%PDF-1.7\nnothing more"))
    assert job["status"] == "failed"
    assert job["files"][0]["problem"]["hint"]
    assert not (home / "files/default/broken.pdf").exists()


def test_a_collection_whose_only_file_cannot_be_read(client: httpx2.Client) -> None:
    locked = upload(client, ("locked.pdf", pdf(LEASE, password="x")), collection="locked")
    assert locked["status"] == "failed"
    problem = locked["files"][0]["problem"]
    assert (problem["code"], problem["status"]) == ("encrypted", 422)
    assert "rag ingest --password" in problem["hint"]
    assert client.get("/documents", params={"collection": "locked"}).json()["total"] == 0


def test_a_file_that_the_index_has_already_is_done_with_its_id(client: httpx2.Client) -> None:
    """Two uploads of one content at once: the second is known to the ingest, not to the upload."""
    answers = [
        client.post("/documents", params={"name": "twice.pdf"}, content=pdf(GARDEN + "twice"))
        for _ in range(2)
    ]
    for answer in answers:
        job = answer.json()["job"]
        with client.stream(
            "GET", f"/jobs/{job['id']}", headers={"accept": "text/event-stream"}
        ) as stream:
            last = [event.json() for event in httpx2.EventSource(stream)][-1]
        assert last["files"][0]["document_id"]  # type: ignore[index,call-overload]


def test_no_client_chooses_a_path(client: httpx2.Client, home: Path) -> None:
    job = upload(client, ("../../../etc/pass wd.pdf", pdf(GARDEN + "path")))
    assert job["files"][0]["name"] == "pass wd.pdf"
    assert (home / "files/default/pass wd.pdf").is_file()
    for collection in ("../x", ".hidden", "a/b", ""):
        answer = client.get("/documents", params={"collection": collection})
        assert answer.status_code == 422
    for path in ("/documents/..%2f..%2fetc%2fpasswd/file", "/static/..%2fapp.py"):
        assert client.get(path).status_code == 404


def test_page_images_with_a_quote_marked(client: httpx2.Client, lease: dict[str, object]) -> None:
    base = f"/documents/{lease['id']}/pages"
    plain = client.get(f"{base}/1.png").content
    quoted = client.get(f"{base}/1.png", params={"quote": "two electric kilns"}).content
    boxed = client.get(f"{base}/1.png", params={"boxes": "72,72,200,90"}).content
    assert len({plain, quoted, boxed}) == 3
    assert all(image.startswith(b"\x89PNG") for image in (plain, quoted, boxed))
    assert client.get(f"{base}/3.png").status_code == 404
    assert client.get(f"{base}/1.png", params={"boxes": "1,2,x"}).status_code == 422
    assert client.get("/documents/none/pages/1.png").status_code == 404


def test_deleting_takes_the_upload_with_it(client: httpx2.Client, home: Path) -> None:
    job = upload(client, ("gone.pdf", pdf(GARDEN + "gone")))
    id_ = job["files"][0]["document_id"]
    assert client.delete(f"/documents/{id_}").json()["deleted"] == ["gone.pdf"]
    assert not (home / "files/default/gone.pdf").exists()
    assert client.get(f"/documents/{id_}").status_code == 404
    assert client.delete("/documents/*").status_code == 404


def test_collections_do_not_know_of_each_other(client: httpx2.Client, home: Path) -> None:
    assert client.post("/collections", json={"name": "garden"}).status_code == 201
    upload(client, ("garden.pdf", pdf(GARDEN)), collection="garden")
    found = client.get("/documents", params={"collection": "garden"}).json()
    assert [document["name"] for document in found["documents"]] == ["garden.pdf"]
    counts = {row["name"]: row["documents"] for row in client.get("/collections").json()}
    assert counts["garden"] == 1
    body = {"question": "water tomatoes", "collection": "garden"}
    hits = client.post("/search", json=body).json()["hits"]
    assert {hit["document"]["name"] for hit in hits} == {"garden.pdf"}
    assert client.delete("/collections/garden").status_code == 204
    assert not (home / "collections/garden").exists()
    assert client.delete("/collections/garden").status_code == 404


@pytest.mark.parametrize("what", ["document", "session", "collection"])
def test_what_models_keep_on_disk_goes_with_what_is_deleted(
    client: httpx2.Client, shared_cache: Path, what: str
) -> None:
    """Which of the files holds its words is not known, so all go."""
    if what == "document":
        job = upload(client, ("kept.pdf", pdf(GARDEN + "kept")))
        path = f"/documents/{job['files'][0]['document_id']}"
    elif what == "session":
        path = f"/sessions/{client.post('/sessions', json={}).json()['id']}"
    else:
        client.post("/collections", json={"name": "kept"})
        path = "/collections/kept"
    kept = shared_cache / "prompts" / "model" / "conversation.head"
    kept.parent.mkdir(parents=True)
    kept.write_text("what was asked")
    assert client.delete(path).is_success
    assert not kept.parent.exists()


def test_uploads_that_were_cut_short_are_taken_up_again(tmp_path: Path, shared_cache: Path) -> None:
    files = tmp_path / "files/default"
    files.mkdir(parents=True)
    (files / "left.pdf").write_bytes(pdf(GARDEN))
    (files / ".incoming").mkdir()
    (files / ".incoming/half.pdf").write_bytes(b"%PDF-1.7")
    settings = service_settings(tmp_path, shared_cache)
    with (
        running(settings, FakeEngine()) as url,
        httpx2.Client(base_url=url, timeout=120) as client,
    ):
        [job] = client.get("/jobs").json()
        with client.stream(
            "GET", f"/jobs/{job['id']}", headers={"accept": "text/event-stream"}
        ) as stream:
            last = [event.json() for event in httpx2.EventSource(stream)][-1]
        assert last["status"] == "done"  # type: ignore[index,call-overload]
        assert client.get("/documents").json()["total"] == 1
    assert not (files / ".incoming").exists()


@given(st.text(max_size=300))
def test_a_safe_name_is_a_name(given_name: str) -> None:
    name = safe_name(given_name)
    assert name
    assert name == Path(name).name
    assert not name.startswith(".")
    assert len(name) <= 140
    assert all(char.isprintable() or char.isspace() for char in name if char < "\x80")
