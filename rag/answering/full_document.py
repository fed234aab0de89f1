"""Documents given whole: their pages as passages, and the parts to read a long one in. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from rag.types import Document, Hit, Page, StoredChunk

_BROAD: Final = re.compile(
    r"\b(?:summar(?:y|ies|i[sz]e)|overview|outline|key (?:points|findings|takeaways)|"
    r"main (?:points|findings|ideas)|compare|contrast|differences? between|"
    r"(?:list|name|find|give)(?: me)? (?:all|every|each)|"
    r"what is (?:this|the) (?:document|paper|report|file|text) about|"
    r"zusammenfass\w*|fasse?\b.*\bzusammen|überblick|vergleiche?|liste? (?:alle|jede)\w*|"
    r"nenne? (?:alle|jede)\w*)\b",
    re.IGNORECASE,
)
_LIST: Final = re.compile(
    r"\b(?:list|name|find|give|liste?|nenne?)(?: me| mir)? (?:all|every|each|jede)\w*\b",
    re.IGNORECASE,
)
Size = Callable[[Hit], int]


def is_broad(question: str) -> bool:
    """Whether a question asks about all of a text, which no few passages can answer."""
    return _BROAD.search(question) is not None


def is_list(question: str) -> bool:
    """Whether it asks for every one of something, so that nothing found may be left out."""
    return _LIST.search(question) is not None


def page_hits(document: Document, pages: Sequence[Page], size: Size, limit: int) -> list[Hit]:
    """Each page with text as a passage; a page larger than `limit` as several, cut between blocks.

    `size` gives a passage's tokens. Only a block that is itself too large stays so.
    """
    found = []
    for page in pages:
        whole = _hit(document, page, 0, len(page.text))
        if not page.text.strip():
            continue
        spans = [(0, len(page.text))] if size(whole) <= limit else _cut(document, page, size, limit)
        found += [_hit(document, page, start, end) for start, end in spans]
    return found


def _cut(document: Document, page: Page, size: Size, limit: int) -> Iterator[tuple[int, int]]:
    start = end = 0
    for block in page.blocks:
        if end > start and size(_hit(document, page, start, block.end)) > limit:
            yield start, end
            start = end
        end = block.end
    yield start, len(page.text)


def _hit(document: Document, page: Page, start: int, end: int) -> Hit:
    text = page.text[start:end].strip()
    number = page.number
    id_ = f"{document.id}/page/{number}/{start}"
    chunk = StoredChunk(
        id_, document.id, number, text, document.title, start, end, number, number, "text", 0
    )
    return Hit(chunk, document, 1.0, {})


def parts(hits: Sequence[Hit], sizes: Sequence[int], limit: int) -> list[tuple[int, ...]]:
    """Indices of consecutive passages of one document, as many together as fit `limit` tokens."""
    found: list[list[int]] = []
    used = 0
    for index, (hit, tokens) in enumerate(zip(hits, sizes, strict=True)):
        same = bool(found) and hits[found[-1][-1]].document.id == hit.document.id
        if not same or used + tokens > limit:
            found.append([])
            used = 0
        found[-1].append(index)
        used += tokens
    return [tuple(part) for part in found]
