"""What pages and hints name is there: pages, headings, commands, options, settings."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from pydantic import BaseModel
from structure import MODULES, ROOT, SHIPPED, tree

from cli.main import COMMANDS, create_cli
from rag.config import ENV_PREFIX, Settings

PAGES = sorted([*(ROOT / "docs").glob("*.md"), *ROOT.glob("*.md"), *ROOT.glob("*/*.md")])
# What the changelog says of an older release need not hold.
CURRENT = sorted({page for page in PAGES if page.name not in ("CHANGELOG.md", "LOG.md")})
BLOCK = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
GROUP: Any = typer.main.get_command(create_cli())
# "rag cookie" is what the service signs, no command.
COMMAND = re.compile(r"\brag (?!cookie )((?:--?[\w-]+ )*)([a-z]+)\b((?: [^`\n·;|]*)?)")
# Read elsewhere: where rag.toml is; a database that tests may empty.
NOT_SETTINGS = {"RAG_CONFIG"}


# ── links ─────────────────────────────────────────────────────────────────────────────────────


def without_code(text: str) -> str:
    return re.sub(r"`[^`\n]*`", "", BLOCK.sub("", text))


def anchors(text: str) -> set[str]:
    """As GitHub makes them: lower case, no punctuation, spaces to hyphens."""
    heads = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).strip().replace(" ", "-") for head in heads}


def broken_links(page: Path, text: str) -> Iterator[str]:
    for target in LINK.findall(without_code(text)):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = page.parent / name if name else page
        if not file.exists():
            yield target
        elif anchor and file.suffix == ".md":
            there = text if file == page else file.read_text(encoding="utf-8")
            if anchor not in anchors(there):
                yield target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_relative_links_lead_somewhere(page: Path) -> None:
    assert list(broken_links(page, page.read_text(encoding="utf-8"))) == []


def test_a_broken_link_is_found() -> None:
    text = "# A head: of it\n[a](no.md) [b](#a-head-of-it) [c](#none) [d](https://x.org) `[e](f)`"
    assert list(broken_links(ROOT / "README.md", text)) == ["no.md", "#none"]


# ── what pages and messages name ──────────────────────────────────────────────────────────────


def messages() -> Iterator[tuple[str, str]]:
    """Every string of what is shipped, docstrings and the parts of f-strings too."""
    for name in MODULES:
        if name.split(".")[0] in SHIPPED:
            for node in ast.walk(tree(name)):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield f"{name}:{node.lineno}", node.value


def code_of(text: str) -> Iterator[str]:
    """Code spans and blocks of a page: there a name is meant as a name."""
    yield from BLOCK.findall(text)
    yield from re.findall(r"`([^`\n]+)`", BLOCK.sub("", text))


def spoken() -> Iterator[tuple[str, str]]:
    yield from messages()
    for page in CURRENT:
        for code in code_of(page.read_text(encoding="utf-8")):
            yield page.name, code


def missing_pages(text: str) -> set[str]:
    return {name for name in re.findall(r"\bdocs/[\w/-]+\.\w+", text) if not (ROOT / name).exists()}


def unknown_commands(text: str) -> set[str]:
    """Commands and options after "rag" that are none, as "ask --nope"."""
    wrong = set()
    for _, name, rest in COMMAND.findall(text):
        command = GROUP.commands.get(name)
        if command is None:
            wrong.add(name)
            continue
        known = {word for group in (command, GROUP) for p in group.params for word in p.opts}
        known |= {word for p in command.params for word in p.secondary_opts} | {"--help"}
        named = re.findall(r"(?<!\S)--[a-z][\w-]*", rest)
        wrong |= {f"{name} {option}" for option in named if option not in known}
    return wrong


def variables(model: type[BaseModel], above: str = ENV_PREFIX) -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield f"{above}{name}".upper()  # a whole table may be given at once
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from variables(field.annotation, f"{above}{name}__".upper())


def unknown_variables(text: str) -> set[str]:
    known = {*variables(Settings), *NOT_SETTINGS}
    return {name for name in re.findall(r"\bRAG_[A-Z0-9_]*[A-Z0-9]", text) if name not in known}


def test_every_page_that_is_named_is_there() -> None:
    found = {(where, page) for where, text in spoken() for page in missing_pages(text)}
    assert found == set()


def test_every_command_that_is_named_is_one() -> None:
    found = {(where, name) for where, text in spoken() for name in unknown_commands(text)}
    assert found == set()


def test_every_variable_that_is_named_is_a_setting() -> None:
    found = {(where, name) for where, text in spoken() for name in unknown_variables(text)}
    assert found == set()


def test_the_checks_see_what_they_should() -> None:
    assert missing_pages("see docs/none.md and docs/config.md") == {"docs/none.md"}
    assert unknown_commands("Run: rag aks") == {"aks"}
    assert unknown_commands("rag ask --nope -k 3 --json") == {"ask --nope"}
    assert unknown_commands("rag --json ask x") == set()
    assert unknown_variables("RAG_K, RAG_SERVICE__PORT, RAG_NONE, RAG_SERVICE__NONE") == {
        "RAG_NONE",
        "RAG_SERVICE__NONE",
    }
    assert list(code_of("a `b` c\n```\nd\n```\n")) == ["```\nd\n```", "b"]
    assert len(COMMANDS) > 10
    assert len(list(messages())) > 1000
