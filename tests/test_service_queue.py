"""One service a home; whoever writes to a collection waits for its turn; one content, one document;
and a disk that is full."""

from __future__ import annotations

import concurrent.futures
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx2
import pytest

from rag.errors import ServiceRunning
from rag.store.lock import writer_lock
from rag.testing import FakeEngine
from service.home import only_service
from service.serving import serve
from tests.service_server import (
    ANSWER,
    GARDEN,
    LEASE,
    events,
    pdf,
    running,
    service_settings,
    upload,
)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("above") / "home"


@pytest.fixture(scope="module")
def client(home: Path, shared_cache: Path) -> Iterator[httpx2.Client]:
    settings = service_settings(home, shared_cache)
    with (
        running(settings, FakeEngine(ANSWER, context_tokens=8192)) as url,
        httpx2.Client(base_url=url, timeout=120) as client,
    ):
        upload(client, ("lease.pdf", pdf(LEASE)))
        yield client


def _send(client: httpx2.Client, name: str, content: bytes, collection: str) -> dict:  # type: ignore[type-arg]
    params = {"name": name, "collection": collection}
    sent = client.post("/documents", params=params, content=content)
    assert sent.status_code == 202, sent.text
    return sent.json()  # type: ignore[no-any-return]


def _ended(client: httpx2.Client, job: dict) -> dict:  # type: ignore[type-arg]
    while job["status"] not in ("done", "failed"):
        time.sleep(0.1)
        job = client.get(f"/jobs/{job['id']}").json()
    return job


def _rows(client: httpx2.Client, collection: str) -> list[dict]:  # type: ignore[type-arg]
    found = client.get("/documents", params={"collection": collection}).json()
    assert found["total"] == len(found["documents"])
    return found["documents"]  # type: ignore[no-any-return]


# ── one service a home ────────────────────────────────────────────────────────────────────────


def test_a_second_service_on_a_home_is_refused_and_changes_nothing(
    client: httpx2.Client, home: Path, shared_cache: Path
) -> None:
    note = (home / "service.json").read_text()
    half = home / "files/half/.incoming/one.pdf"
    half.parent.mkdir(parents=True)
    half.touch()
    with pytest.raises(ServiceRunning, match=str(client.base_url).rstrip("/")) as caught:
        serve(service_settings(home, shared_cache), print)
    assert "--home" in caught.value.hint
    assert (home / "service.json").read_text() == note
    assert half.exists()
    assert client.get("/health").status_code == 200


def test_a_home_is_free_again_when_its_service_has_ended(tmp_path: Path) -> None:
    with only_service(tmp_path), pytest.raises(ServiceRunning), only_service(tmp_path):
        pass
    with only_service(tmp_path):
        pass


def test_what_is_kept_is_for_its_owner_alone(client: httpx2.Client, home: Path) -> None:
    client.post("/sessions", json={})
    folders = [home, home / "collections", home / "collections/default", home / "files/default"]
    assert [oct(folder.stat().st_mode & 0o777) for folder in folders] == ["0o700"] * 4
    databases = list(home.glob("sessions.db*"))
    assert len(databases) == 3
    assert {oct(path.stat().st_mode & 0o777) for path in databases} == {"0o600"}


def test_what_an_older_version_left_open_is_closed(tmp_path: Path) -> None:
    (tmp_path / "collections").mkdir(mode=0o755)
    with only_service(tmp_path):
        assert (tmp_path / "collections").stat().st_mode & 0o777 == 0o700


# ── one queue ─────────────────────────────────────────────────────────────────────────────────


def test_uploads_and_removals_wait_in_one_queue(client: httpx2.Client, home: Path) -> None:
    first = upload(client, ("a.pdf", pdf(GARDEN + "a")), collection="queue")
    id_ = first["files"][0]["document_id"]
    with writer_lock(home / "collections/queue"):  # as `rag ingest` does
        sent = _send(client, "b.pdf", pdf(GARDEN + "b"), "queue")
        gone = client.delete(f"/documents/{id_}", params={"collection": "queue"})
        assert gone.status_code == 202
        assert (gone.json()["job"]["kind"], gone.json()["job"]["status"]) == ("remove", "queued")
        _until(lambda: client.get(f"/jobs/{sent['job']['id']}").json()["problem"])
        waits = client.get(f"/jobs/{sent['job']['id']}").json()
        assert (waits["status"], waits["problem"]["code"]) == ("running", "index_locked")
    assert _ended(client, sent["job"])["status"] == "done"
    ended = _ended(client, gone.json()["job"])
    assert [file["name"] for file in ended["files"]] == ["a.pdf"]
    assert [row["name"] for row in _rows(client, "queue")] == ["b.pdf"]
    assert not (home / "files/queue/a.pdf").exists()


def test_a_command_waits_for_the_service_and_says_so(
    client: httpx2.Client, home: Path, tmp_path: Path
) -> None:
    upload(client, ("a.pdf", pdf(GARDEN + "a")), collection="command")
    (tmp_path / "c.pdf").write_bytes(pdf(GARDEN + "c"))
    code = "import sys; from cli.main import main; sys.argv[0] = 'rag'; main()"
    options = ["--home", str(home), "--collection", "command"]
    command = [sys.executable, "-c", code, *options, "ingest", str(tmp_path / "c.pdf")]
    with writer_lock(home / "collections/command"):
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert process.stderr is not None
        line = next(line for line in process.stderr if "writing" in line)
        assert f"process {os.getpid()} has been writing" in line
        assert "waiting" in line
        assert process.poll() is None
    process.communicate(timeout=120)
    assert process.returncode == 0
    assert len(_rows(client, "command")) == 2


def test_deleting_a_collection_ends_what_waits_for_it(client: httpx2.Client, home: Path) -> None:
    upload(client, ("a.pdf", pdf(GARDEN)), collection="doomed")
    lock = writer_lock(home / "collections/doomed")
    with lock:
        sent = _send(client, "b.pdf", pdf(GARDEN + "b"), "doomed")
        assert client.delete("/collections/doomed").status_code == 423
    assert client.delete("/collections/doomed").status_code == 204
    job = client.get(f"/jobs/{sent['job']['id']}").json()
    assert (job["status"], job["problem"]["status"]) == ("failed", 410)
    assert not (home / "files/doomed").exists()


# ── one content, one document ─────────────────────────────────────────────────────────────────


def test_nine_copies_at_once_are_one_document(client: httpx2.Client, home: Path) -> None:
    content = pdf(GARDEN + "nine")
    names = ["one.pdf", "two.pdf", "one.pdf"] * 3
    with concurrent.futures.ThreadPoolExecutor(9) as pool:
        sent = list(pool.map(lambda name: _send(client, name, content, "copies"), names))
    for answer in sent:
        assert answer["job"] is not None
        _ended(client, answer["job"])
    [row] = _rows(client, "copies")
    assert sorted(row["names"]) == ["one.pdf", "two.pdf"]
    counts = {each["name"]: each["documents"] for each in client.get("/collections").json()}
    assert counts["copies"] == 1
    gone = client.delete(f"/documents/{row['id']}", params={"collection": "copies"}).json()
    assert sorted(gone["deleted"]) == ["one.pdf", "two.pdf"]
    assert _rows(client, "copies") == []
    assert [path.name for path in (home / "files/copies").iterdir()] == []


def test_a_document_gains_a_name_and_keeps_its_own(client: httpx2.Client) -> None:
    content = pdf(GARDEN + "names")
    first = upload(client, ("first.pdf", content), collection="names")
    again = _send(client, "second.pdf", content, "names")
    [file] = again["files"]
    id_ = first["files"][0]["document_id"]
    assert (file["status"], file["document_id"]) == ("duplicate", id_)
    assert _ended(client, again["job"])["status"] == "done"
    assert _send(client, "second.pdf", content, "names")["job"] is None
    [row] = _rows(client, "names")
    assert sorted(row["names"]) == ["first.pdf", "second.pdf"]
    other = upload(client, ("first.pdf", pdf(GARDEN + "other")), collection="names")
    assert other["files"][0]["name"] == "first (2).pdf"
    assert len(_rows(client, "names")) == 2


# ── asked while documents are read ────────────────────────────────────────────────────────────


def test_a_question_among_unread_documents_says_so_and_can_wait(
    client: httpx2.Client, home: Path
) -> None:
    asked = {"question": "How high is the deposit?", "collection": "reading"}
    client.post("/collections", json={"name": "reading"})
    with ExitStack() as held:
        held.enter_context(writer_lock(home / "collections/reading"))
        _send(client, "lease.pdf", pdf(LEASE), "reading")
        early = client.post("/query", json=asked)
        assert (early.status_code, early.json()["code"]) == (409, "index_pending")
        assert '"wait": true' in early.json()["hint"]
        with concurrent.futures.ThreadPoolExecutor() as pool:
            waiting = pool.submit(events, client, {**asked, "wait": True})
            time.sleep(1)
            assert not waiting.done()
            held.close()
            told = waiting.result(timeout=120)
    assert told[0] == ("waiting", {"files_done": 0, "files_total": 1})
    assert told[-1][0] == "done"
    assert told[-1][1]["citations"]
    assert told[-1][1]["pending"] == 0


def test_an_answer_counts_what_was_not_read_yet(client: httpx2.Client, home: Path) -> None:
    asked = {"question": "How high is the deposit?"}
    with writer_lock(home / "collections/default"):
        sent = _send(client, "garden.pdf", pdf(GARDEN), "default")
        told = events(client, asked)
        assert (told[0][1]["pending"], told[-1][1]["pending"]) == (1, 1)
        assert client.post("/search", json=asked).json()["pending"] == 1
    _ended(client, sent["job"])
    assert client.post("/search", json=asked).json()["pending"] == 0


# ── a full disk ───────────────────────────────────────────────────────────────────────────────

_FULL = """
import sys, os
from pathlib import Path
import httpx2
from rag.testing import FakeEngine
from tests.service_server import LEASE, pdf, running, service_settings, upload
home, cache = Path(sys.argv[1]), Path(sys.argv[2])
with running(service_settings(home, cache), FakeEngine("It is 23,500 crowns [1].")) as url:
    with httpx2.Client(base_url=url, timeout=120) as client:
        assert upload(client, ("lease.pdf", pdf(LEASE)))["status"] == "done"
        session = client.post("/sessions", json={}).json()["id"]
        filler = home / "filler"
        with filler.open("wb", buffering=0) as file:
            try:
                while True: file.write(bytes(4096))
            except OSError: pass
        sent = client.post("/documents?name=x.pdf", content=b"%PDF-1.7" + bytes(300_000))
        assert sent.status_code == 507, sent.text
        assert "x.pdf" in sent.json()["detail"] and str(home) not in sent.text, sent.text
        assert "space" in sent.json()["hint"]
        form = client.post("/documents", files={"file": ("y.pdf", b"%PDF-1.7" + bytes(300_000))})
        assert form.status_code == 507, form.text
        codes = {client.post("/sessions", json={"title": "t" * 190}).status_code for _ in range(99)}
        assert 507 in codes and codes <= {201, 507}, codes
        assert client.get("/health").status_code == 200
        assert client.get("/documents").json()["total"] == 1
        filler.unlink()
        assert upload(client, ("more.pdf", pdf(LEASE + "more")))["status"] == "done"
        asked = {"question": "How high is the deposit?", "session_id": session}
        assert client.post("/query", json=asked).json()["citations"]
        print("recovered")
"""


def test_a_full_disk_is_told_and_left_behind(tmp_path: Path, shared_cache: Path) -> None:
    """On a file system of 24 MiB that only this test sees."""
    mount = f"mount -t tmpfs -o size=24m none {tmp_path}"
    alone = ["unshare", "--mount", "--user", "--map-root-user", "sh", "-c"]
    if subprocess.run([*alone, mount], capture_output=True).returncode:
        pytest.skip("needs Linux's unshare, and the right to mount a tmpfs in it")
    run = f'{mount} && exec "$0" -c "$1" "$2" "$3"'
    python = [sys.executable, _FULL, str(tmp_path), str(shared_cache)]
    done = subprocess.run([*alone, run, *python], capture_output=True, text=True, timeout=280)
    assert done.stdout.strip().endswith("recovered"), done.stdout + done.stderr


def _until(found: object, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not found():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.05)
