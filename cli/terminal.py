"""Words on a terminal: stdout for data, stderr for the rest, and nothing that a PDF could command.

Text out of documents, file names and answers is untrusted: `clean` takes out what a terminal would
obey, and no console here reads markup in a string.
"""

from __future__ import annotations

import re
import sys
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

# Escape sequences whole (CSI, OSC, then any other), so that no "[31m" stays behind.
_SEQUENCES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[ -/]*[0-~]?"
)
# C0 but tab and newline, delete, C1, bidirectional overrides, invisible tags.
_CONTROLS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\U000e0000-\U000e007f]"
)
_SURROGATES = re.compile("[\ud800-\udfff]")


def clean(text: object) -> str:
    """The text without escape sequences, control characters and what no encoding can write."""
    plain = _CONTROLS.sub("", _SEQUENCES.sub("", str(text)))
    return _SURROGATES.sub("\N{REPLACEMENT CHARACTER}", plain)


def one_line(text: object, limit: int | None = None) -> str:
    """Cleaned, white space drawn together, cut at a word with an ellipsis."""
    line = " ".join(clean(text).split())
    if limit is None or len(line) <= limit:
        return line
    return line[:limit].rsplit(" ", 1)[0] + " …"


def out() -> Console:
    """Standard output. Not a terminal: no wrapping, however long the lines."""
    return _console(sys.stdout)


def err() -> Console:
    return _console(sys.stderr)


def _console(file: IO[str]) -> Console:
    from rich.console import Console

    console = Console(file=file, markup=False, emoji=False, highlight=False)
    if not console.is_terminal:
        console.width = 1_000_000
    return console


def table(console: Console, *columns: str, right: tuple[str, ...] = ()) -> Table:
    """A borderless table; on a terminal its cells wrap, in a pipe each row is one line."""
    from rich import box
    from rich.table import Table

    made = Table(box=box.SIMPLE_HEAD if console.is_terminal else None, pad_edge=False)
    for name in columns:
        made.add_column(name, justify="right" if name in right else "left", overflow="fold")
    return made


def print_table(console: Console, made: Table) -> None:
    """In a pipe without the blanks that fill the last column."""
    if console.is_terminal:
        console.print(made)
        return
    with console.capture() as printed:
        console.print(made)
    for line in printed.get().splitlines():
        console.print(line.rstrip())


def say(line: str) -> None:
    """A line for the reader, not for a pipe."""
    err().print(clean(line))


def size(count: float) -> str:
    """Bytes for people: "1.2 GB", in powers of 1000."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
