"""Questions whose answers are known, asked through the whole pipeline: what came, line by line, and
what it is worth.

Every measure is a part and a whole of one answer; figures are Σ parts / Σ wholes with the bootstrap
interval over documents. Answers are compared by folded words without articles, as SQuAD does
(Rajpurkar et al. 2016, arXiv:1606.05250).
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from pydantic import TypeAdapter

from benchmarks._heard import HeardEngine
from benchmarks._report import median, show
from rag.answering.final_answer import pages_of
from rag.evaluation.bootstrap import Interval, bootstrap_ratio
from rag.evaluation.metrics import ANSWER_WORDS, normalised
from rag.evaluation.questions import Question
from rag.evaluation.run import ask
from rag.pipeline import Pipeline
from rag.types import Answer
from rag.verification.citation_markers import strip_markers
from rag.verification.words import content_terms

ARTICLES = frozenset({"a", "an", "the"})
Place = tuple[str, int]  # document name, page


@dataclass(frozen=True, slots=True)
class Cited:
    """A citation. `holds`: its quote stands on that page and in a passage that the model read."""

    number: int
    place: Place
    quote: str
    holds: bool


@dataclass(frozen=True, slots=True)
class Stated:
    """A claim without its markers, and the numbers of its citations."""

    text: str
    sources: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Noted:
    """A question and what became of it. `first_s` is None where no model was asked."""

    set: str
    id: str
    cluster: str
    question: str
    answerable: bool
    answers: tuple[str, ...]
    gold: tuple[Place, ...]
    shown: tuple[Place, ...]  # pages of the passages in the prompt
    text: str
    refused: bool
    claims: tuple[Stated, ...]
    citations: tuple[Cited, ...]
    seconds: float
    first_s: float | None


LINE = TypeAdapter(Noted)


@dataclass(frozen=True, slots=True)
class Share:
    """Σ parts / Σ wholes with its interval, None where there is no whole."""

    interval: Interval | None
    whole: float

    @classmethod
    def of(cls, clusters: Sequence[str], counts: Sequence[tuple[float, float]]) -> Self:
        parts, wholes = [part for part, _ in counts], [whole for _, whole in counts]
        return cls(bootstrap_ratio(clusters, parts, wholes), sum(wholes))

    def __str__(self) -> str:
        """In percent, with the number that it is of."""
        if (given := self.interval) is None:
            return "–"
        low, high = 100 * given.low, 100 * given.high
        return f"{100 * given.value:.1f} [{low:.0f}, {high:.0f}] of {self.whole:.0f}"

    def to_json(self) -> list[float] | None:
        """Value, low, high, whole."""
        given = self.interval
        return given and [*(round(v, 4) for v in (given.value, given.low, given.high)), self.whole]


# ── asking ────────────────────────────────────────────────────────────────────────────────────


def drawn(
    sets: Mapping[str, Sequence[Question]], limit: int, seed: int
) -> list[tuple[str, Question]]:
    """The first `limit` of an order in which any beginning has of each set, answerable or not, its
    share: a run that is cut off is a smaller sample."""
    ranked: list[tuple[float, str, Question]] = []
    for name, questions in sets.items():
        for answerable in (True, False):
            some = [q for q in questions if q.answerable is answerable]
            random.Random(seed).shuffle(some)
            ranked += [((i + 0.5) / len(some), name, q) for i, q in enumerate(some)]
    ranked.sort(key=lambda one: one[0])
    return [(name, question) for _, name, question in ranked[:limit]]


async def noted(pipeline: Pipeline, engine: HeardEngine, question: Question) -> Noted:
    prompts, heard = len(engine.prompts), len(engine.first_s)
    started = time.perf_counter()
    answer = await ask(pipeline, question)
    seconds = time.perf_counter() - started
    read = "\n".join(m.content for prompt in engine.prompts[prompts:] for m in prompt)
    first = engine.first_s[heard:]
    return Noted(
        set=pipeline.settings.collection,
        id=question.id,
        cluster=question.cluster,
        question=question.question,
        answerable=question.answerable,
        answers=question.answers,
        gold=tuple(sorted(question.gold)),
        shown=_shown(answer),
        text=answer.text,
        refused=answer.refused,
        claims=tuple(
            Stated(strip_markers(answer.text[claim.start : claim.end]).text, claim.sources)
            for claim in answer.claims
        ),
        citations=await _cited(pipeline, answer, read),
        seconds=round(seconds, 2),
        first_s=round(first[0], 2) if first else None,
    )


def _shown(answer: Answer) -> tuple[Place, ...]:
    places = {
        (hit.document.name, page)
        for hit in answer.hits
        for page in range(hit.chunk.first_page, hit.chunk.last_page + 1)
    }
    return tuple(sorted(places))


async def _cited(pipeline: Pipeline, answer: Answer, read: str) -> tuple[Cited, ...]:
    pages = await pages_of(answer.hits, await pipeline.store())
    passages = {hit.chunk.id: hit.chunk.text for hit in answer.hits}
    found = []
    for citation in answer.citations:
        page, passage = pages[citation.document.id, citation.page], passages[citation.chunk_id]
        holds = citation.quote in page.text and citation.quote in passage and passage in read
        place = (citation.document.name, citation.page)
        found.append(Cited(citation.number, place, citation.quote, holds))
    return tuple(found)


# ── one answer ────────────────────────────────────────────────────────────────────────────────


def words(text: str) -> list[str]:
    return [word for word in normalised(text).split() if word not in ARTICLES]


def holds(text: str, answers: Sequence[str]) -> bool:
    """Whether one of the answers stands in the text, word for word."""
    inside = f" {' '.join(words(text))} "
    return any(f" {' '.join(words(answer))} " in inside for answer in answers if words(answer))


def token_f1(text: str, answers: Sequence[str]) -> float:
    """The best F1 of the words that text and answer share."""
    said = Counter(words(strip_markers(text).text))
    best = 0.0
    for answer in answers:
        gold = Counter(words(answer))
        shared = (said & gold).total()
        if shared:
            best = max(best, 2 * shared / (said.total() + gold.total()))
    return best


def _short(row: Noted) -> list[str]:
    return [answer for answer in row.answers if 0 < len(words(answer)) <= ANSWER_WORDS]


def _otherwise(row: Noted, claim: Stated) -> bool:
    """Whether a claim has half of the terms of the question, and not the answer."""
    asked = content_terms(row.question)
    spoken = len(asked & content_terms(claim.text))
    return 2 * spoken >= len(asked) and not holds(claim.text, _short(row))


def _claims(row: Noted, *, supported: bool) -> list[Stated]:
    """Those of an answer that can be judged by a short answer that is known."""
    if row.refused or not _short(row):
        return []
    return [claim for claim in row.claims if bool(claim.sources) is supported]


def _count(given: Sequence[bool]) -> tuple[float, float]:
    return float(sum(given)), float(len(given))


def _if(condition: bool, value: float) -> tuple[float, float]:
    return (value, 1.0) if condition else (0.0, 0.0)


def _answered(row: Noted) -> bool:
    return row.answerable and not row.refused


# Name: an answer to the part and the whole that it adds.
MEASURES: Mapping[str, Callable[[Noted], tuple[float, float]]] = {
    "citations that hold": lambda r: _count([c.holds for c in r.citations]),
    "answerable: a gold page is in the prompt": lambda r: _if(
        r.answerable and r.first_s is not None, not {*r.gold}.isdisjoint(r.shown)
    ),
    "answerable: refused": lambda r: _if(r.answerable, r.refused),
    "answered: with a citation": lambda r: _if(_answered(r), bool(r.citations)),
    "answered: cites a gold page": lambda r: _if(
        _answered(r), any(c.place in r.gold for c in r.citations)
    ),
    "citations on a gold page": lambda r: (
        _count([c.place in r.gold for c in r.citations]) if r.answerable else (0.0, 0.0)
    ),
    "answered: holds the answer": lambda r: _if(
        _answered(r) and bool(_short(r)), holds(r.text, _short(r))
    ),
    "answered: token F1": lambda r: _if(_answered(r), token_f1(r.text, r.answers)),
    "claims supported": lambda r: (
        _count([bool(c.sources) for c in r.claims]) if _answered(r) else (0.0, 0.0)
    ),
    "supported claims that hold the answer": lambda r: _count(
        [holds(c.text, _short(r)) for c in _claims(r, supported=True)]
    ),
    "supported claims that answer otherwise": lambda r: _count(
        [_otherwise(r, c) for c in _claims(r, supported=True)]
    ),
    "unverified claims that hold the answer": lambda r: _count(
        [holds(c.text, _short(r)) for c in _claims(r, supported=False)]
    ),
    "unanswerable: refused": lambda r: _if(not r.answerable, r.refused),
    "unanswerable: a claim is supported": lambda r: _if(
        not r.answerable, any(c.sources for c in r.claims)
    ),
}  # fmt: skip


# ── all of them ───────────────────────────────────────────────────────────────────────────────


def figures(rows: Sequence[Noted]) -> dict[str, Share]:
    return {
        name: Share.of([row.cluster for row in rows], [measure(row) for row in rows])
        for name, measure in MEASURES.items()
    }


def report(rows: Sequence[Noted]) -> dict[str, Any]:
    """Prints the table, a column for each set and one for all; returns its figures."""
    groups = {
        name: [r for r in rows if r.set == name] for name in dict.fromkeys(r.set for r in rows)
    }
    groups |= {"all": list(rows)} if len(groups) > 1 else {}
    found = {name: figures(some) for name, some in groups.items()}
    columns = ["%", *(f"{name} ({len(some)})" for name, some in groups.items())]
    lines: list[list[object]] = [[m, *(shares[m] for shares in found.values())] for m in MEASURES]
    times = {name: _times(some) for name, some in groups.items()}
    lines += [
        [what, *(of_set[what] for of_set in times.values())] for what in ("first s", "answer s")
    ]
    show(
        "Answers [95% interval over documents]; seconds are medians where a model was asked",
        columns,
        lines,
    )
    plain = {name: {m: share.to_json() for m, share in of.items()} for name, of in found.items()}
    return {name: {**plain[name], **times[name]} for name in groups}


def _times(rows: Sequence[Noted]) -> dict[str, float]:
    heard = [row for row in rows if row.first_s is not None]
    firsts = [row.first_s for row in heard if row.first_s is not None]
    return {"first s": median(firsts), "answer s": median([row.seconds for row in heard])}
