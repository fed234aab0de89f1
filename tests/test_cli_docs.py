"""The reference pages say what the code does."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from cli.main import COMMANDS

DOCS = Path(__file__).parent.parent / "docs"


def test_the_generated_pages_are_up_to_date() -> None:
    command = [sys.executable, str(DOCS / "generate.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_command_and_option_is_explained() -> None:
    page = (DOCS / "cli.md").read_text(encoding="utf-8")
    assert re.findall(r"^## rag (\S+)$", page, re.MULTILINE) == list(COMMANDS)
    options = re.findall(r"^- `.*$", page, re.MULTILINE)
    assert len(options) > 30
    assert [line for line in options if re.search(r": (?:None)?\s*$", line)] == []


def test_every_setting_is_explained() -> None:
    page = (DOCS / "config.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \|.*\| (.*) \|$", page, re.MULTILINE)
    assert len(rows) > 20
    assert [name for name, meaning in rows if not meaning.strip()] == []
