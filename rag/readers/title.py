"""A document's title: what its metadata says if that is sensible, else its first big heading."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from rag.encoding import well_formed
from rag.types import Block, Page

_MAX_LENGTH = 160
_TOOL = re.compile(
    r"^(microsoft (word|powerpoint|excel)\s*[-–]\s*|untitled|document\d*$|slide \d+$|(no )?title$)",
    re.IGNORECASE,
)
_FILE = re.compile(r"\.(pdf|docx?|pptx?|xlsx?|indd|tex|dvi|ps|html?|qxd)$", re.IGNORECASE)
_WORD = re.compile(r"[^\W_]+")
_YEAR = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)")
_HEX = re.compile(r"[0-9a-f]{12,}", re.IGNORECASE)


def title_of(metadata_title: str, pages: Sequence[Page], path: Path) -> str:
    """One line. A file name that says more than the title is put in front of it."""
    name = " ".join(re.sub(r"[_\s]+", " ", well_formed(path.stem)).split())
    title = _sensible(metadata_title) or _first_heading(pages)
    if not title:
        return name
    if _informative(name) and (not _share_a_word(name, title) or _adds_year(name, title)):
        return f"{name}: {title}"
    return title


def _sensible(title: str) -> str:
    """The metadata's title without what tools put there, or ""."""
    clean = " ".join(_FILE.sub("", _TOOL.sub("", " ".join(title.split()))).split("\x00"))
    letters = sum(char.isalpha() for char in clean)
    if letters < 3 or letters < 0.3 * len(clean.replace(" ", "")) or _HEX.search(clean):
        return ""
    return clean[:_MAX_LENGTH].strip()


def _first_heading(pages: Sequence[Page]) -> str:
    """The highest heading of the first page with headings, among the first three."""
    for page in pages[:3]:
        headings = [block for block in page.blocks if block.kind == "heading"]
        if headings:
            best = min(headings, key=lambda block: block.level)
            return " ".join(_text(page, best).split())[:_MAX_LENGTH].strip()
    return ""


def _text(page: Page, block: Block) -> str:
    return page.text[block.start : block.end]


def _informative(name: str) -> bool:
    """A name that people gave: two words or more, no hash, no date-like number."""
    words = _WORD.findall(name)
    named = [word for word in words if sum(char.isalpha() for char in word) >= 2]
    return len(words) >= 2 and bool(named) and not _HEX.search(name) and len(name) <= 60


def _adds_year(name: str, title: str) -> bool:
    return any(year not in title for year in _YEAR.findall(name))


def _share_a_word(name: str, title: str) -> bool:
    """A word of three letters or more that stands in both, in part at least."""
    words = {word.casefold() for word in _WORD.findall(title) if len(word) > 2 and word.isalpha()}
    return any(word.casefold() in words for word in _WORD.findall(name) if not word.isdigit())
