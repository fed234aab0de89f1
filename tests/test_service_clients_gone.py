"""Clients that leave in the middle of whatever they do, and what the log says of them."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest

from tests.service_server import LEASE, pdf, upload

_MAIN = """
import sys
from pathlib import Path
from rag.config import Service, Settings
from rag.runtime import Runtime
from rag.testing import FakeEngine
from service import serving
service = Service(port=0, shutdown_s=2, requests_per_minute=60_000, log="json")
settings = Settings(home=Path(sys.argv[1]), cache=Path(sys.argv[2]), service=service)
engine = FakeEngine("word " * 400, delay_s=0.02, context_tokens=8192)
told = lambda url: print(url, flush=True)
serving.serve(settings, told, runtime=Runtime(settings, engine=engine))
"""


@dataclass
class Process:
    """A service in a process of its own, whose log can be read and which can be signalled."""

    url: str
    process: subprocess.Popen[str]
    errors: Path
    home: Path

    def log(self) -> list[dict[str, object]]:
        lines = self.errors.read_text().splitlines()
        return [json.loads(line) for line in lines]

    def leave(self, head: str, body: bytes = b"", *, read: int = 0) -> None:
        """Say so much of a request, hear so much of its answer, and go."""
        place = urlsplit(self.url)
        with socket.create_connection((place.hostname, place.port), timeout=30) as sent:
            sent.sendall(head.replace("\n", "\r\n").encode() + b"\r\n" + body)
            while read > 0:
                read -= len(sent.recv(read))
            sent.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, shared_cache: Path) -> Iterator[Process]:
    home = tmp_path_factory.mktemp("home")
    with started(home, shared_cache) as process:
        with httpx2.Client(base_url=process.url, timeout=60) as client:
            upload(client, ("lease.pdf", pdf(LEASE)))
        yield process


class started:  # noqa: N801 - reads as what it is: `with started(…):`
    def __init__(self, home: Path, cache: Path) -> None:
        self._home, self._errors = home, home / "log.jsonl"
        with self._errors.open("w") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _MAIN, str(home), str(cache)],
                stdout=subprocess.PIPE, stderr=errors, text=True,
            )  # fmt: skip

    def __enter__(self) -> Process:
        assert self._process.stdout is not None
        url = self._process.stdout.readline().strip()
        assert url, self._errors.read_text()
        return Process(url, self._process, self._errors, self._home)

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        assert self._process.wait(30) in (0, -signal.SIGTERM)
        assert self._process.stdout is not None
        self._process.stdout.close()


def _post(path: str, length: int, kind: str = "application/pdf") -> str:
    return (
        f"POST {path} HTTP/1.1\nHost: localhost\nContent-Type: {kind}\nContent-Length: {length}\n"
    )


_FORM = "multipart/form-data; boundary=xx"
_PART = b'--xx\r\nContent-Disposition: form-data; name="file"; filename="%d.pdf"\r\n\r\n%%PDF-1.7 '
_ASK = json.dumps({"question": "How high is the deposit?", "stream": True}).encode()
_MCP = json.dumps(
    {
        "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {"name": "ask", "arguments": {"question": "How high is the deposit?"}},
    }
).encode()  # fmt: skip
_MCP_HEAD = _post("/mcp", len(_MCP), "application/json") + "Accept: application/json\n"
_JSON = "application/json"
_WHOLE = _PART % 1 + b"all of it\r\n" + _PART % 2
LEAVING = {
    "raw": (_post("/documents?name=a.pdf", 99_999), b"%PDF-1.7 and no more", 0),
    "raw, nothing sent": (_post("/documents?name=a.pdf", 99_999), b"", 0),
    "form": (_post("/documents", 99_999, _FORM), _PART % 1 + bytes(20_000), 0),
    "form, second file": (_post("/documents", 99_999, _FORM), _WHOLE, 0),
    "form, in a header": (_post("/documents", 99_999, _FORM), _PART[:30], 0),
    "question, half of it": (_post("/query", 9_999, _JSON), b'{"question": "How', 0),
    "stream": (_post("/query", len(_ASK), _JSON), _ASK, 600),
    "before the stream": (_post("/query", len(_ASK), _JSON), _ASK, 0),
    "tool": (_MCP_HEAD, _MCP, 0),
    "tool, half of it": (_post("/mcp", 9_999, _JSON) + "Accept: application/json\n", _MCP[:40], 0),
    "no HTTP": ("\x16\x03\x01 hello", b"\0" * 300, 0),
}


@pytest.mark.parametrize("name", LEAVING)
def test_who_leaves_leaves_nothing_behind(service: Process, name: str) -> None:
    before = len(service.log())
    for _ in range(5):
        service.leave(*LEAVING[name][:2], read=LEAVING[name][2])
    incoming = service.home / "files/default/.incoming"
    _wait(lambda: not incoming.exists() and _answering(service) == 0)
    assert [path.name for path in (service.home / "files/default").iterdir()] == ["lease.pdf"]
    told = service.log()[before:]
    assert [line for line in told if line["level"] == "ERROR"] == []


def test_the_log_tells_of_requests_and_never_of_what_they_say(service: Process) -> None:
    with httpx2.Client(base_url=service.url, timeout=60) as client:
        given = {"X-Request-ID": "my-id-1", "Authorization": "Bearer sesame-sesame-sesame"}
        found = client.post("/search", json={"question": "unmistakable deposit"}, headers=given)
        assert found.headers["x-request-id"] == "my-id-1"
        made = client.get("/documents?q=unmistakable", headers={"X-Request-ID": "no\x01 id"})
        assert re.fullmatch("[0-9a-f]{12}", made.headers["x-request-id"])
        client.get("/unmistakable")
    _wait(lambda: any(line.get("route") == "none" for line in service.log()))
    line = next(line for line in service.log() if line.get("request_id") == "my-id-1")
    assert (line["method"], line["route"], line["status"]) == ("POST", "/search", 200)
    assert line["duration_ms"] > 0  # type: ignore[operator]
    text = service.errors.read_text()
    assert "unmistakable" not in text
    assert "sesame" not in text


def test_an_error_nobody_foresaw_is_logged_without_its_words(
    tmp_path: Path, shared_cache: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    import logging

    from service import logs

    for kind in ("plain", "json"):
        with logs.written(kind):  # type: ignore[arg-type]
            try:
                try:
                    raise KeyError("the tenant's question")
                except KeyError as error:
                    raise ValueError("the tenant's question, again") from error
            except ValueError:
                logging.getLogger("elsewhere").exception("failed")
        told = capfd.readouterr().err
        assert "ValueError" in told
        assert "KeyError" in told
        assert Path(__file__).name in told
        assert told.count("tenant's question, again") <= 1  # the line of code that raised it
        assert "Traceback" not in told


def test_sigterm_is_heard_under_two_hundred_who_leave(tmp_path: Path, shared_cache: Path) -> None:
    with started(tmp_path, shared_cache) as service:
        place = urlsplit(service.url)
        held = []
        for number in range(200):
            head, body, _ = list(LEAVING.values())[number % 5]
            one = socket.create_connection((place.hostname, place.port), timeout=30)
            one.sendall(head.replace("\n", "\r\n").encode() + b"\r\n" + body)
            held.append(one)
        for one in held[:100]:
            one.close()
        service.process.send_signal(signal.SIGTERM)
        for one in held[100:150]:
            one.close()
        # Its limit is shutdown_s + 2; the other half of this is for a busy machine.
        service.process.wait(30)
        for one in held[150:]:
            one.close()
        assert not (tmp_path / "files/default/.incoming").exists()
        assert not (tmp_path / "service.json").exists()
        assert "Traceback" not in service.errors.read_text()


def _answering(service: Process) -> int:
    return int(httpx2.get(f"{service.url}/ready", timeout=30).json()["answering"])


def _wait(until: object, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not until():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.05)
