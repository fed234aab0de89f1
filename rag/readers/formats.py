"""What a file is, by its content more than by its name; and plain text and Markdown to pages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rag.errors import DamagedFile, UnsupportedFile
from rag.readers.base import Content
from rag.readers.packed_words import PackedWords
from rag.types import Block, BlockKind, Page

FileFormat = Literal["pdf", "reflowable", "markdown", "text"]

_MARKDOWN = {".md", ".markdown", ".mdown"}
_TEXT = {".txt", ".text", ".rst", ".org", ".log"}
# What PyMuPDF lays out into pages of its own, by what the file must begin with.
_ZIP, _MARKUP, _MOBI = "zip", "markup", "mobi"
_REFLOWABLE = {
    ".docx": _ZIP, ".pptx": _ZIP, ".xlsx": _ZIP, ".epub": _ZIP, ".xps": _ZIP, ".oxps": _ZIP,
    ".html": _MARKUP, ".htm": _MARKUP, ".xhtml": _MARKUP, ".fb2": _MARKUP, ".mobi": _MOBI,
}  # fmt: skip
# Suffixes of the files that a folder walk takes up.
SUFFIXES: frozenset[str] = frozenset({".pdf", *_MARKDOWN, *_TEXT, *_REFLOWABLE})

_PAGE_CHARACTERS = 3000  # a "page" of a text file: about a printed one
_HEADING = re.compile(r"(#{1,6})\s+(.*?)\s*#*")
_ITEM = re.compile(r"\s*([-*+]|\d{1,3}[.)])\s")
_FENCE = re.compile(r"\s*(```|~~~)")


def sniff(path: Path) -> FileFormat:
    """What the file is. Raises UnsupportedFile if it is not what its name says, DamagedFile."""
    suffix = path.suffix.lower()
    try:
        with path.open("rb") as file:
            head = file.read(4096)
    except OSError as error:
        raise DamagedFile(f"{path.name}: cannot be read ({error.strerror})") from error
    if b"%PDF-" in head[:1024]:
        return "pdf"
    if not head:
        raise DamagedFile(f"{path.name}: the file is empty")
    if suffix == ".pdf":
        if _readable(head) or head.startswith(b"PK"):
            raise UnsupportedFile(f"{path.name}: not a PDF, whatever its name says")
        raise DamagedFile(f"{path.name}: not a PDF inside")
    if suffix in _REFLOWABLE:
        _check(path, head, _REFLOWABLE[suffix])
        return "reflowable"
    if suffix not in SUFFIXES:
        raise UnsupportedFile(f"{path.name}: files named {suffix or 'without suffix'} are not read")
    if not _readable(head):
        raise UnsupportedFile(f"{path.name}: named as text, but holds binary data")
    return "markdown" if suffix in _MARKDOWN else "text"


def _check(path: Path, head: bytes, kind: str) -> None:
    fits = {
        _ZIP: head.startswith(b"PK"),
        _MARKUP: _readable(head),
        _MOBI: head[60:68] in (b"BOOKMOBI", b"TEXtREAd"),
    }
    if not fits[kind]:
        raise UnsupportedFile(f"{path.name}: not a {path.suffix.lower()[1:]} file inside")


def _readable(head: bytes) -> bool:
    """Text in some encoding: a byte order mark, or no control characters."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return True
    return not any(byte < 9 or 13 < byte < 27 for byte in head)


def read_text(path: Path, *, markdown: bool) -> Content:
    """A text file. Raises OSError."""
    text, warning = decode(path.read_bytes())
    pages = text_pages(text, markdown=markdown)
    return Content(tuple(pages), warnings=(warning,) if warning else ())


def decode(data: bytes) -> tuple[str, str]:
    """The text and a warning ("" where the encoding is certain)."""
    encoding = "utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        return data.decode(encoding), ""
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace"), "not UTF-8: read as Windows-1252"


@dataclass(frozen=True, slots=True)
class _Part:
    kind: BlockKind
    text: str
    level: int = 0


def text_pages(text: str, *, markdown: bool) -> list[Page]:
    """Pages of about 3000 characters, cut between blocks. Text files have no boxes: all are 0."""
    pages: list[list[_Part]] = [[]]
    length = 0
    for part in _parts(text, markdown=markdown):
        if length and length + len(part.text) > _PAGE_CHARACTERS:
            pages.append([])
            length = 0
        pages[-1].append(part)
        length += len(part.text)
    return [_page(number, parts) for number, parts in enumerate(pages, 1)]


def _page(number: int, parts: list[_Part]) -> Page:
    blocks: list[Block] = []
    texts: list[str] = []
    length = 0
    for part in parts:
        length += 2 if texts else 0
        blocks.append(
            Block(part.kind, length, length + len(part.text), (0.0, 0.0, 0.0, 0.0), part.level)
        )
        texts.append(part.text)
        length += len(part.text)
    source: Literal["text", "empty"] = "text" if blocks else "empty"
    return Page(number, "", "\n\n".join(texts), tuple(blocks), PackedWords(), 0.0, 0.0, source)


def _parts(text: str, *, markdown: bool) -> Iterator[_Part]:
    for lines in _paragraphs(text.replace("\x00", "").splitlines(), markdown=markdown):
        body = "\n".join(lines).strip("\n")
        heading = _HEADING.fullmatch(lines[0]) if markdown and len(lines) == 1 else None
        if heading and heading[2]:
            yield _Part("heading", heading[2], len(heading[1]))
        elif body.strip():
            yield _Part(_kind(lines), body)


def _kind(lines: list[str]) -> BlockKind:
    if len(lines) > 1 and all(line.lstrip().startswith("|") for line in lines):
        return "table"
    return "list" if _ITEM.match(lines[0]) else "text"


def _paragraphs(lines: list[str], *, markdown: bool) -> Iterator[list[str]]:
    """Lines between blank ones; a Markdown heading stands alone, a code fence stays whole."""
    group: list[str] = []
    fenced = False
    for line in lines:
        fence = markdown and _FENCE.match(line) is not None
        heading = markdown and not fenced and _HEADING.fullmatch(line) is not None
        if group and not fenced and (heading or fence or not line.strip()):
            yield group
            group = []
        if heading:
            yield [line]
        elif line.strip() or fenced:
            group.append(line.rstrip())
        fenced ^= fence
    if group:
        yield group
