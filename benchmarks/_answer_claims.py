"""Claims of which it is known whether a page supports them, through the grounding of answers.

No model: what is right are the sentence of a gold page that holds the answer, question and answer
made one statement, and the sentences of gold answers that people wrote. What is wrong are such
sentences with one thing changed, each of them supported before. Passages are those that the
question finds, where a gold page is among them.
"""

from __future__ import annotations

import random
import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks._answer_quality import Place, Share, holds, words
from benchmarks._report import show
from benchmarks.support_threshold import statement
from rag.answering.final_answer import pages_of
from rag.evaluation.metrics import ANSWER_WORDS
from rag.evaluation.questions import Question
from rag.pipeline import Pipeline
from rag.types import Hit, Page
from rag.verification.evidence_units import gather
from rag.verification.ground import ground
from rag.verification.numbers import numbers
from rag.verification.segmentation import statements
from rag.verification.words import content_terms, has_negation

_NAME = re.compile(r"(?<=\w )(?:[A-Z]\w+)(?: [A-Z]\w+)*")
_COORDINATION = re.compile(r"\W*(?:and|or|und|oder|&)?\W*")
_AUXILIARY = re.compile(r"\b(?:is|was|were|are|has|had|have|will|can|could|would|may|must)\b")
Change = Callable[[str, str, random.Random], str | None]  # claim, text of the passages


@dataclass(frozen=True, slots=True)
class Checked:
    """A claim that was looked up. `pages`: what it was given as its places."""

    set: str
    kind: str
    cluster: str
    claim: str
    pages: tuple[Place, ...]
    gold: frozenset[Place]


@dataclass(frozen=True, slots=True)
class Shown:
    """The passages that a question finds, and its gold."""

    question: Question
    hits: Sequence[Hit]
    pages: Mapping[tuple[str, int], Page]

    def places(self, claim: str) -> tuple[Place, ...]:
        found = ground(claim, self.hits, self.pages, self.question.question)
        return tuple((citation.document.name, citation.page) for citation in found.citations)

    @property
    def text(self) -> str:
        return "\n".join(hit.chunk.text for hit in self.hits)

    @property
    def has_gold(self) -> bool:
        return any(
            (hit.document.name, page) in self.question.gold
            for hit in self.hits
            for page in range(hit.chunk.first_page, hit.chunk.last_page + 1)
        )


# ── right claims ──────────────────────────────────────────────────────────────────────────────


def right(shown: Shown) -> Iterator[tuple[str, str]]:
    """(kind, claim)."""
    answers = shown.question.answers
    if not answers:
        return
    if len(words(answers[0])) > ANSWER_WORDS:
        for span in statements(answers[0]):
            yield "sentence of a written answer", answers[0][span.start : span.end]
        return
    if (sentence := gold_sentence(shown)) is not None:
        yield "sentence of the page", sentence
        yield "question and answer as one", statement(shown.question.question, answers[0])


def gold_sentence(shown: Shown) -> str | None:
    """The statement of a gold page's passages that holds the answer and most of the question."""
    asked = content_terms(shown.question.question)
    units = [
        unit
        for unit in gather(shown.hits, shown.pages).units
        if (shown.hits[unit.span.passage].document.name, unit.span.page[1]) in shown.question.gold
        and holds(unit.text, shown.question.answers[:1])
    ]
    best = max(units, key=lambda unit: len(unit.terms & asked), default=None)
    return best.text if best else None


# ── wrong claims ──────────────────────────────────────────────────────────────────────────────


def another_number(claim: str, passages: str, rng: random.Random) -> str | None:
    """One of its figures becomes another one of the passages, a year a year."""
    own = [n for n in numbers(claim) if claim[n.start].isdigit()]
    if not own:
        return None
    number = rng.choice(own)
    figure = claim[number.start : number.end]
    others = {passages[n.start : n.end] for n in numbers(passages) if passages[n.start].isdigit()}
    alike = sorted(o for o in others if len(o) == len(figure) and o not in claim)
    return claim[: number.start] + rng.choice(alike) + claim[number.end :] if alike else None


def another_name(claim: str, passages: str, rng: random.Random) -> str | None:
    own = list(_NAME.finditer(claim))
    if not own:
        return None
    name, said = rng.choice(own), {*words(claim)}
    others = {match.group() for match in _NAME.finditer(passages)}
    strange = sorted(other for other in others if said.isdisjoint(words(other)))
    return claim[: name.start()] + rng.choice(strange) + claim[name.end() :] if strange else None


def exchanged_names(claim: str, _: str, rng: random.Random) -> str | None:
    """Two names that are not merely listed stand where the other one stood."""
    own = list(_NAME.finditer(claim))
    pairs = [
        (a, b)
        for i, a in enumerate(own)
        for b in own[i + 1 :]
        if {*words(a.group())}.isdisjoint(words(b.group()))
        and not _COORDINATION.fullmatch(claim[a.end() : b.start()])
    ]
    if not pairs:
        return None
    a, b = rng.choice(pairs)
    between = claim[a.end() : b.start()]
    return claim[: a.start()] + b.group() + between + a.group() + claim[b.end() :]


def negated(claim: str, _: str, __: random.Random) -> str | None:
    verb = _AUXILIARY.search(claim)
    if verb is None or has_negation(claim):
        return None
    return f"{claim[: verb.end()]} not{claim[verb.end() :]}"


CHANGES: Mapping[str, Change] = {
    "another number": another_number,
    "another name": another_name,
    "two names exchanged": exchanged_names,
    "a not put in": negated,
}


# ── all of them ───────────────────────────────────────────────────────────────────────────────


async def checked(
    pipeline: Pipeline, questions: Sequence[Question], seed: int
) -> AsyncIterator[Checked]:
    """Every right claim, and the wrong ones made of those that were supported."""
    name = pipeline.settings.collection
    for question in questions:
        hits = (await pipeline.search(question.question, question.history)).hits
        shown = Shown(question, hits, await pages_of(hits, await pipeline.store()))
        if not question.answerable or not shown.has_gold:
            continue
        rng = random.Random(f"{seed} {question.id}")
        for kind, claim in right(shown):
            places = shown.places(claim)
            yield Checked(name, kind, question.cluster, claim, places, question.gold)
            if not places or kind == "question and answer as one":
                continue
            for change, made in CHANGES.items():
                if (wrong := made(claim, shown.text, rng)) is not None:
                    of = f"{change}, {kind}"
                    places = shown.places(wrong)
                    yield Checked(name, of, question.cluster, wrong, places, question.gold)


def report(rows: Sequence[Checked]) -> dict[str, Any]:
    lines, results = [], {}
    for name, kind in dict.fromkeys((row.set, row.kind) for row in rows):
        some = [row for row in rows if (row.set, row.kind) == (name, kind)]
        clusters = [row.cluster for row in some]
        supported = Share.of(clusters, [(float(bool(row.pages)), 1.0) for row in some])
        gold = [(float(not row.gold.isdisjoint(row.pages)), float(bool(row.pages))) for row in some]
        cited = Share.of(clusters, gold)
        lines.append([f"{name}: {kind}", supported, cited])
        results[f"{name}: {kind}"] = {
            "supported": supported.to_json(),
            "on a gold page": cited.to_json(),
        }
    columns = ["claims", "supported %", "of these on a gold page %"]
    show("Claims of which it is known whether a page supports them", columns, lines)
    return results
