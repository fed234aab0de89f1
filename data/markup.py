"""The few marks that the sample texts are written in, to HTML for PyMuPDF's Story.

A source file is named .marked, which `rag ingest` leaves alone: the samples are the PDFs. It
starts with `key: value` lines and an empty line. After that, blocks stand apart by empty lines:

    # … ####          headings                 - item, 1. item     lists
    --- (alone)       a flow on a new page     !> text             a boxed note
    <tag …            HTML, left as it is      ~ text              a line of its own, not justified
    Table: caption {ruled|booktabs}            head | cells, then one row a line; "= row" is a
                                               total, a row of one cell a heading inside the table
    === flow key=value                         what follows is set in another way (typesetting.py)

Inside a block: **bold**, *italic*, and ^[a footnote].
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

_NUMBER = re.compile(r"[(+–−<>≤-]*[\d.,  ]+(?:%|\))*|[–—-]|n\.d\.|")
_ITEM = re.compile(r"(?:- |\d+\. )")


@dataclass(frozen=True)
class Flow:
    """A stretch of text set in one way, with the footnotes that it holds, by number."""

    options: dict[str, str]
    html: str
    notes: dict[int, str]


@dataclass
class _Counter:
    notes: dict[int, str] = field(default_factory=dict)
    keeps: int = 0

    def keep(self) -> str:
        self.keeps += 1
        return f"keep-{self.keeps}"


def read_source(path: Path) -> tuple[dict[str, str], str]:
    """The `key: value` lines on top of a file, and the text under them."""
    head, _, body = path.read_text(encoding="utf-8").partition("\n\n")
    meta = dict(line.split(": ", 1) for line in head.splitlines())
    return meta, body


def parse(body: str) -> list[Flow]:
    """The flows of a text, each as HTML."""
    parts = re.split(r"^(?:=== flow|---$) ?(.*)$", body, flags=re.MULTILINE)
    texts = [("", parts[0]), *zip(parts[1::2], parts[2::2], strict=True)]
    counter = _Counter()
    return [_flow(options, text, counter) for options, text in texts if text.strip()]


def _flow(options: str, text: str, counter: _Counter) -> Flow:
    counter.notes = {}  # footnotes are numbered anew in each flow, kept blocks are not
    html = "\n".join(_block(block, counter) for block in re.split(r"\n\s*\n", text.strip("\n")))
    return Flow(dict(item.split("=") for item in options.split()), html, counter.notes)


def _block(block: str, counter: _Counter) -> str:
    if block.startswith("<"):
        return block
    if block.startswith("#"):
        level = len(block) - len(block.lstrip("#"))
        return f"<h{level}>{_inline(block[level + 1 :], counter)}</h{level}>"
    if block.startswith("Table:"):
        return _table(block, counter)
    if block.startswith("!> "):
        return f'<p id="{counter.keep()}" class="box">{_inline(block[3:], counter)}</p>'
    if block.startswith("~ "):
        lines = "<br>".join(_inline(line.removeprefix("~ "), counter) for line in block.split("\n"))
        return f'<p class="plain">{lines}</p>'
    if _ITEM.match(block):
        return _list(block, counter)
    return f"<p>{_inline(block, counter)}</p>"


def _list(block: str, counter: _Counter) -> str:
    tag = "ul" if block.startswith("- ") else "ol"
    items = re.split(r"^(?:- |\d+\. )", block, flags=re.MULTILINE)[1:]
    return f"<{tag}>{''.join(f'<li>{_inline(item, counter)}</li>' for item in items)}</{tag}>"


def _table(block: str, counter: _Counter) -> str:
    """A table with its caption above, kept on one page. Columns of numbers are set flush right."""
    first, *lines = block.splitlines()
    match = re.fullmatch(r"Table: (.*?) ?\{(\w+)\}", first)
    assert match, f"no caption or style: {first}"
    caption, style = match.groups()
    rows = [[_inline(cell.strip(), counter) for cell in line.split("|")] for line in lines]
    width = len(rows[0])
    body = [row for row in rows[1:] if len(row) == width]
    right = [i > 0 and all(_NUMBER.fullmatch(row[i]) for row in body) for i in range(width)]
    # A head that cannot wrap keeps its column of figures narrow.
    heads = [cell.replace(" ", "&nbsp;") if right[i] else cell for i, cell in enumerate(rows[0])]
    head = "".join(_cell("th", cell, right[i]) for i, cell in enumerate(heads))
    rest = "".join(_row(row, right) for row in rows[1:])
    title = f'<p class="caption">{_inline(caption, counter)}</p>' if caption else ""
    return (
        f'<div id="{counter.keep()}">{title}'
        f'<table class="{style}"><tr>{head}</tr>{rest}</table></div>'
    )


def _row(row: list[str], right: list[bool]) -> str:
    if len(row) == 1:
        return f'<tr class="group"><td colspan="{len(right)}">{row[0]}</td></tr>'
    total = row[0].startswith("= ")
    cells = [row[0].removeprefix("= "), *row[1:]]
    html = "".join(_cell("td", cell, right[i]) for i, cell in enumerate(cells))
    return f'<tr class="total">{html}</tr>' if total else f"<tr>{html}</tr>"


def _cell(tag: str, html: str, right: bool) -> str:
    return f'<{tag} class="right">{html}</{tag}>' if right else f"<{tag}>{html}</{tag}>"


def _inline(text: str, counter: _Counter) -> str:
    def note(match: re.Match[str]) -> str:
        number = len(counter.notes) + 1
        counter.notes[number] = _inline(match[1], counter)
        return f'<sup id="note-{number}">{number}</sup>'

    text = re.sub(r"&(?!\w+;)", "&amp;", " ".join(text.split()))
    text = re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", text)
    text = re.sub(r"\*(.+?)\*", r"<i>\1</i>", text)
    return re.sub(r"\^\[(.+?)\]", note, text)
