"""How many arithmetic questions are computed right, without a model.

    uv run python -m benchmarks arithmetic TATQA.json [--questions SET …]

TATQA.json is a part of TAT-QA (its authors' form): each table is drawn on a page of a PDF with its
paragraphs, read by the product's reader, and its questions are put to that page. "Right" is the
number, to a unit of its second decimal; "and scale" that percent, thousands, millions are right
too. "Wrong" were computed and are not right. The rules were chosen on the tables of even number:
the odd ones are the measure. Of the other questions (spans, counts) those are counted for which a
computation is shown. SET is a questions.jsonl, its PDFs in pdfs/ beside it: of its questions, those
that a computation is shown for on the pages that hold the answer are counted as well.
"""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import typer

from benchmarks._report import finish, show, tell
from benchmarks._table_pages import page_texts
from rag.arithmetic.computation import computed
from rag.arithmetic.question import wanted
from rag.evaluation.questions import read_questions

_SCALES: Final = {"thousand": 3, "million": 6, "billion": 9}
_NEAR: Final = 0.0051  # the set's answers have two decimals
Outcome = Literal["right", "wrong", "missing", "none"]


@dataclass(frozen=True, slots=True)
class Case:
    """A question, its table's number and what became of it."""

    table: int
    kind: str  # the set's answer_type
    operation: str
    outcome: Outcome
    scaled: bool = False
    operands: bool = False  # every operand that is shown has its place


def judged(question: dict[str, Any], table: int, texts: Sequence[str]) -> Case:
    found, asked = computed(question["question"], texts), wanted(question["question"])
    operation = asked.operation if asked else "–"
    kind = question["answer_type"]
    if found is None:
        return Case(table, kind, operation, "none")
    placed = all(texts[f.source][f.start : f.end] == f.written for f in found.figures)
    if found.result is None:
        return Case(table, kind, operation, "missing", operands=placed)
    result = found.result
    try:
        wrong = abs(float(result.rounded) - float(question["answer"])) > _NEAR
    except (TypeError, ValueError):  # a span
        wrong = True
    percent = question["scale"] == "percent"
    scaled = percent == (result.unit == "%") and _SCALES.get(question["scale"], 0) == result.scale
    return Case(table, kind, operation, "wrong" if wrong else "right", scaled and not wrong, placed)


def cases(part: Sequence[dict[str, Any]]) -> Iterator[Case]:
    with tempfile.TemporaryDirectory() as folder:
        for number, entry in enumerate(part):
            if number % 50 == 0:
                tell(f"table {number} of {len(part)}")
            paragraphs = [paragraph["text"] for paragraph in entry["paragraphs"]]
            path = Path(folder) / f"{number}.pdf"
            texts = page_texts(paragraphs, entry["table"]["table"], path)
            for question in entry["questions"]:
                yield judged(question, number, texts)


def percent(count: int, total: int) -> float:
    return round(100 * count / total, 1) if total else 0.0


def told(found: Sequence[Case]) -> dict[str, float]:
    """The figures of one half."""
    asked = [case for case in found if case.kind == "arithmetic"]
    others = [case for case in found if case.kind not in ("arithmetic", "count")]
    counts = [case for case in found if case.kind == "count"]
    outcomes = Counter(case.outcome for case in asked)
    shown = [case for case in found if case.outcome != "none"]
    return {
        "questions": len(asked),
        "right": percent(outcomes["right"], len(asked)),
        "right_and_scale": percent(sum(case.scaled for case in asked), len(asked)),
        "wrong": percent(outcomes["wrong"], len(asked)),
        "missing": percent(outcomes["missing"], len(asked)),
        "without_operands": sum(not case.operands for case in shown),
        "others": len(others),
        "others_computed": sum(case.outcome in ("right", "wrong") for case in others),
        "counts": len(counts),
        "counts_right": sum(case.outcome == "right" for case in counts),
        "counts_wrong": sum(case.outcome == "wrong" for case in counts),
    }


def false_alarms(questions: Path) -> dict[str, int]:
    """Of a question set: whose words want arithmetic, and what is shown on its own pages."""
    from rag.readers.pdf import Reader, open_document

    asked = list(read_questions(questions))
    wanting = [q for q in asked if wanted(q.question)]
    computing = missing = 0
    for question in wanting:
        texts = []
        for name in sorted(question.documents or {doc for doc, _ in question.gold}):
            path = questions.parent / "pdfs" / name
            with open_document(path, password=None, max_pages=1000) as document:
                numbers = {page for doc, page in question.gold if doc == name}
                pages = list(Reader(document).pages())
                texts += [p.text for p in pages if not numbers or p.number in numbers]
        found = computed(question.question, texts)
        computing += found is not None and found.result is not None
        missing += found is not None and found.result is None
        if found:
            tell(f"{question.question} → {found.result or found.missing}")
    return {
        "questions": len(asked), "words": len(wanting), "computed": computing, "missing": missing,
    }  # fmt: skip


def measure(
    file: Path,
    questions: Annotated[list[Path] | None, typer.Option(help="questions.jsonl")] = None,
) -> None:
    found = list(cases(json.loads(file.read_text(encoding="utf-8"))))
    halves = {
        "even tables": [case for case in found if case.table % 2 == 0],
        "odd tables": [case for case in found if case.table % 2],
        "all": found,
    }
    results: dict[str, Any] = {name: told(half) for name, half in halves.items()}
    columns = list(results["all"])
    show(
        "Arithmetic questions, %; the rest as counts",
        ["tables", *(name.replace("_", " ") for name in columns)],
        [[name, *(results[name][key] for key in columns)] for name in halves],
    )
    by_operation = Counter(
        (case.operation, case.outcome) for case in halves["odd tables"] if case.kind == "arithmetic"
    )
    outcomes: tuple[Outcome, ...] = ("right", "wrong", "missing", "none")
    operations = sorted({operation for operation, _ in by_operation})
    show(
        "Odd tables by operation",
        ["operation", *outcomes],
        [[name, *(by_operation[name, outcome] for outcome in outcomes)] for name in operations],
    )
    alarms = {path.parent.name: false_alarms(path) for path in questions or ()}
    if alarms:
        rows = [[name, *counts.values()] for name, counts in alarms.items()]
        show("Other sets", ["set", "questions", "words want it", "computed", "missing"], rows)
    finish("arithmetic", {**results, "sets": alarms})


def main() -> None:
    typer.run(measure)


if __name__ == "__main__":
    main()
