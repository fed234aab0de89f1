"""How well support of claims is told from its absence, per threshold (rag/verification/support.py).

A SQuAD-like question and its answer become one statement ("Where did X end?" + "Y": "Y did X
end."), checked against ten paragraphs. "right": the paragraph with the answer is among them.
"elsewhere": it is not. "wrong answer": it is, but the statement has the answer to another question
about the same pages. Needs FOLDER/questions.jsonl and FOLDER/pdfs.

    uv run python -m benchmarks support-threshold FOLDER
"""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks._report import finish, show
from rag.readers.pdf import Reader, open_document
from rag.types import Coverage, Document, Hit, Page, StoredChunk
from rag.verification import support
from rag.verification.evidence_units import gather

THRESHOLDS = (0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.7, 0.8)
ASKING = re.compile(
    r"\b(?:what|which|whose|who|whom|when|where|why|how many|how much|how long|how)\b"
    r"(?:\s+(?:type of|kind of|\w+)(?=\s+(?:did|was|is|were|are|does|do|has|had)\b))?",
    re.IGNORECASE,
)
Paragraph = tuple[Page, str]


def measure(folder: Path, seed: Annotated[int, typer.Option()] = 7) -> None:
    rng = random.Random(seed)
    lines = (folder / "questions.jsonl").read_text().splitlines()
    questions = [q for q in map(json.loads, lines) if q["answerable"]]
    books = {name: read(folder / "pdfs" / name) for name in {q["doc"] for q in questions}}
    scores: dict[str, list[float]] = {"right": [], "elsewhere": [], "wrong answer": []}
    for question in questions:
        for case, score in judged(question, questions, books[question["doc"]], rng):
            scores[case].append(score)
    report(scores)


def read(path: Path) -> list[Paragraph]:
    with open_document(path, password=None, max_pages=10_000) as document:
        pages = list(Reader(document).pages())
    return [(page, text) for page in pages for text in page.text.split("\n\n") if len(text) > 60]


def judged(
    question: dict[str, Any],
    others: list[dict[str, Any]],
    book: list[Paragraph],
    rng: random.Random,
) -> list[tuple[str, float]]:
    answer = question["answers"][0]
    holds = [p for p in book if answer.casefold() in p[1].casefold()]
    gold = [p for p in holds if p[0].number in question["pages"]][:3]
    rest = [p for p in book if p not in holds]
    if not gold or len(rest) < 10:
        return []
    shown = gold + rng.sample(rest, 10 - len(gold))
    asked, found = question["question"], statement(question["question"], answer)
    cases = [
        ("right", score(found, asked, shown, question["doc"])),
        ("elsewhere", score(found, asked, rng.sample(rest, 10), question["doc"])),
    ]
    if wrong := wrong_answers(question, others):
        lie = statement(asked, rng.choice(wrong))
        cases.append(("wrong answer", score(lie, asked, shown, question["doc"])))
    return cases


def statement(question: str, answer: str) -> str:
    bare = question.strip().rstrip("?").strip()
    found = ASKING.search(bare)
    if found is None:
        return f"{bare} {answer}."
    return f"{bare[: found.start()]}{answer}{bare[found.end() :]}."


def wrong_answers(question: dict[str, Any], others: list[dict[str, Any]]) -> list[str]:
    right = question["answers"][0].casefold()
    near = [
        o for o in others if o["doc"] == question["doc"] and {*o["pages"]} & {*question["pages"]}
    ]
    wrong = [other["answers"][0] for other in near]
    return [w for w in wrong if w.casefold() not in right and right not in w.casefold()]


def score(claim: str, question: str, shown: list[Paragraph], name: str) -> float:
    """The least score of the places that support the claim; 0 if none does."""
    title = name.removesuffix(".pdf").replace("_", " ")
    document = Document(
        name, Path(name), title, "", 0, 0, 1, 1, "en", Coverage(1, 0, 0, ()), {}, ""
    )
    hits, pages = [], {}
    for number, (page, text) in enumerate(shown):
        chunk = StoredChunk(
            str(number),
            name,
            number,
            text,
            title,
            0,
            len(text),
            page.number,
            page.number,
            "text",
            0,
        )
        hits.append(Hit(chunk, document, 1.0, {}))
        pages[name, page.number] = page
    found = support.Judge(gather(hits, pages), question).verdict(claim)
    return min((one.score for one in found.places if found.finding == "supported"), default=0.0)


def report(scores: dict[str, list[float]]) -> None:
    share = {
        case: [sum(s >= t for s in found) / len(found) for t in THRESHOLDS]
        for case, found in scores.items()
    }
    columns = ["threshold", *(f"{case} ({len(found)})" for case, found in scores.items())]
    rows = [[f"{t:.2f}", *(f"{share[c][i]:.3f}" for c in scores)] for i, t in enumerate(THRESHOLDS)]
    show("Share of statements taken as supported", columns, rows)
    finish("support-threshold", {"thresholds": THRESHOLDS, **share})


def main() -> None:
    support.THRESHOLD = min(THRESHOLDS)  # type: ignore[misc]  # so that every score is seen
    typer.run(measure)


if __name__ == "__main__":
    main()
