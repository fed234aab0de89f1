"""The chat page in a real browser, against a real service with a scripted engine."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Route, expect, sync_playwright

from rag.engines.thought_format import ANY
from rag.testing import FakeEngine
from rag.types import Message
from tests.service_server import ANSWER, LEASE, pdf, running, service_settings, upload

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium: apt-get install chromium")
_FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking",
    "--disable-component-update", "--no-first-run",
]  # fmt: skip
_WAIT_MS = 60_000


FORMS = """The deposit is 23,500 crowns [1]. Read https://evil.example/?q=1 or [here](https://evil.example/).

thing | crowns
------|------:
deposit | 23,500

- [x] paid
- [ ] signed

$\\frac{1}{2}$ and $$x^2$$

```python
deposit = 23500
```

And **so** it goes on, [1] word by word."""


def _answer(messages: list[Message]) -> str:
    question = messages[-1].content
    if "slowly" in question:
        # No two alike: an answer that repeats itself is cut, and nothing would be left to stop.
        return "Some **bold** " + " ".join(f"word{number}" for number in range(2000))
    if "in all forms" in question:
        return FORMS
    if "think first" in question:
        return f"<think>The lessor wants <b>99</b> crowns.</think>\n\n{ANSWER}"
    if "wrongly" in question:
        return "The notice period is four months to the end of a quarter."
    return "The documents do not say." if "yellow cats" in question else ANSWER


@pytest.fixture(scope="module")
def engine() -> FakeEngine:
    return FakeEngine(_answer, delay_s=0.01, context_tokens=8192, thoughts=ANY)


@pytest.fixture(scope="module")
def address(
    tmp_path_factory: pytest.TempPathFactory, shared_cache: Path, engine: FakeEngine
) -> Iterator[str]:
    settings = service_settings(tmp_path_factory.mktemp("home"), shared_cache, collection="flat")
    with running(settings, engine) as url:
        with httpx2.Client(base_url=url, timeout=60) as client:
            upload(
                client, ("lease.pdf", pdf(f"{LEASE}\fThe second page.", "Lease")), collection="flat"
            )
        yield url


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=_FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """The page, open; the test fails if it logs an error or asks another host."""
    context = browser.new_context(viewport={"width": 1300, "height": 850})
    yield from _open(context.new_page(), address)
    context.close()


def _open(page: Page, address: str) -> Iterator[Page]:
    faults: list[str] = []
    page.set_default_timeout(_WAIT_MS)
    expect.set_options(timeout=_WAIT_MS)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda said: faults.append(said.text) if "Policy" in said.text else None)
    page.on(
        "request",
        lambda asked: (
            None if asked.url.startswith((address, "data:", "blob:")) else faults.append(asked.url)
        ),
    )
    page.goto(address)
    page.wait_for_selector("body[data-ready]")
    yield page
    assert faults == []


def _ask(page: Page, question: str) -> None:
    page.fill("#question", question)
    page.keyboard.press("Enter")


def test_upload_ask_citation_page_image(page: Page, tmp_path: Path) -> None:
    file = tmp_path / "garden.pdf"
    file.write_bytes(pdf("Tomatoes want six hours of sun a day.", "Garden"))
    page.set_input_files("#files", file)
    expect(page.locator(".upload p")).to_contain_text("1 document ready")
    page.click("#documents-open")
    expect(page.locator("#document-list")).to_contain_text("garden.pdf")
    page.keyboard.press("Escape")

    _ask(page, "How high is the deposit?")
    cite = page.locator(".cite").first
    expect(cite).to_have_text("1")
    expect(page.locator(".unsupported")).to_have_text("not in the passages")
    cite.click()
    expect(page.locator("#page-image")).to_be_visible()
    expect(page.locator("#page-image")).to_have_attribute("alt", re.compile("passage marked"))
    expect(page.locator("#viewer-quote")).to_contain_text("23,500 crowns")
    page.click("#page-next")
    expect(page.locator("#page-of")).to_have_text("2 of 2")
    page.keyboard.press("Escape")
    expect(page.locator("#viewer")).to_be_hidden()
    expect(cite).to_be_focused()


def test_quotes_stand_there_while_the_model_writes_and_their_choice_is_kept(page: Page) -> None:
    page.select_option("#quotes", "first")
    _ask(page, "How high is the deposit, slowly?")
    quote = page.locator(".quoted p").first
    expect(quote).to_contain_text("The deposit is 23,500 crowns and is held in a separate account.")
    expect(page.locator("#send")).to_have_attribute("aria-label", "Stop")
    quote.locator(".cite").click()
    expect(page.locator("#viewer-quote")).to_contain_text("23,500 crowns")
    page.keyboard.press("Escape")
    page.click("#send")
    expect(page.locator(".after")).to_contain_text("Stopped")
    page.reload()
    page.wait_for_selector("body[data-ready]")
    expect(page.locator("#quotes")).to_have_value("first")
    page.select_option("#quotes", "only")
    _ask(page, "How high is the deposit?")
    expect(page.locator(".turn:last-child .source").first).to_contain_text("Lease")
    expect(page.locator(".turn:last-child .quoted")).to_contain_text("23,500 crowns")
    expect(page.locator(".unsupported")).to_have_count(0)


def test_what_a_claim_contradicts_is_shown_and_can_be_opened(page: Page) -> None:
    _ask(page, "How long is the notice period, wrongly?")
    expect(page.locator(".contradicted")).to_have_text("contradicts p. 1")
    place = page.locator(".compared button")
    expect(place).to_contain_text("The notice period is three months to the end of a quarter.")
    place.click()
    expect(page.locator("#viewer-quote")).to_contain_text("three months")
    expect(page.locator("#page-image")).to_be_visible()


def test_an_answer_in_all_forms_is_written_and_shown(page: Page) -> None:
    _ask(page, "How high is the deposit, in all forms?")
    expect(page.locator(".open")).to_be_visible()
    writing = page.locator(".turn .prose")
    expect(writing).to_contain_text("The deposit is 23,500 crowns")
    expect(page.locator(".sources")).to_be_visible()
    expect(page.locator(".open")).to_have_count(0)
    right = page.locator(".prose td.right", has_text="23,500")
    assert right.evaluate("cell => getComputedStyle(cell).textAlign") == "right"
    expect(page.locator(".task")).to_have_count(2)
    fraction = page.locator("math mfrac")
    assert fraction.evaluate("e => e.namespaceURI") == "http://www.w3.org/1998/Math/MathML"
    expect(page.locator(".prose a")).to_have_count(0)
    expect(page.locator(".codebar span")).to_have_text("python")
    page.click(".copy-code")
    expect(page.locator("#live")).to_have_text(re.compile("opied"))


def test_many_files_go_in_parts_and_what_is_refused_is_told(page: Page, tmp_path: Path) -> None:
    """A request takes 200 files at most. What became of them covers nothing of the page."""
    sent: list[str] = []
    page.on("request", lambda asked: sent.append(asked.url) if asked.method == "POST" else None)
    wrong = [tmp_path / f"{number}.pdf" for number in range(210)]
    for file in wrong:
        file.write_bytes(b"no PDF")
    (tmp_path / "right.pdf").write_bytes(pdf("A page among many others.", "Right"))
    page.set_input_files("#files", [*wrong, tmp_path / "right.pdf"])
    told = page.locator(".upload p")
    expect(told).to_contain_text("1 document ready")
    expect(told).to_contain_text("\n209.pdf: not a PDF, whatever its name says. Check")
    assert len([url for url in sent if "/documents" in url]) == 5
    _ask(page, "Tell me slowly how high the deposit is")
    page.get_by_role("button", name="Stop").click()
    page.get_by_label(re.compile("^Dismiss")).click()
    expect(page.locator("#tray")).to_be_hidden()


def test_an_answer_is_copied_where_the_browser_has_no_clipboard(page: Page) -> None:
    page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    page.evaluate("""document.addEventListener("copy", () => {
        window.copied = document.activeElement.value; })""")
    _ask(page, "How high is the deposit?")
    page.get_by_label("Copy the answer").click()
    expect(page.locator("#live")).to_have_text("Copied")
    assert "23,500 crowns" in page.evaluate("window.copied")


_DROP = """([name, bytes]) => {
  const held = new DataTransfer();
  held.items.add(new File([new Uint8Array(bytes)], name, { type: "application/pdf" }));
  window.dropped = (type, target) => {
    const event = new DragEvent(type, { dataTransfer: held, bubbles: true, cancelable: true });
    document.querySelector(target).dispatchEvent(event);
    return event.defaultPrevented;
  };
}"""


@pytest.mark.parametrize("target", ["#title", "#question", "#sessions", "body"])
def test_a_pdf_dropped_anywhere_is_added(page: Page, target: str) -> None:
    name = f"dropped-on-{target.strip('#')}.pdf"
    page.evaluate(_DROP, [name, list(pdf(f"A page for {target}.", name))])
    page.evaluate("target => dropped('dragenter', target)", target)
    expect(page.locator("#drop")).to_be_visible()
    expect(page.locator("#drop")).to_contain_text("Drop to add to flat")
    # Else the browser would not let go of it here, or would open it in the page's place.
    assert page.evaluate("target => dropped('dragover', target)", target)
    assert page.evaluate("target => dropped('drop', target)", target)
    expect(page.locator("#drop")).to_be_hidden()
    expect(page.locator(".upload p")).to_contain_text("1 document ready")
    page.click("#documents-open")
    expect(page.locator("#document-list")).to_contain_text(name)


def test_a_drag_that_leaves_or_holds_no_file_changes_nothing(page: Page) -> None:
    page.evaluate(_DROP, ["left.pdf", [37, 80, 68, 70]])
    page.evaluate("dropped('dragenter', '#title')")
    expect(page.locator("#drop")).to_be_visible()
    page.evaluate("dropped('dragleave', '#title')")
    expect(page.locator("#drop")).to_be_hidden()
    page.evaluate("""document.querySelector("#title").dispatchEvent(
        new DragEvent("dragenter", { dataTransfer: new DataTransfer(), bubbles: true }))""")
    expect(page.locator("#drop")).to_be_hidden()
    expect(page.locator(".upload")).to_have_count(0)


def test_a_session_survives_a_reload_and_is_renamed_found_and_deleted(page: Page) -> None:
    _ask(page, "How high is the deposit, reload?")
    expect(page.locator(".source")).to_have_count(1)
    page.reload()
    expect(page.locator(".bubble")).to_contain_text("How high is the deposit, reload?")
    expect(page.locator(".cite").first).to_be_visible()
    row = page.locator(".session.current")
    row.hover()
    row.get_by_label(re.compile("^Rename")).click()
    page.fill("#prompt-input", "My deposit")
    page.keyboard.press("Enter")
    expect(page.locator("#title")).to_have_text("My deposit")
    page.fill("#session-search", "no such words")
    expect(page.locator(".sessions .none")).to_be_visible()
    page.fill("#session-search", "My deposit")
    expect(page.locator(".session")).to_have_count(1)
    page.locator(".session").hover()
    page.get_by_label("Delete My deposit").click()
    page.click("#prompt-ok")
    expect(page.locator("#empty")).to_be_visible()


def test_a_question_asked_before_the_page_knows_its_collection_waits(
    page: Page, address: str
) -> None:
    def late(route: Route) -> None:
        page.wait_for_timeout(500)
        route.continue_()

    page.route("**/collections", late)
    page.goto(address, wait_until="domcontentloaded")
    _ask(page, "How high is the deposit, at once?")
    expect(page.locator(".cite").first).to_have_text("1")


def test_stop_retry_and_edit(page: Page) -> None:
    _ask(page, "Tell me slowly how high the deposit is")
    expect(page.locator(".writing .prose strong")).to_have_text("bold")
    page.get_by_role("button", name="Stop").click()
    expect(page.locator(".after .meta")).to_contain_text("Stopped")
    expect(page.locator(".prose strong")).to_have_text("bold")
    page.reload()
    expect(page.locator(".after .meta")).to_contain_text("Stopped")
    expect(page.locator(".prose strong")).to_have_text("bold")
    page.get_by_label("Edit and send again").click()
    page.fill(".rewrite textarea", "How high is the deposit?")
    page.get_by_role("button", name="Send again").click()
    expect(page.locator(".turn")).to_have_count(1)
    expect(page.locator(".source")).to_have_count(1)
    page.get_by_label("Answer again").click()
    expect(page.locator(".turn")).to_have_count(1)
    expect(page.locator(".source")).to_have_count(1)


def test_an_answer_outlives_its_tab_and_is_joined(
    page: Page, browser: Browser, address: str
) -> None:
    """Reload, another conversation and back, another device: the same stream goes on."""
    _ask(page, "Tell me slowly how high the deposit is, once more")
    expect(page.locator(".writing .prose")).to_contain_text("word3")
    page.reload()
    expect(page.locator(".writing .prose strong")).to_have_text("bold")
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    here = page.url
    page.click("#new")
    expect(page.get_by_role("button", name="Send")).to_be_visible()
    page.goto(here)
    expect(page.locator(".writing .prose")).to_contain_text("word3")
    context = browser.new_context()
    other = context.new_page()
    other.goto(here)
    expect(other.locator(".writing .prose")).to_contain_text("word3")
    other.get_by_role("button", name="Stop").click()
    for each in (page, other):
        expect(each.locator(".after .meta")).to_contain_text("Stopped")
        expect(each.locator(".prose")).to_contain_text("word3")
    context.close()
    page.get_by_role("button", name="Continue").click()
    expect(page.locator(".branches span")).to_have_text("2 of 2")


def test_an_edited_question_is_a_branch(page: Page) -> None:
    _ask(page, "How high is the deposit, first?")
    expect(page.locator(".source")).to_have_count(1)
    _ask(page, "How high is the deposit, second?")
    expect(page.locator(".source")).to_have_count(2)
    page.get_by_label("Edit and send again").first.click()
    page.fill(".rewrite textarea", "How high is the deposit, edited?")
    page.get_by_role("button", name="Send again", exact=True).click()
    expect(page.locator(".branches span")).to_have_text("2 of 2")
    expect(page.locator(".turn")).to_have_count(1)
    page.get_by_label("Version before").click()
    expect(page.locator(".turn")).to_have_count(2)
    expect(page.locator(".bubble").nth(1)).to_contain_text("second")
    page.reload()
    expect(page.locator(".turn")).to_have_count(2)
    expect(page.locator(".branches span")).to_have_text("1 of 2")


def test_a_question_among_unread_documents_offers_to_wait(
    page: Page, address: str, tmp_path: Path
) -> None:
    file = tmp_path / "late.pdf"
    file.write_bytes(pdf("The lodger pays in plums.", "Late"))
    page.set_input_files("#files", file)
    expect(page.locator(".upload p")).to_have_text(re.compile("Waiting|Reading|Read"))
    _ask(page, "How high is the deposit, before?")
    expect(page.locator(".unread")).to_contain_text("1 file was still being read")
    page.get_by_role("button", name="Answer again when they are read").click()
    expect(page.locator(".branches span")).to_have_text("2 of 2")
    expect(page.locator(".unread")).to_have_count(0)
    expect(page.locator(".source")).to_have_count(1)


def test_reading_a_whole_document_is_told_and_can_be_stopped(
    page: Page, address: str, engine: FakeEngine
) -> None:
    rooms = "\f".join(f"Room {n} holds chairs. " + "Dust lies there. " * 140 for n in range(12))
    with httpx2.Client(base_url=address, timeout=60) as client:
        upload(client, ("rooms.pdf", pdf(rooms, "Rooms")), collection="house")
    page.reload()
    page.select_option("#collection", "house")
    page.click("#scope")
    page.get_by_role("checkbox").check()
    page.keyboard.press("Escape")
    stopped = engine.closed
    _ask(page, "Summarise the rooms slowly")
    # Eight of twelve parts at once: the page stands still where the next eight begin.
    expect(page.locator(".doing")).to_have_text(re.compile(r"Read [1-9] of 12 pages"))
    expect(page.locator("#live")).to_have_text(re.compile("Read . of 12 pages"))
    page.get_by_role("button", name="Stop").click()
    expect(page.locator(".after .meta")).to_contain_text("Stopped")
    while engine.active:
        page.wait_for_timeout(50)
    assert engine.closed > stopped


def test_no_answer_and_error_are_told_as_such(page: Page) -> None:
    _ask(page, "Do they keep yellow cats?")
    expect(page.locator(".card h3")).to_have_text("Not found in the documents")
    page.route("**/query", lambda route: route.abort())
    _ask(page, "How high is the deposit?")
    expect(page.locator(".card.bad h3")).to_have_text("The service does not answer")
    page.unroute("**/query")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator(".source")).to_have_count(1)


def test_thoughts_are_folded_and_no_part_of_the_answer(page: Page) -> None:
    page.get_by_label("Your question").fill("Please think first: how high is the deposit?")
    page.keyboard.press("Enter")
    expect(page.locator(".sources .source")).to_be_visible()
    thoughts = page.locator(".turn details.thoughts")
    expect(thoughts).not_to_have_attribute("open", "")
    expect(thoughts.locator("div")).to_be_hidden()
    assert "99" not in page.locator(".turn .answer").inner_text()
    thoughts.locator("summary").click()
    expect(thoughts.locator("div")).to_have_text("The lessor wants <b>99</b> crowns.")


def test_only_the_keyboard(page: Page) -> None:
    expect(page.locator("#question")).to_be_focused()
    page.keyboard.type("How high is the deposit?")
    page.keyboard.press("Enter")
    expect(page.locator(".cite").first).to_be_visible()
    page.locator(".cite").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#viewer")).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#page-of")).to_have_text("2 of 2")
    page.keyboard.press("Escape")
    expect(page.locator(".cite").first).to_be_focused()


def test_a_phones_width(browser: Browser, address: str) -> None:
    context = browser.new_context(
        viewport={"width": 375, "height": 740}, is_mobile=True, has_touch=True
    )
    for page in _open(context.new_page(), address):
        _ask(page, "How high is the deposit?")
        page.locator(".cite").first.click()
        expect(page.locator("#page-image")).to_be_visible()
        page.click("#viewer-close")
        page.click("#side-open")
        expect(page.locator("#side")).to_be_visible()
        expect(page.locator("#collection")).to_be_visible()
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= 375
    context.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_no_serious_fault(page: Page, theme: str) -> None:
    page.emulate_media(color_scheme=theme, reduced_motion="reduce")
    page.reload()
    page.wait_for_selector("body[data-ready]")
    _no_faults(page)
    _ask(page, "How high is the deposit?")
    page.locator(".cite").first.click()
    expect(page.locator("#page-image")).to_be_visible()
    _no_faults(page)
    page.click("#documents-open")
    _no_faults(page)


def _no_faults(page: Page) -> None:
    found = Axe().run(page)
    serious = [
        f"{fault['id']}: {fault['nodes'][0]['html']} {fault['nodes'][0]['failureSummary']}"
        for fault in found.response["violations"]
        if fault["impact"] in ("serious", "critical")
    ]
    assert serious == []
