"""An answer without a model: the one to three sentences of the passages that answer best.

Measured by `benchmarks quotes`; docs/answers.md says which questions were in sight when
the rule was chosen.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from rag.answering.question_match import QuestionMatch, Sentence
from rag.terms import query_terms
from rag.types import Hit
from rag.verification.evidence_units import table_head
from rag.verification.segmentation import statements

COUNT: Final = 3
# Sentences that are embedded: a few more than for a refusal, which shows the nearest one alone.
EMBEDDED: Final = 12
# What the share of the question's rare terms and 1 / (rank of the passage) add to the likeness.
_SHARE: Final = 0.57
_RANK: Final = 0.34
# A sentence so far behind the best one is not shown: two are, on average (benchmarks/LOG.md).
_BEHIND: Final = 0.45
_HEADING_WORDS: Final = 14
# "2.3 ", "4. ", and "Chapter 6: ", "Annex B - ": what stands before a heading's words.
_DIVISION: Final = (
    "chapter|section|part|article|annex|appendix|schedule|exhibit|table|figure|"
    "kapitel|abschnitt|teil|artikel|anhang|anlage|tabelle|abbildung|"
    "chapitre|partie|annexe|tableau|capítulo|sección|parte|artículo|anexo|tabla|figura|"
    "capitolo|sezione|articolo|allegato|tabella"
)
_CHAPTER: Final = re.compile(
    r"\d+(?:\.\d+)+\.?\s+|\d+\.\s+|"
    rf"(?:{_DIVISION})\s+(?:\d+(?:\.\d+)*|[ivxlc]+|[a-z])\s*(?:[:.–—-]\s*|\s)",
    re.IGNORECASE,
)
# What a line without an end may tell: "Total to pay: 3,754.25 crowns". Headings have years too.
_VALUE: Final = re.compile(r":\s+\S|(?<!\w)(?!(?:19|20|21)\d\d\b)\S*\d")
# "Prices from 1 February 2032, in florins": the line above a table, whatever figures it has.
_CAPTION: Final = re.compile(r"[,(]\s*(?:in|en)(?:\s[^\W\d]+){1,3}\)?$", re.IGNORECASE)
_ENDED: Final = re.compile(r"[.!?:;。！？|][\"'”’»)\]]*$")


def chosen(match: QuestionMatch, count: int = COUNT) -> list[Sentence]:
    """The best sentences, at most `count`, each once."""
    ranks = {hit.chunk.id: rank for rank, hit in enumerate(match.hits, 1)}
    scored: dict[str, tuple[float, Sentence]] = {}
    for sentence in match.nearest:
        said = _answering(sentence)
        if said is None or not _adds(match, said):
            continue
        rank = ranks[sentence.hit.chunk.id]
        score = sentence.likeness + _SHARE * match.share(sentence.terms) + _RANK / rank
        known = scored.get(said.text)
        scored[said.text] = max((score, said), known or (score, said), key=lambda one: one[0])
    best = sorted(scored.values(), key=lambda one: -one[0])[:count]
    return [sentence for score, sentence in best if score >= best[0][0] - _BEHIND]


def quotes_text(sentences: list[Sentence]) -> str:
    """As Markdown: a paragraph each, a table's row with the table's head."""
    return "\n\n".join(map(_paragraph, sentences))


def _answering(sentence: Sentence) -> Sentence | None:
    """The sentence; what follows it where it is a heading or a question (of an FAQ)."""
    text = sentence.text.strip()
    if not (text.endswith("?") or _is_heading(text)):
        return sentence
    behind = list(_behind(sentence.hit, sentence.text))
    return Sentence(sentence.hit, behind[0], sentence.terms, sentence.likeness) if behind else None


def _behind(hit: Hit, text: str) -> Iterator[str]:
    """The statements behind one, without headings and questions."""
    passage = hit.chunk.text
    found = False
    for span in statements(passage):
        own = passage[span.start : span.end]
        if found and not (own.rstrip().endswith("?") or _is_heading(own)):
            yield own
        found = found or own == text


def _is_heading(text: str) -> bool:
    """Whether a line without an end, in few words, is no list item, no row and tells no value."""
    line = _CHAPTER.sub("", text.strip(), count=1)
    if not line:
        return True
    if len(line.split()) > _HEADING_WORDS or _ENDED.search(line):
        return False
    if _VALUE.search(line) and not _CAPTION.search(line):
        return False
    return "|" not in line and line[:1].isalpha()


def _adds(match: QuestionMatch, sentence: Sentence) -> bool:
    """Whether it says a word or number that the question has not."""
    said = set(query_terms(sentence.text))
    return bool(said - set(query_terms(match.searched)))


def _paragraph(sentence: Sentence) -> str:
    text = sentence.text.strip()
    if not text.startswith("|"):
        return " ".join(text.split())
    passage = sentence.hit.chunk.text
    head = table_head(passage, passage.find(text)) or _header_row(sentence.hit)
    if not head or head == text:
        return text
    rule = "|" + " --- |" * max(1, head.strip().strip("|").count("|") + 1)
    return f"{head}\n{rule}\n{text}"


def _header_row(hit: Hit) -> str:
    """The head of a table that was split, which the chunk's header keeps."""
    rows = [line for line in hit.chunk.header.splitlines() if line.startswith("|")]
    return rows[0] if rows else ""
