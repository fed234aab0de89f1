"""The command line: what goes to stdout and stderr, and with which exit code it ends.

Everything is real but the models, which come in by the public seam of `create_cli`; the last tests
run the installed `rag` with the bundled ones.
"""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random

import pymupdf
import pytest
from pdf_factory import encrypted_pdf
from typer.testing import CliRunner, Result

from cli.edge import Code
from cli.main import create_cli
from rag.config import Settings
from rag.runtime import Runtime
from rag.testing import FakeEmbedder, FakeEngine

RED = "\x1b[31m"
WINDMILL = (
    "The windmill of Harrowgate was built in 1874 by Ada Fenwick. "
    "It grinds four tonnes of barley a day when the west wind blows."
)
LIGHTHOUSE = (
    "The lighthouse of Skarholm flashes every nine seconds. "
    "Its keeper keeps two goats and a barometer of brass."
)
ANSWER = "The windmill of Harrowgate was built in 1874 by Ada Fenwick. Its cat is called Tom."

Rag = Callable[..., Result]


def make_pdf(path: Path, *pages: str) -> None:
    with pymupdf.open() as document:
        for text in pages:
            page = document.new_page()
            if text:
                page.insert_textbox(pymupdf.Rect(72, 72, 520, 700), text, fontsize=12)
        document.save(path)


@pytest.fixture(autouse=True)
def _isolated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No RAG_* variable and no rag.toml of whoever runs the tests."""
    for name in [name for name in os.environ if name.startswith("RAG_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("RAG_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def ingested(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with two documents and a file that failed, beside the folder of their PDFs."""
    base = tmp_path_factory.mktemp("ingested")
    (base / "docs").mkdir()
    make_pdf(base / "docs" / "windmill.pdf", WINDMILL, "", "The sails have twelve bolts each.")
    make_pdf(base / "docs" / "lighthouse.pdf", LIGHTHOUSE)
    (base / "docs" / "broken.pdf").write_bytes(b"%PDF-1.7\nnothing more")
    result = invoke(base / "home", "ingest", str(base / "docs"))
    assert result.exit_code == Code.SOME_FAILED, result.output
    return base


def invoke(
    home: Path, *args: str, answers: str = ANSWER, stdin: str | bytes | None = None
) -> Result:
    def runtime(settings: Settings) -> Runtime:
        return Runtime(settings, embedder=FakeEmbedder(), engine=FakeEngine(answers))

    cli = create_cli(runtime_factory=runtime)
    return CliRunner().invoke(cli, ["--home", str(home), *args], input=stdin)


@pytest.fixture
def rag(ingested: Path) -> Rag:
    """Runs a command that only reads, on the shared home."""
    return lambda *args, **named: invoke(ingested / "home", *args, **named)


@pytest.fixture
def own(ingested: Path, tmp_path: Path) -> Rag:
    """Runs a command on a copy of the shared home."""
    shutil.copytree(ingested / "home", tmp_path / "home")
    return lambda *args, **named: invoke(tmp_path / "home", *args, **named)


def objects(result: Result) -> list[dict[str, object]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


# ── ask, search ───────────────────────────────────────────────────────────────────────────────


def test_an_answer_ends_with_its_sources(rag: Rag) -> None:
    result = rag("ask", "Who built the windmill of Harrowgate?")
    assert result.exit_code == Code.OK, result.stderr
    answer, _, sources = result.stdout.partition("\nSources\n")
    assert "built in 1874 by Ada Fenwick. [1]" in answer
    assert "[1] windmill.pdf, page 1" in sources
    assert "Ada Fenwick" in sources


def test_what_no_page_supports_is_marked(rag: Rag) -> None:
    result = rag("ask", "Who built the windmill of Harrowgate?")
    assert "Its cat is called Tom. [not in the passages]" in result.stdout
    assert "Fenwick. [1] [not in" not in result.stdout


def test_events_are_one_object_a_line(rag: Rag) -> None:
    events = objects(rag("ask", "Who built the windmill?", "--json"))
    kinds = [event["kind"] for event in events]
    assert (kinds[0], kinds[-1]) == ("retrieved", "done")
    assert set(kinds[1:-1]) == {"delta"}
    assert "".join(str(event["text"]) for event in events[1:-1]) == ANSWER


def test_a_refusal_has_an_exit_code_of_its_own(rag: Rag) -> None:
    result = rag("ask", "Who painted the windmill?", answers="The documents do not say.")
    assert result.exit_code == Code.NOTHING_FOUND
    assert "hint: " in result.stderr
    assert "hint: " not in result.stdout


def test_documents_and_pages_narrow_a_search(rag: Rag) -> None:
    hits = objects(rag("search", "windmill", "--doc", "lighthouse", "--json"))
    assert {Path(str(hit["document"]["path"])).name for hit in hits} == {"lighthouse.pdf"}  # type: ignore[index]
    hits = objects(rag("search", "windmill", "--doc", "windmill.pdf", "--pages", "3", "--json"))
    assert [hit["chunk"]["first_page"] for hit in hits] == [3]  # type: ignore[index]


def test_search_explains_its_ranking(rag: Rag) -> None:
    result = rag("search", "the keeper's goats, Skarholm lighthouse", "-k", "1", "--explain")
    assert "lighthouse.pdf, page 1" in result.stdout
    shown = re.sub(r"\s+", " ", result.stdout)
    match = re.search(r"score ([\d.]+) = ((?:[a-z ]+ #\d+ [\d.]+(?: \+ )?)+)", shown)
    assert match is not None
    gains = [float(part.split()[-1]) for part in match[2].split(" + ")]
    assert float(match[1]) == pytest.approx(sum(gains), abs=0.005)
    assert "full text #1 1.000" in match[2]
    assert "header words asked for: lighthouse" in shown


def test_metadata_and_dates_narrow_a_search(rag: Rag) -> None:
    hits = objects(rag("search", "barometer", "--where", "title=WINDMILL", "--json"))
    assert {Path(str(hit["document"]["path"])).name for hit in hits} == {"windmill.pdf"}  # type: ignore[index]
    assert objects(rag("search", "barometer", "--since", "2020", "--json"))
    nothing = rag("search", "barometer", "--until", "1999-12")
    assert nothing.exit_code != 0
    assert "no document has a date until 1999-12-31" in nothing.stderr
    unknown = rag("ask", "barometer", "--where", "colour=red")
    assert "no document says anything under 'colour'" in unknown.stderr
    assert "title" in unknown.stderr


@pytest.mark.parametrize(
    "args", [("--where", "red"), ("--since", "yesterday"), ("--until", "2023-02-30")]
)
def test_a_filter_that_cannot_be_read_is_a_usage_error(rag: Rag, args: tuple[str, str]) -> None:
    result = rag("search", "barometer", *args)
    assert result.exit_code == Code.USAGE
    assert args[1] in result.stderr


def test_the_question_may_come_from_stdin(rag: Rag) -> None:
    result = rag("search", "-", "-k", "1", stdin="goats and a barometer\n")
    assert "lighthouse.pdf" in result.stdout


# ── ingest ────────────────────────────────────────────────────────────────────────────────────


def test_a_second_ingest_has_nothing_to_do(own: Rag, ingested: Path) -> None:
    events = objects(own("ingest", str(ingested / "docs"), "--json"))
    assert events[0] == {
        "kind": "comparing", "files_done": 0, "files_total": None, "bytes_done": 0, "bytes_total": 0
    }  # fmt: skip
    assert next(event for event in events if event["kind"] == "planned")["unchanged"] == 2
    assert (events[-1]["kind"], events[-1]["ingested"]) == ("summary", 0)
    assert events[-1]["known_bad"] == 1


def test_a_dry_run_changes_nothing(own: Rag, ingested: Path, tmp_path: Path) -> None:
    make_pdf(tmp_path / "new.pdf", "A page about herons.")
    result = own("ingest", str(tmp_path / "new.pdf"), "--dry-run")
    assert result.exit_code == Code.OK
    assert result.stdout.split() == ["ingest", str(tmp_path / "new.pdf")]
    assert len(objects(own("list", "--json"))) == 2


def test_a_dry_run_names_what_it_passes_over(own: Rag, tmp_path: Path) -> None:
    for name in ("letter.doc", "scan.heic", "notes"):
        (tmp_path / name).write_bytes(b"x")
    result = own("ingest", str(tmp_path), "--dry-run")
    assert f"pass     {tmp_path / 'letter.doc'}: .doc is not read" in result.stdout.splitlines()
    assert "passed over: 3 files (.doc, .heic, no suffix)" in result.stderr
    (plan,) = objects(own("ingest", str(tmp_path), "--dry-run", "--json"))
    assert plan["passed_over"][".doc"] == [str(tmp_path / "letter.doc")]


def test_what_was_not_taken_is_told_at_the_end_with_what_to_do(own: Rag, tmp_path: Path) -> None:
    make_pdf(tmp_path / "plain.pdf", "The ferry leaves at 07:45.")
    for name in ("a.doc", "b.dwg", "c.pages", "d.msg", "e.xyz", "f.xyz"):
        (tmp_path / name).write_bytes(b"x")
    result = own("ingest", str(tmp_path))
    assert "passed over: 6 files (.xyz, .doc, .dwg, .msg …)" in result.stdout
    assert "hint: .doc: Save it as .docx" in result.stderr
    assert "hint: .dwg, .pages: Export it as PDF." in result.stderr


def test_a_path_that_names_nothing(own: Rag) -> None:
    result = own("ingest", "nowhere/*.pdf")
    assert (result.exit_code, result.stdout) == (Code.ERROR, "")
    assert result.stderr.startswith("error: ")


# ── documents ─────────────────────────────────────────────────────────────────────────────────


def test_list_and_its_failures(rag: Rag) -> None:
    listed = rag("list").stdout
    assert "windmill.pdf" in listed
    assert "broken" not in listed
    (failure,) = objects(rag("list", "--failed", "--json"))
    assert str(failure["path"]).endswith("broken.pdf")
    assert failure["hint"]


def test_show_tells_how_the_pages_were_read(rag: Rag) -> None:
    shown = rag("show", "windmill").stdout
    assert "3: 2 plain text, 1 empty" in shown
    assert "empty pages  2" in shown
    assert "twelve bolts" in rag("show", "windmill", "--page", "3").stdout


def test_a_quote_is_marked_in_the_page_image(rag: Rag, tmp_path: Path) -> None:
    def draw(name: str, *options: str) -> pymupdf.Pixmap:
        file = tmp_path / name
        assert rag("show", "windmill", "--page", "1", "-o", str(file), *options).exit_code == 0
        return pymupdf.Pixmap(str(file))

    plain, marked = draw("a.png"), draw("b.png", "--quote", "built in 1874")
    assert (plain.width, plain.height) == (marked.width, marked.height)
    assert plain.digest != marked.digest


def on_a_terminal(
    answers: dict[bytes, bytes], home: Path, folder: Path, *args: str
) -> tuple[int, bytes]:
    """Runs `rag` on a pseudo-terminal that gives these answers to what it is asked."""
    own, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 80, 800, 1000))
    command = [sys.executable, "-c", "from cli.main import main; main()", "--home", str(home)]
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent), "TERM": "xterm-256color"}
    ends = {"stdin": its, "stdout": its, "stderr": its}
    shown, waiting = b"", dict(answers)
    with subprocess.Popen([*command, *args], cwd=folder, env=env, **ends) as process:
        os.close(its)
        with suppress(OSError):  # Linux says so that the other end is closed
            while piece := os.read(own, 65536):
                shown += piece
                for asked in [asked for asked in waiting if asked in shown]:
                    os.write(own, waiting.pop(asked))
    os.close(own)
    return process.returncode, shown


SIXEL, KITTY = b"\x1bP0;0;0q", b"f=100"  # that an image is there


@pytest.mark.parametrize(
    ("answers", "begins"),
    [
        ({b"\x1b[c": b"\x1b[?62;4;22c"}, SIXEL),
        ({b"\x1b[c": b"\x1b[?62;22c", b"a=q": b"\x1b_Gi=1;OK\x1b\\"}, KITTY),
        ({b"\x1b[c": b"\x1b[?62;22c"}, None),
        ({}, None),
    ],
    ids=["sixel", "kitty", "neither", "silent"],
)
def test_a_quote_is_shown_on_a_terminal_with_images_else_written(
    ingested: Path, tmp_path: Path, answers: dict[bytes, bytes], begins: bytes | None
) -> None:
    args = ("show", "windmill", "--page", "1", "--quote", "built in 1874")
    code, shown = on_a_terminal(answers, ingested / "home", tmp_path, *args)
    assert code == Code.OK, shown
    file = tmp_path / "windmill-p1.png"
    assert [mark for mark in (SIXEL, KITTY) if mark in shown] == ([begins] if begins else [])
    assert file.exists() == (begins is None)
    assert (b"shows no images" in shown) == (begins is None)


def test_a_quote_in_a_pipe_is_written_to_a_file(rag: Rag, tmp_path: Path) -> None:
    result = rag("show", "windmill", "--page", "1", "--quote", "built in 1874")
    assert result.stderr == "This terminal shows no images.\nwritten: windmill-p1.png\n"
    assert (tmp_path / "windmill-p1.png").read_bytes().startswith(b"\x89PNG")
    assert rag("show", "windmill", "--quote", "built in 1874").exit_code == Code.USAGE


def test_a_page_of_an_encrypted_pdf_is_drawn_with_its_password(tmp_path: Path) -> None:
    file = encrypted_pdf(tmp_path / "sealed.pdf", WINDMILL, password="wind")
    home, target = tmp_path / "home", tmp_path / "page.png"
    assert invoke(home, "ingest", str(file), "--password", "wind").exit_code == Code.OK
    draw = ("show", "sealed", "--page", "1", "-o", str(target))
    refused = invoke(home, *draw)
    assert (refused.exit_code, target.exists()) == (Code.ERROR, False)
    assert "needs a password" in refused.stderr
    assert invoke(home, *draw, "--password", "wind").exit_code == Code.OK
    assert target.read_bytes().startswith(b"\x89PNG")


@pytest.mark.skipif(
    sys.platform == "darwin", reason="file systems of macOS take names in UTF-8 alone"
)
def test_a_name_that_is_no_utf_8_is_a_file_like_any_other(tmp_path: Path) -> None:
    folder, home = tmp_path / "docs", tmp_path / "home"
    folder.mkdir()
    make_pdf(folder / "good.pdf", WINDMILL)
    odd = folder / os.fsdecode(b"caf\xe9.txt")
    odd.write_text("The mooring fee of the café is 47 crowns.\n", encoding="cp1252")
    result = invoke(home, "ingest", str(folder))
    assert result.exit_code == Code.OK, result.output
    (hit, *_) = objects(invoke(home, "search", "mooring fee", "--json"))
    assert "47 crowns" in hit["chunk"]["text"]
    assert os.fsencode(hit["document"]["path"]) == os.fsencode(odd)
    assert "café.txt" in invoke(home, "search", "mooring fee").stdout
    assert "2 unchanged" in invoke(home, "ingest", str(folder)).stderr
    odd.write_bytes(b"The mooring fee is 53 crowns now.")
    assert invoke(home, "ingest", str(folder)).exit_code == Code.OK
    assert "53 crowns" in invoke(home, "search", "mooring fee").stdout
    odd.unlink()
    assert invoke(home, "ingest", str(folder), "--prune").exit_code == Code.OK
    assert [d["title"] for d in objects(invoke(home, "list", "--json"))] == ["good"]
    odd.write_bytes(b"\x00\x01 no text")
    assert invoke(home, "ingest", str(folder)).exit_code == Code.SOME_FAILED
    assert "café.txt" in invoke(home, "list", "--failed").stdout


@pytest.mark.parametrize("asked", ["windmill caf\udce9", "-"])
def test_a_question_of_any_bytes_is_read(ingested: Path, asked: str) -> None:
    typed = b"Who built the windmill beside the caf\xe9?\n"
    result = invoke(ingested / "home", "search", asked, stdin=typed)
    assert result.exit_code == Code.OK, result.output
    assert "windmill.pdf" in result.stdout


def test_remove_takes_a_document_out(own: Rag) -> None:
    result = own("remove", "lighthouse.pdf")
    assert result.stdout.startswith("removed ")
    assert [d["title"] for d in objects(own("list", "--json"))] != []
    assert own("show", "lighthouse.pdf").exit_code == Code.ERROR


def test_remove_asks_before_it_takes_more_than_was_named(own: Rag) -> None:
    assert own("remove", "*.pdf").exit_code == Code.USAGE
    assert len(objects(own("list", "--json"))) == 2
    assert own("remove", "*.pdf", "--yes").exit_code == Code.OK
    assert own("list", "--json").stdout == ""


def test_stats_and_collections(rag: Rag) -> None:
    (stats,) = objects(rag("stats", "--json"))
    assert (stats["documents"], stats["pages"], stats["empty_pages"]) == (2, 4, 1)
    assert stats["chunks"] == stats["expected_chunks"]
    (row,) = objects(rag("collections", "--json"))
    assert (row["name"], row["documents"]) == ("default", 2)


# ── errors ────────────────────────────────────────────────────────────────────────────────────


def test_an_empty_collection_says_what_to_do(tmp_path: Path) -> None:
    result = invoke(tmp_path / "home", "ask", "Is anybody there?")
    assert (result.exit_code, result.stdout) == (Code.ERROR, "")
    assert result.stderr.splitlines()[1] == "hint: Run: rag ingest FOLDER"


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["ask", "?!"], Code.ERROR, "the question is empty"),
        (["ask", "why", "-k", "1000"], Code.USAGE, "k: "),
        (["ask", "why", "--pages", "7-3"], Code.USAGE, "7-3"),
        (["ask"], Code.USAGE, "question"),
        (["aks", "why"], Code.USAGE, "aks"),
        (["show", "windmil.pdf"], Code.ERROR, "windmil.pdf"),
        (["--collection", "../up", "stats"], Code.USAGE, "collection"),
    ],
)
def test_errors_are_a_message_and_a_code(
    rag: Rag, args: list[str], code: Code, message: str
) -> None:
    result = rag(*args)
    assert (result.exit_code, result.stdout) == (code, "")
    assert result.stderr.startswith("error: ")
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_a_bug_shows_its_trace_only_on_demand(ingested: Path) -> None:
    def broken(_: Settings) -> Runtime:
        raise ZeroDivisionError("by design")

    cli = create_cli(runtime_factory=broken)
    short = CliRunner().invoke(cli, ["stats"])
    assert short.exit_code == Code.ERROR
    assert "unexpected ZeroDivisionError: by design" in short.stderr
    assert "Traceback" not in short.stderr
    assert "Traceback" in CliRunner().invoke(cli, ["stats", "--debug"]).stderr


def test_global_options_may_stand_anywhere(ingested: Path, tmp_path: Path) -> None:
    cli = create_cli()
    result = CliRunner().invoke(cli, ["list", "--json", f"--home={ingested / 'home'}"])
    assert len(objects(result)) == 2
    result = CliRunner().invoke(cli, ["config", "--json", "--collection", "papers"])
    found = {row["name"]: row for row in objects(result)}
    assert found["collection"] == {"name": "collection", "value": "papers", "source": "flag"}
    assert found["home"]["source"] == "RAG_HOME"


def test_config_names_the_file_and_hides_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "rag.toml").write_text(
        'k = 3\nengine_api_key = "secret-1"\nengine_url = "https://me:secret-2@host/v1"\n'
        "[extraction]\nocr = false\n"
        '[service]\nsessions_url = "postgresql+psycopg://me:secret-3@host/chats"\n'
    )
    monkeypatch.setenv("RAG_EXTRACTION__MAX_PAGES", "9")
    result = CliRunner().invoke(create_cli(), ["config", "--json"])
    found = {row["name"]: (row["value"], row["source"]) for row in objects(result)}
    assert found["k"] == (3, "rag.toml")
    assert found["extraction.ocr"] == (False, "rag.toml")
    assert found["extraction.max_pages"] == (9, "RAG_EXTRACTION__MAX_PAGES")
    assert found["max_tokens"][1] == "default"
    assert found["engine_url"][0] == "https://me:…@host/v1"
    assert found["service.sessions_url"][0] == "(set)"
    assert "secret-" not in result.output


# ── chat ──────────────────────────────────────────────────────────────────────────────────────


def test_chat_answers_line_after_line(rag: Rag) -> None:
    lines = (
        "Who built the windmill?\n/sources\n/nonsense\n/doc lighthouse\nWhen was it?\n/quit\nno\n"
    )
    result = rag("chat", stdin=lines)
    assert result.exit_code == Code.OK, result.stderr
    assert result.stdout.count("Its cat is called Tom.") == 2
    assert result.stdout.count("Sources") == 2  # the first answer's, twice
    assert "there is no /nonsense" in result.stderr
    assert "Looking into lighthouse.pdf." in result.stderr


def test_metadata_and_dates_narrow_a_chat(rag: Rag) -> None:
    question = "Who built the windmill?\n"
    narrowed = rag("chat", "--where", "title=windmill", "--since", "2020", stdin=question)
    assert "windmill.pdf" in narrowed.stdout, narrowed.stderr
    assert "lighthouse.pdf" not in narrowed.stdout
    nothing = rag("chat", "--until", "1999", stdin=question)
    assert "no document has a date until 1999-12-31" in nothing.stderr


# ── on a terminal ─────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rich takes a pipe for a terminal of this size."""
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "24")


@pytest.mark.usefixtures("terminal")
def test_a_terminal_is_left_with_the_verified_answer(rag: Rag) -> None:
    written = " ".join(["Nobody knows the name of its cat."] * 60)  # taller than the screen
    result = rag("ask", "Who built the windmill?", answers=f"{WINDMILL} [7] {written}")
    assert result.exit_code == Code.OK, result.stderr
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", result.stdout)
    assert "[7]" in plain.split("\nSources\n")[0]  # as it was written, while it was written
    last = plain[plain.rindex("The windmill of Harrowgate", 0, plain.index("\nSources\n")) :]
    assert "[7]" not in last
    assert "Ada Fenwick. [1]" in last


@pytest.mark.usefixtures("terminal")
def test_a_terminal_shows_progress_only_where_there_is_work(own: Rag, tmp_path: Path) -> None:
    make_pdf(tmp_path / "herons.pdf", "A page about herons.")
    first = own("ingest", str(tmp_path / "herons.pdf"))
    assert (first.exit_code, "1/1" in first.stderr) == (Code.OK, True), first.stderr
    second = own("ingest", str(tmp_path / "herons.pdf"))
    assert (second.exit_code, "1/1" in second.stderr) == (Code.OK, False), second.stderr


# ── untrusted text ────────────────────────────────────────────────────────────────────────────


def test_documents_cannot_command_the_terminal(own: Rag, tmp_path: Path) -> None:
    file = tmp_path / f"evil{RED}[bold].pdf"
    make_pdf(file, "Herons stand in shallow water. [red]Not markup[/red] [/]")
    assert own("ingest", str(file)).exit_code == Code.OK
    for args in (["list"], ["search", "herons"], ["show", str(file)], ["list", "-v"]):
        result = own(*args)
        assert result.exit_code == Code.OK, result.stderr
        assert "\x1b" not in result.output
        assert "evil[bold].pdf" in result.stdout
    answered = own("ask", "herons", answers=f"Herons{RED} stand [/red] in shallow water.\x07")
    assert "Herons stand [/red] in shallow water." in answered.stdout
    assert not {"\x1b", "\x07"} & set(answered.output)


# ── the installed command with the bundled models ─────────────────────────────────────────────


@pytest.fixture
def installed(tmp_path: Path) -> list[str]:
    command = Path(sys.executable).with_name("rag")
    assert command.exists()
    return [str(command), "--home", str(tmp_path / "home")]


def test_from_pdf_to_answer(installed: list[str], tmp_path: Path, shared_cache: Path) -> None:
    env = {**os.environ, "RAG_CACHE": str(shared_cache)}
    lease = Path(__file__).parent.parent / "data" / "lease.pdf"
    done = subprocess.run(
        [*installed, "ingest", str(lease)], env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == Code.OK, done.stderr
    question = "How high is the deposit that the tenant of Kestrel Wharf pays?"
    asked = [*installed, "ask", question, "-k", "3", "--max-tokens", "32"]
    done = subprocess.run(asked, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == Code.OK, done.stderr
    assert "23,500 crowns" in done.stdout.split("Sources")[0]
    assert "[1] lease.pdf, page 2" in done.stdout


def test_ctrl_c_ends_an_ingest_that_goes_on_later(installed: list[str], tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    words = WINDMILL.split()
    for number in range(12):  # no two pages alike: what all pages share counts as their header
        pages = [" ".join(Random(40 * number + page).sample(words, 20)) for page in range(40)]
        make_pdf(tmp_path / "docs" / f"{number}.pdf", *pages)
    ingest = [*installed, "ingest", "docs"]
    process = subprocess.Popen(
        ingest, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stderr is not None
    assert "12 to ingest" in process.stderr.readline()
    time.sleep(1)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does, to the workers too
    _, told = process.communicate(timeout=60)
    assert process.returncode == Code.INTERRUPTED, told
    assert "What was committed stays" in told
    assert "Traceback" not in told
    again = subprocess.run([*ingest, "--json"], capture_output=True, text=True, check=False)
    assert again.returncode == Code.OK, again.stderr
    stats = subprocess.run([*installed, "stats", "--json"], capture_output=True, check=True)
    found = json.loads(stats.stdout)
    assert (found["documents"], found["pages"]) == (12, 480)
    assert found["chunks"] == found["expected_chunks"]


def test_a_closed_pipe_is_no_error_trace(installed: list[str], ingested: Path) -> None:
    command = f"{installed[0]} --home {ingested / 'home'} list --json | head -c 1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert done.stdout == "{"
    assert done.stderr == ""
