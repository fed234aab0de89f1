"""Sentences of any texts, altered by rule: examples for languages and kinds that no set labels."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from pathlib import Path

from benchmarks.verifier.alter import falsehoods, names_of, paraphrase, shortened
from benchmarks.verifier.examples import (
    CONTRADICTED,
    NOT_SAID,
    SUPPORTED,
    UNSUPPORTED,
    Example,
    evidence_of,
    example,
)
from rag.verification.segmentation import statements

_SENTENCES = 3  # of a paragraph
_FALSE = 3  # of a sentence


def altered(folder: Path, paragraphs: int, rng: random.Random) -> Iterator[Example]:
    """From files NAME.LANGUAGE.txt, one paragraph a line ("group TAB text" or text alone), at most
    `paragraphs` of each."""
    for file in sorted(folder.glob("*.txt")):
        name, language = file.stem.split(".")
        lines = file.read_text(encoding="utf-8").splitlines()
        for n, line in enumerate(rng.sample(lines, min(len(lines), paragraphs))):
            group, tab, text = line.partition("\t")
            where = f"{name}-{group}" if tab else f"{name}-{language}-{n}"
            yield from _paragraph(text or group, language, where, rng)


def _paragraph(text: str, language: str, group: str, rng: random.Random) -> Iterator[Example]:
    evidence, names = evidence_of([text]), names_of(text, language)
    found = [text[s.start : s.end] for s in statements(text)]
    good = [s for s in found if 40 <= len(s) <= 320 and re.search(r"[.!?]$", s)]

    def one(claim: str, label: int, kind: str) -> Example:
        kind = f"{language} {kind}"
        return example(claim, evidence, label, set="altered", group=group, kind=kind)

    for sentence in rng.sample(good, min(len(good), _SENTENCES)):
        said = paraphrase(sentence, language, rng)
        yield one(said, SUPPORTED, "paraphrase")
        made = [(k, c) for k, c in falsehoods(sentence, language, names, rng) if c != sentence]
        for kind, claim in rng.sample(made, min(len(made), _FALSE)):
            claim = paraphrase(claim, language, rng) if rng.random() < 0.5 else claim
            yield one(claim, UNSUPPORTED if kind == "name" else CONTRADICTED, kind)
        if rng.random() < 0.35 and len(found) > 2:
            rest = evidence_of([" ".join(s for s in found if s != sentence)])
            yield example(
                said, rest, NOT_SAID, set="altered", group=group, kind=f"{language} not said"
            )


_JOINTS = {
    "en": (", and ", ", while ", "; ", ", and "), "de": (", und ", ", während ", "; "),
    "fr": (", et ", ", tandis que ", "; "), "es": (", y ", ", mientras que ", "; "),
    "it": (", e ", ", mentre ", "; "),
}  # fmt: skip


def fused(folder: Path, paragraphs: int, rng: random.Random) -> Iterator[Example]:
    """Two sentences of a paragraph as one claim, as models answer: true, or half of it false or
    from elsewhere; and sentences with an item less."""
    for file in sorted(folder.glob("*.txt")):
        name, language = file.stem.split(".")
        lines = file.read_text(encoding="utf-8").splitlines()
        lines = rng.sample(lines, min(len(lines), paragraphs * (4 if language == "en" else 1)))
        for n, line in enumerate(lines):
            group, tab, text = line.partition("\t")
            where = f"{name}-{group}" if tab else f"{name}-{language}-fused-{n}"
            other = lines[n - 1].rpartition("\t")[2]
            yield from _fused(text or group, other, language, where, rng)


def _fused(
    text: str, elsewhere: str, language: str, group: str, rng: random.Random
) -> Iterator[Example]:
    evidence = evidence_of([text])
    own, strange = _good(text), _good(elsewhere)
    if len(own) < 2 or not strange:
        return
    a, b = rng.sample(own, 2)
    halves = [paraphrase(half, language, rng) for half in (a, b)]
    cases = [(halves, SUPPORTED, "both"), ([halves[0], rng.choice(strange)], NOT_SAID, "strange")]
    wrong = [claim for _, claim in falsehoods(b, language, names_of(text, language), rng)]
    if wrong:
        cases.append(([halves[0], rng.choice(wrong)], CONTRADICTED, "half"))
    for parts, label, kind in cases:
        rng.shuffle(parts)
        first, second = parts[0].rstrip(".!?"), parts[1]
        claim = first + rng.choice(_JOINTS[language]) + second
        kind = f"{language} {kind}"
        yield example(claim, evidence, label, set="fused", group=group, kind=kind)
    if shorter := next(filter(None, map(shortened, own)), None):
        yield example(
            shorter, evidence, SUPPORTED, set="fused", group=group, kind=f"{language} shorter"
        )


def _good(text: str) -> list[str]:
    found = [text[s.start : s.end] for s in statements(text)]
    return [s for s in found if 30 <= len(s) <= 180 and re.search(r"[.!?]$", s)]


def tables(file: Path, rng: random.Random) -> Iterator[Example]:
    """TAT-QA's tables: what a cell says, and the same with another cell, row or column."""
    for group, text, claims in table_claims(file, rng):
        evidence = evidence_of([text])
        for claim, label, kind in claims:
            yield example(claim, evidence, label, set="tatqa", group=group, kind=kind)


def table_claims(
    file: Path, rng: random.Random
) -> Iterator[tuple[str, str, list[tuple[str, int, str]]]]:
    """Each table's name, its text with the notes behind it, and claims with label and kind."""
    for number, row in enumerate(json.loads(file.read_text(encoding="utf-8"))):
        cells: list[list[str]] = row["table"]["table"]
        cells = [[str(cell).replace("|", "/").strip() for cell in line] for line in cells]
        head, body = cells[0], [line for line in cells[1:] if line[0] and any(line[1:])]
        if len(body) < 2 or len([h for h in head[1:] if h]) < 2:
            continue
        lines = [head, ["---"] * len(head), *body]
        table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
        notes = "\n\n".join(p["text"] for p in row["paragraphs"][:3])
        claims = [claim for _ in range(8) for claim in _cell(head, body, rng)]
        yield f"tatqa-{number}", f"{table}\n\n{notes}", claims


def _cell(
    head: list[str], body: list[list[str]], rng: random.Random
) -> Iterator[tuple[str, int, str]]:
    line, other = rng.sample(body, 2)
    columns = [i for i in range(1, len(head)) if head[i] and line[i]]
    if len(columns) < 2:
        return
    i, j = rng.sample(columns, 2)
    form = rng.choice(
        (
            "{r} was {v} in {c}.",
            "In {c}, {r} came to {v}.",
            "For {c}, {r} amounted to {v}.",
            "The figure for {r} ({c}) is {v}.",
            "{r} of {v} was reported for {c}.",
        )
    )

    def say(row: str, column: str, value: str, label: int, kind: str) -> tuple[str, int, str]:
        return form.format(r=row.rstrip(":"), c=column, v=value), label, kind

    yield say(line[0], head[i], line[i], SUPPORTED, "cell")
    wrong = [(line[0], head[i], line[j], "column"), (line[0], head[i], other[i], "row")]
    row, column, value, kind = rng.choice(wrong)
    if value and value != line[i]:
        yield say(row, column, value, CONTRADICTED, kind)
