"""Which words of which page each statement of an answer rests on. Pure: no I/O, no model.

The markers that the model wrote are only hints. They are taken out, every claim is checked against
the passages shown, and what is verified is marked anew: [1], [2], by first appearance.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from rag.quotes import span_boxes
from rag.types import Citation, Claim, Hit, Page
from rag.verification.base import ClaimText, Support, Verdict, Verifier
from rag.verification.citation_markers import Unmarked, strip_markers
from rag.verification.evidence_units import gather
from rag.verification.lead_ins import claim_text
from rag.verification.lexical import LexicalVerifier
from rag.verification.refusal_detection import is_pleasantry, is_refusal
from rag.verification.segmentation import Statement, code_spans, statements

_QUOTE_LIMIT: Final = 300
_BARE_ANSWER = re.compile(r"\W*(?:yes|no|ja|nein|true|false|none|n/a)\W*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Grounded:
    """An answer with verified citations: `text` has exactly their markers."""

    text: str
    claims: tuple[Claim, ...]
    citations: tuple[Citation, ...]
    refused: bool


def ground(
    text: str,
    hits: Sequence[Hit],
    pages: Mapping[tuple[str, int], Page],
    question: str = "",
    numbers: Sequence[int] | None = None,
    verifier: Verifier | None = None,
    cited: Sequence[Citation] = (),
) -> Grounded:
    """Checks an answer against the passages of its prompt.

    `hits` are the passages in the order of the prompt, `numbers` what the prompt calls them (by
    default index + 1), `pages` every page they stand on, by (document id, page number). Among equal
    sources the one that shares words with `question` is taken. `verifier` judges the claims (by
    default by their words). The numbers of citations go on behind those that are `cited` already.
    """
    bare = strip_markers(text, [hit.chunk.text for hit in hits])
    found = [s for s in statements(bare.text) if not _says_nothing(bare.text[s.start : s.end])]
    said = [s for s in found if not is_refusal(bare.text[s.start : s.end])]
    ends = [s.start for s in said[1:]] + [len(bare.text) + 1] if said else []
    called = {n: i for i, n in enumerate(numbers or range(1, len(hits) + 1))}
    texts = [
        ClaimText(claim_text(bare.text[s.start : s.end]), _hints(bare, s.start, end, called))
        for s, end in zip(said, ends, strict=True)
    ]
    verdicts = (verifier or LexicalVerifier()).verify(texts, gather(hits, pages), question)
    if len(said) < len(found) and not any(v.finding == "supported" for v in verdicts):
        claims = tuple(Claim(s.start, s.end, ()) for s in said)
        return Grounded(bare.text, claims, (), True)
    return _marked(bare.text, said, verdicts, _Sources(hits, pages, cited))


def _says_nothing(text: str) -> bool:
    bare = bool(_BARE_ANSWER.fullmatch(text)) or text.rstrip().endswith("?")
    return bare or is_pleasantry(text) or not claim_text(text)


def _hints(bare: Unmarked, start: int, end: int, called: Mapping[int, int]) -> tuple[int, ...]:
    """Indices of the passages that the markers between two offsets name."""
    return tuple(
        called[number]
        for offset, numbers in bare.hints
        if start <= offset < end
        for number in numbers
        if number in called
    )


class _Sources:
    """The citations so far: the same words of the same page have one number."""

    def __init__(
        self,
        hits: Sequence[Hit],
        pages: Mapping[tuple[str, int], Page],
        cited: Sequence[Citation] = (),
    ) -> None:
        self.hits, self.pages = hits, pages
        self.citations = {_identity(citation): citation for citation in cited}

    def number(self, support: Support) -> int:
        cited = self.at(support)
        key = _identity(cited)
        if key not in self.citations:
            self.citations[key] = replace(cited, number=len(self.citations) + 1)
        return self.citations[key].number

    def at(self, support: Support) -> Citation:
        """A place with its quote; its number is 0."""
        hit, page = self.hits[support.span.passage], self.pages[support.span.page]
        start, end = _cut(page.text, support.span.start, support.span.end)
        return Citation(
            number=0,
            document=hit.document,
            page=page.number,
            page_label=page.label,
            quote=page.text[start:end],
            boxes=span_boxes(page, start, end),
            score=round(support.score, 3),
            chunk_id=hit.chunk.id,
        )


def _identity(citation: Citation) -> tuple[str, int, str]:
    return citation.document.id, citation.page, citation.quote


def _cut(text: str, start: int, end: int) -> tuple[int, int]:
    """At most _QUOTE_LIMIT characters, cut behind a word."""
    if end - start <= _QUOTE_LIMIT:
        return start, end
    stop = start + _QUOTE_LIMIT
    blanks = [match.start() for match in re.finditer(r"\s", text[start : stop + 1])]
    return start, start + blanks[-1] if blanks and blanks[-1] > 0 else stop


def _marked(
    text: str,
    said: Sequence[Statement],
    verdicts: Sequence[Verdict],
    sources: _Sources,
) -> Grounded:
    """Puts the marker of each verified claim behind it (in a table row into its last cell)."""
    parts: list[str] = []
    claims: list[Claim] = []
    done = length = 0
    for span, verdict in zip(said, verdicts, strict=True):
        supported = verdict.finding == "supported"
        numbers = tuple(dict.fromkeys(map(sources.number, verdict.places if supported else ())))
        near = sources.at(verdict.places[0]) if verdict.places and not supported else None
        at = _marker_offset(text, span)
        marker = "".join(f"[{n}]" for n in numbers)
        # Where scripts have no blank between sentences, the marker brings none either.
        marker = " " + marker if marker and not text[at : at + 1].isalnum() else marker
        start = length + span.start - done
        end = start + span.end - span.start + (len(marker) if at < span.end else 0)
        claims.append(Claim(start, end, numbers, verdict.finding, near))
        parts += [text[done:at], marker]
        length += at - done + len(marker)
        done = at
    parts.append(text[done:])
    return Grounded("".join(parts), tuple(claims), tuple(sources.citations.values()), False)


def _marker_offset(text: str, span: Statement) -> int:
    if span.kind == "row" and text[: span.end].endswith("|"):
        inside = len(text[: span.end - 1].rstrip(" \t"))
        if not any(a < inside < b for a, b in code_spans(text)):
            return inside
    return span.end
