"""A real service on a free port of this machine, in a thread of its own."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2

from rag.config import Service, Settings
from rag.runtime import Runtime
from rag.testing import FakeEngine
from service.app import create_app
from service.serving import Server, listen

LEASE = (
    "The tenant may run two electric kilns in the workshop.\n\n"
    "The deposit is 23,500 crowns and is held in a separate account.\n\n"
    "The notice period is three months to the end of a quarter.\n"
)
GARDEN = "Tomatoes want six hours of sun a day.\n\nWater them in the morning, never at noon.\n"
ANSWER = "The deposit is 23,500 crowns [1]. The walls are painted yellow."


def service_settings(home: Path, cache: Path, **changes: object) -> Settings:
    service = Service(port=0, shutdown_s=2, requests_per_minute=60_000)
    settings = Settings(home=home, cache=cache, service=service)
    return settings.model_copy(update=changes)


@contextmanager
def running(settings: Settings, engine: FakeEngine | None = None) -> Iterator[str]:
    """The service's address, while it runs. The embedder is the real one."""
    told: queue.Queue[str] = queue.Queue()
    started: list[Server] = []

    def run() -> None:
        runtime = Runtime(settings, engine=engine)
        server = Server(create_app(settings, runtime), settings, told.put)
        started.append(server)
        asyncio.run(server.serve([listen(settings)]))

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield told.get(timeout=60)
    finally:
        started[0].should_exit = True
        thread.join(timeout=60)
        assert not thread.is_alive(), "the service did not shut down"


def upload(client: httpx2.Client, *files: tuple[str, bytes], collection: str = "default") -> dict:  # type: ignore[type-arg]
    """Upload, and wait for the job; returns the job as it ended."""
    form = [("file", file) for file in files]
    answer = client.post("/documents", params={"collection": collection}, files=form)
    assert answer.status_code == 202, answer.text
    job = answer.json()["job"]
    with client.stream(
        "GET", f"/jobs/{job['id']}", headers={"accept": "text/event-stream"}, timeout=240
    ) as stream:
        for event in httpx2.EventSource(stream):
            job = event.json()
    return job  # type: ignore[no-any-return]


def pdf(text: str, title: str = "", password: str = "") -> bytes:
    """A PDF with a page for each part of `text` between form feeds."""
    import pymupdf

    document = pymupdf.open()
    for part in text.split("\f"):
        page = document.new_page()
        page.insert_textbox(pymupdf.Rect(72, 72, 520, 760), part, fontsize=12)
    document.set_metadata({"title": title})
    locked = pymupdf.PDF_ENCRYPT_AES_256 if password else pymupdf.PDF_ENCRYPT_NONE
    content: bytes = document.tobytes(encryption=locked, user_pw=password or None)
    document.close()
    return content


def events(client: httpx2.Client, body: dict[str, object]) -> list[tuple[str, dict[str, object]]]:
    """The events of a streamed answer."""
    with client.stream("POST", "/query", json={**body, "stream": True}) as stream:
        assert stream.status_code == 200, stream.read()
        return [(event.event, event.json()) for event in httpx2.EventSource(stream)]  # type: ignore[misc]
