"""Labelled claims in the forms that public sets have: each claim, its passages and its label."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks._claim_sources import passages_of
from benchmarks.verifier.claims import group_number
from benchmarks.verifier.examples import SUPPORTED
from benchmarks.verifier.texts import table_claims
from rag.types import Coverage, Document, Hit, Page, StoredChunk
from rag.verification.base import ClaimText
from rag.verification.evidence_units import Evidence, gather
from rag.verification.lead_ins import claim_text
from rag.verification.refusal_detection import is_pleasantry, is_refusal
from rag.verification.segmentation import statements

# Passages are cut here, between lines, as a page ends somewhere. Characters.
_PASSAGE = 4000


@dataclass(frozen=True, slots=True)
class Labelled:
    """A claim with its label. `claim` is False for what states nothing ("Here are the steps:")."""

    text: str
    good: bool
    claim: bool = True
    kind: str = ""
    language: str = ""
    id: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """The passages that claims of one source are judged by, and these claims."""

    set: str
    id: str
    question: str
    passages: tuple[str, ...]
    claims: tuple[Labelled, ...]
    language: str = "en"

    def evidence(self) -> Evidence:
        return gather(*_found(self.id, self.passages, self.language))

    def texts(self) -> list[ClaimText]:
        return [ClaimText(claim_text(one.text)) for one in self.claims]


# ── the forms ─────────────────────────────────────────────────────────────────────────────────


def responses(path: Path) -> Iterator[Source]:
    """Responses with spans of what their source does not support (the form of RAGTruth)."""
    for number, row in enumerate(_rows(path)):
        source = row["source"]
        found = [one for response in row["responses"] for one in _sentences(response)]
        question = source.get("question", "") if isinstance(source, dict) else ""
        id_ = f"{path.stem}-{row.get('source_id', number)}"
        yield Source(path.stem, id_, str(question), tuple(_source_texts(source)), tuple(found))


def wice(path: Path) -> Iterator[Source]:
    """A claim and the sentences of the page that it cites; good where these support all of it."""
    for number, row in enumerate(_rows(path)):
        meta = row.get("meta") or {}
        id_ = str(meta.get("id", number)) if isinstance(meta, dict) else str(number)
        claim = Labelled(row["claim"], row["label"] == "supported", kind=row["label"], id=id_)
        title = str(meta.get("claim_title", id_)) if isinstance(meta, dict) else id_
        yield Source("wice", title, "", tuple(_cut("\n".join(row["evidence"]))), (claim,))


def pairs(path: Path) -> Iterator[Source]:
    """One claim a line with its passages, and whether they support it."""
    for number, row in enumerate(_rows(path)):
        passages = row.get("passages", row.get("passage", []))
        passages = [passages] if isinstance(passages, str | dict) else list(passages or [])
        texts = [text for passage in passages for text in _cut(_text_of(passage))]
        language = str(row.get("lang") or row.get("language") or "en")
        id_ = str(row.get("id", number))
        claim = Labelled(
            str(row["claim"]),
            _truth(row["supported"]),
            True,
            str(row.get("kind") or ""),
            language,
            id_,
        )
        cluster = json.dumps(texts, ensure_ascii=False)
        yield Source(
            "pairs", cluster, str(row.get("question") or ""), tuple(texts), (claim,), language
        )


def tables(path: Path) -> Iterator[Source]:
    """What cells say, and the same of another row or column: by rule, from tables in the form of
    TAT-QA."""
    for name, text, claims in table_claims(path, random.Random(5)):
        found = [
            Labelled(claim, label == SUPPORTED, True, kind, "en") for claim, label, kind in claims
        ]
        yield Source("tables", name, "", tuple(_cut(text)), tuple(found))


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        yield from (json.loads(line) for line in lines if line.strip())


def _truth(value: object) -> bool:
    return (
        value.casefold() in ("true", "yes", "1", "supported")
        if isinstance(value, str)
        else bool(value)
    )


def _text_of(passage: object) -> str:
    if isinstance(passage, dict):
        for name in ("text", "content", "passage", "quote"):
            if isinstance(passage.get(name), str):
                return str(passage[name])
        return "\n\n".join(passages_of(passage))
    return str(passage)


def _sentences(response: Mapping[str, Any]) -> Iterator[Labelled]:
    """Sentences as the product takes them; one is bad that touches a labelled span."""
    text = response["response"]
    bad = [(label["start"], label["end"]) for label in response["labels"]]
    for span in statements(text):
        own = text[span.start : span.end]
        good = not any(start < span.end and span.start < end for start, end in bad)
        yield Labelled(own, good, is_claim(own))


def is_held_out(group: str) -> bool:
    """Whether a source is one of the quarter that the check of the verifier was not trained on."""
    return group_number(group) % 4 == 0


def is_claim(text: str) -> bool:
    nothing = text.rstrip().endswith("?") or is_pleasantry(text) or not claim_text(text)
    return not (nothing or is_refusal(text))


def _source_texts(source: object) -> Iterator[str]:
    given = source if isinstance(source, str | Mapping) else str(source)
    yield from (cut for passage in passages_of(given) for cut in _cut(passage))


def _cut(text: str) -> Iterator[str]:
    part = ""
    for line in text.split("\n"):
        if part and len(part) + len(line) > _PASSAGE:
            yield part
            part = ""
        part = f"{part}\n{line}" if part else line
    if part.strip():
        yield part


# ── as the product sees them ──────────────────────────────────────────────────────────────────


def _found(
    id_: str, passages: Sequence[str], language: str
) -> tuple[list[Hit], dict[tuple[str, int], Page]]:
    """One passage a page."""
    coverage = Coverage(len(passages), 0, 0, ())
    about = Document(
        id_,
        Path("source.pdf"),
        "",
        "",
        0,
        0,
        len(passages),
        len(passages),
        language,
        coverage,
        {},
        "",
    )
    hits, pages = [], {}
    for n, text in enumerate(passages, 1):
        chunk = StoredChunk(str(n), id_, n, text, "", 0, len(text), n, n, "text", 0)
        hits.append(Hit(chunk, about, 1.0, {}))
        pages[id_, n] = Page(n, str(n), text, (), (), 612.0, 792.0, "text")
    return hits, pages
