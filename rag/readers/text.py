"""Plain text and Markdown to pages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rag.config import Extraction
from rag.encoding import decode
from rag.readers.base import Content, ExtraTime, Format, is_text
from rag.readers.packed_words import PackedWords
from rag.types import Block, BlockKind, Page

_PAGE_CHARACTERS = 3000  # a "page" of a text file: about a printed one
_HEADING = re.compile(r"(#{1,6})\s+(.*?)\s*#*")
_ITEM = re.compile(r"\s*([-*+]|\d{1,3}[.)])\s")
_FENCE = re.compile(r"\s*(```|~~~)")


def read_plain(
    path: Path,
    limits: Extraction,  # noqa: ARG001 - a Format's
    *,
    password: str | None,  # noqa: ARG001
    extra: ExtraTime,  # noqa: ARG001
) -> Content:
    """Raises OSError."""
    return _read(path, markdown=False)


def read_markdown(
    path: Path,
    limits: Extraction,  # noqa: ARG001 - a Format's
    *,
    password: str | None,  # noqa: ARG001
    extra: ExtraTime,  # noqa: ARG001
) -> Content:
    """Raises OSError."""
    return _read(path, markdown=True)


PLAIN = Format("text", frozenset({".txt", ".text", ".rst", ".org", ".log"}), is_text, read_plain)
MARKDOWN = Format("Markdown", frozenset({".md", ".markdown", ".mdown"}), is_text, read_markdown)


def _read(path: Path, *, markdown: bool) -> Content:
    text, warning = decode(path.read_bytes())
    pages = text_pages(text, markdown=markdown)
    return Content(tuple(pages), warnings=(warning,) if warning else ())


@dataclass(frozen=True, slots=True)
class _TextBlock:
    kind: BlockKind
    text: str
    level: int = 0


def text_pages(text: str, *, markdown: bool) -> list[Page]:
    """Pages of about 3000 characters, cut between blocks. Text files have no boxes: all are 0."""
    pages: list[list[_TextBlock]] = [[]]
    length = 0
    for part in _text_blocks(text, markdown=markdown):
        if length and length + len(part.text) > _PAGE_CHARACTERS:
            pages.append([])
            length = 0
        pages[-1].append(part)
        length += len(part.text)
    return [_page(number, parts) for number, parts in enumerate(pages, 1)]


def _page(number: int, parts: list[_TextBlock]) -> Page:
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


def _text_blocks(text: str, *, markdown: bool) -> Iterator[_TextBlock]:
    for lines in _paragraphs(text.replace("\x00", "").splitlines(), markdown=markdown):
        body = "\n".join(lines).strip("\n")
        heading = _HEADING.fullmatch(lines[0]) if markdown and len(lines) == 1 else None
        if heading and heading[2]:
            yield _TextBlock("heading", heading[2], len(heading[1]))
        elif body.strip():
            yield _TextBlock(_kind(lines), body)


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
