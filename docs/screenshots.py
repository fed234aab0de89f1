"""Takes docs/screenshots of the page: uv run python docs/screenshots.py [NAME...]

With the real service, the bundled models and the sample PDFs. Needs Chromium. `states` shows the
four things that can be said of a claim: there the answer is scripted, and only its check is real.
"""

from __future__ import annotations

import asyncio
import json
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, expect, sync_playwright

import rag
from rag.config import Service, load_settings
from rag.runtime import Runtime
from rag.testing import FakeEngine
from service.app import create_app
from service.serving import Server, listen

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs" / "screenshots"
SAMPLES = ["lease.pdf", "travel-policy.pdf", "water-report.pdf"]
ANSWERED = "How high is the deposit, and how many kilns may the tenant run?"
REFUSED = "Who won the chess championship in 1987?"
# A claim that the lease supports, one in other words, one that it contradicts, one it has not.
STATES = (
    "The Tenant pays a deposit of 23,500 crowns. Interest on the deposit belongs to the Tenant. "
    "The Tenant pays it after taking possession. The walls are painted yellow."
)
WIDE = {"viewport": {"width": 1360, "height": 860}}
PHONE = {
    "viewport": {"width": 390, "height": 800},
    "device_scale_factor": 1.5,
    "is_mobile": True,
    "has_touch": True,
}
_ANSWER_MS = 180_000  # a CPU without a card is slow


@contextmanager
def service(home: Path, *, samples: bool) -> Iterator[str]:
    rag = [sys.executable, "-c", "from cli.main import main; main()", "--home", str(home)]
    if samples:
        files = [str(ROOT / "data" / name) for name in SAMPLES]
        subprocess.run([*rag, "ingest", *files], cwd=ROOT, check=True)
    with subprocess.Popen([*rag, "serve", "--port", "0"], cwd=ROOT) as process:
        note = home / "service.json"
        while not note.exists():
            if process.poll() is not None:
                raise SystemExit("rag serve ended before it answered")
            time.sleep(0.2)
        yield json.loads(note.read_text())["url"]
        process.terminate()


@contextmanager
def scripted(home: Path) -> Iterator[str]:
    """A service in this process, whose model says STATES; the lease is in its index."""
    settings = load_settings(home=home)
    runtime = Runtime(settings, engine=FakeEngine(STATES, context_tokens=8192, model="scripted"))
    told: queue.Queue[str] = queue.Queue()
    server = Server(create_app(settings, runtime), settings, told.put)

    async def serve() -> None:
        async with rag.open_collection("default", home=home) as collection:
            await collection.ingest(ROOT / "data" / "lease.pdf")
        await server.serve([listen(settings.model_copy(update={"service": Service(port=0)}))])

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        yield told.get(timeout=300)
    finally:
        server.should_exit = True
        thread.join()


def ask(page: Page, question: str) -> None:
    before = page.locator(".after").count()
    page.fill("#question", question)
    page.keyboard.press("Enter")
    expect(page.locator(".after")).to_have_count(before + 1, timeout=_ANSWER_MS)


def shoot(page: Page, name: str) -> None:
    page.wait_for_timeout(400)  # until what moves has come to rest
    page.screenshot(path=FOLDER / f"{name}.png")


def take(browser: Browser, url: str, name: str) -> None:
    options = PHONE if name == "phone" else WIDE
    scheme = "dark" if name.endswith("dark") else "light"
    context = browser.new_context(**options, color_scheme=scheme)
    page = context.new_page()
    page.goto(url)
    page.wait_for_selector("body[data-ready]")
    if name.startswith("citation"):
        ask(page, ANSWERED)
    if name == "states":
        ask(page, "How high is the deposit, and when is it paid?")
    if name in ("phone", "no-answer"):
        ask(page, REFUSED)
    if name.startswith("citation"):
        page.locator(".cite").first.click()
        expect(page.locator("#page-image")).to_be_visible()
    shoot(page, name)
    context.close()


def main(wanted: list[str]) -> None:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    with (
        tempfile.TemporaryDirectory() as folder,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        if "empty" in wanted:
            with service(Path(folder, "empty"), samples=False) as url:
                take(browser, url, "empty")
        if "states" in wanted:
            with scripted(Path(folder, "states")) as url:
                take(browser, url, "states")
        if rest := [name for name in wanted if name not in ("empty", "states")]:
            with service(Path(folder, "home"), samples=True) as url:
                for name in rest:
                    take(browser, url, name)
        browser.close()


if __name__ == "__main__":
    main(
        sys.argv[1:]
        or ["empty", "states", "start", "citation", "citation-dark", "no-answer", "phone"]
    )
