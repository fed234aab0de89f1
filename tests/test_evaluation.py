"""`rag eval` from a file of questions to figures, run files, comparisons and drafts."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pdf_factory import text_pdf
from typer.testing import CliRunner, Result

from cli.main import create_cli
from rag.config import Settings
from rag.errors import DocumentNotFound, InvalidQuestionSet
from rag.evaluation.compare import compare, mcnemar
from rag.evaluation.draft import draft_questions, parse_reply
from rag.evaluation.questions import Question, parse_questions, read_questions
from rag.evaluation.records import Record, RetrievedPassage
from rag.evaluation.run import MeasuredPipeline, require_documents, run_questions
from rag.evaluation.scoring import Scoring, score
from rag.evaluation.summary import Base, RunSummary, summarise
from rag.pipeline import Pipeline, open_pipeline
from rag.runtime import Runtime
from rag.testing import FakeEmbedder, FakeEngine
from rag.types import Message

LINE = {"id": "1", "question": "Who?", "answers": ["Ada"], "doc": "a.pdf", "pages": [2]}


def parse(*lines: dict[str, Any]) -> list[Question]:
    return list(parse_questions([json.dumps(line) for line in lines]))


# ── questions ─────────────────────────────────────────────────────────────────────────────────


def test_the_fields_of_the_format_are_read() -> None:
    history = [{"role": "user", "content": "Before?"}]
    gold = [{"doc": "a.pdf", "pages": [1, 2]}, {"doc": "b.pdf", "pages": [7]}]
    flags = {"scope": "doc", "text_only": True, "has_text": False}
    (question,) = parse({**LINE, **flags, "history": history, "gold": gold, "unknown": 1})
    assert question.gold == {("a.pdf", 1), ("a.pdf", 2), ("b.pdf", 7)}
    assert question.history == (Message("user", "Before?"),)
    assert (question.scope, question.in_text, question.cluster) == ("a.pdf", False, "a.pdf")


def test_an_unanswerable_question_has_no_gold_and_may_name_no_document() -> None:
    named, unnamed = parse(
        {**LINE, "answerable": False}, {"id": "2", "question": "Why?", "answerable": False}
    )
    assert (named.gold, named.cluster) == (frozenset(), "a.pdf")
    assert (unnamed.gold, unnamed.cluster, unnamed.in_text) == (frozenset(), "2", None)


@pytest.mark.parametrize(
    ("second", "told"),
    [
        ("{nonsense", "line 3 is no JSON"),
        (json.dumps({**LINE, "id": "2", "pages": [0]}), "line 3: pages.0"),
        (json.dumps({**LINE, "id": "2", "pages": []}), "needs doc and pages"),
        (json.dumps({**LINE, "id": "2", "question": " "}), "line 3: question"),
        (json.dumps(LINE), "'1' stands in line 1 already"),
        ("[]", "line 3"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, second: str, told: str) -> None:
    file = tmp_path / "questions.jsonl"
    file.write_text(f"{json.dumps(LINE)}\n\n{second}\n")
    with pytest.raises(InvalidQuestionSet, match=told):
        read_questions(file)


def test_no_file_and_no_questions_are_errors(tmp_path: Path) -> None:
    with pytest.raises(InvalidQuestionSet, match="cannot be read"):
        read_questions(tmp_path / "none.jsonl")
    (tmp_path / "empty.jsonl").write_text("\n")
    with pytest.raises(InvalidQuestionSet, match="no questions"):
        read_questions(tmp_path / "empty.jsonl")


# ── scores and comparisons ────────────────────────────────────────────────────────────────────


def record(id_: str, pages: Sequence[int], **answer: Any) -> Record:
    found = tuple(RetrievedPassage("a.pdf", page, f"Ada on page {page}.", 100) for page in pages)
    return Record(id_, found, 0.5, 1.0, 2.0, **answer)


def test_scores_of_one_question() -> None:
    (question,) = parse(LINE)
    found = score(question, record("1", [5, 2, 2]), Scoring(k=20))
    assert found["page_recall@1"] == 0
    assert found["page_recall@5"] == found["page_recall@20"] == found["document_recall@1"] == 1
    assert found["mrr@10"] == 0.5
    assert found["context_coverage"] == 1
    assert "refusal_correct" not in found  # nobody answered


def test_an_unanswerable_question_counts_only_for_refusal() -> None:
    (question,) = parse({**LINE, "answerable": False})
    assert score(question, record("1", [2]), Scoring()) == {}
    refused = record("1", [2], abstained=True, answer="They do not say.")
    assert score(question, refused, Scoring()) == {"refusal_correct": 1.0}


def run_of(found: Sequence[bool]) -> RunSummary:
    """A run over 200 questions about 20 documents, which finds the page where `found` says so."""
    questions = parse(*({**LINE, "id": str(n), "doc": f"{n % 20}.pdf"} for n in range(len(found))))
    records = []
    for question, hit in zip(questions, found, strict=True):
        passage = RetrievedPassage(question.cluster, 2 if hit else 3, "text", 10)
        run = Record(question.id, (passage,), None, 1.0, 1.0)
        records.append(replace(run, metrics=score(question, run, Scoring())))
    return summarise(questions, records)


def test_a_real_regression_is_told_and_noise_is_not() -> None:
    base = run_of([n % 4 != 0 for n in range(200)])
    earlier = Base(base.clusters, base.scores)
    assert not compare(earlier, base).regressions
    noise = run_of([n % 4 != 0 if n not in {0, 5, 8, 13} else n % 4 == 0 for n in range(200)])
    assert not compare(earlier, noise).regressions
    worse = run_of([n % 4 != 0 and n % 7 != 0 for n in range(200)])
    metrics = {difference.metric for difference in compare(earlier, worse).regressions}
    assert {"page_recall@1", "mrr@10"} <= metrics
    assert "document_recall@1" not in metrics


def test_questions_about_absent_documents_are_counted_apart() -> None:
    questions = parse(
        LINE, {**LINE, "id": "2", "doc": "gone.pdf"}, {**LINE, "id": "3", "answerable": False}
    )
    records = [record("1", [2]), record("2", [9]), record("3", [2])]
    scored = [
        replace(r, metrics=score(q, r, Scoring())) for q, r in zip(questions, records, strict=True)
    ]
    found = summarise(questions, scored, missing=["gone.pdf"])
    assert (found.questions, found.answerable, found.absent) == (3, 2, 1)
    assert found.groups["all"]["page_recall@1"].value == 1
    assert found.groups["all"]["page_recall@1"].n == 1
    assert "2" not in found.scores


@pytest.mark.parametrize(
    ("base", "new", "p"),
    [
        ([1, 1, 0], [1, 1, 0], 1.0),
        ([1] * 5, [0] * 5, 2 / 2**5),  # all five turned one way
        ([1] * 6 + [0] * 2, [0] * 6 + [1] * 2, 2 * (1 + 8 + 28) / 2**8),
        ([1, 0], [0, 1], 1.0),
        ([0.5, 1], [1, 1], None),
    ],
)
def test_mcnemar(base: list[float], new: list[float], p: float | None) -> None:
    assert mcnemar(base, new) == (None if p is None else pytest.approx(p))


def test_questions_of_only_one_run_are_counted_not_compared() -> None:
    base, new = run_of([True] * 40), run_of([True] * 30)
    comparison = compare(Base(base.clusters, base.scores), new)
    assert (comparison.shared, comparison.only_base, comparison.only_new) == (30, 10, 0)
    with pytest.raises(InvalidQuestionSet, match="share no question"):
        compare(Base({}, {}), new)


def test_figures_in_text_are_apart_where_a_set_marks_them() -> None:
    marks = {"text_only": True, "has_text": True}
    questions = parse({**LINE, **marks}, {**LINE, "id": "2", "text_only": False, "has_text": True})
    records = [record("1", [2]), record("2", [9])]
    scored = [
        replace(r, metrics=score(q, r, Scoring())) for q, r in zip(questions, records, strict=True)
    ]
    groups = summarise(questions, scored).groups
    assert groups["all"]["page_recall@1"].value == 0.5
    assert groups["in_text"]["page_recall@1"].value == 1
    assert groups["in_text"]["page_recall@1"].n == 1


# ── through a pipeline ────────────────────────────────────────────────────────────────────────

FACTS = {
    "harbour.pdf": ["The harbour crane lifts 40 tonnes.", "The lighthouse was built in 1871."],
    "orchard.pdf": ["The orchard grows quince and medlar.", "Its cider press came from Rouen."],
}
QUESTIONS = [
    {"id": "q1", "question": "How much does the harbour crane lift?", "answers": ["40 tonnes"],
     "doc": "harbour.pdf", "pages": [1]},
    {"id": "q2", "question": "Where did the cider press come from?", "answers": ["Rouen"],
     "doc": "orchard.pdf", "pages": [2], "scope": "doc"},
    {"id": "q3", "question": "Who painted the ceiling?", "answerable": False},
]  # fmt: skip


def runtime_for(settings: Settings) -> Runtime:
    engine = FakeEngine(["The documents do not say.", "The crane lifts 40 tonnes. [1]"])
    return Runtime(settings, embedder=FakeEmbedder(), engine=engine)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory, shared_cache: Path) -> Settings:
    """A home with a collection of FACTS, made once: the tests only read it."""
    home = tmp_path_factory.mktemp("evaluation")
    settings = Settings(home=home, cache=shared_cache, workers=1)
    (home / "pdfs").mkdir()
    for name, pages in FACTS.items():
        text_pdf(home / "pdfs" / name, pages)

    async def ingest() -> None:
        async with opened(settings) as pipeline, aclosing(pipeline.ingest([home / "pdfs"])) as all_:
            async for _ in all_:
                pass

    asyncio.run(ingest())
    return settings


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Pipeline]:
    runtime = runtime_for(settings)
    async with open_pipeline(settings, runtime) as pipeline:
        yield pipeline
    await runtime.close()


@pytest.fixture
async def pipeline(settings: Settings) -> AsyncIterator[Pipeline]:
    """Its fake engine refuses, then answers, in turn."""
    async with opened(settings) as pipeline:
        yield pipeline


async def test_a_run_finds_the_pages_times_the_halves_and_embeds_once(pipeline: Pipeline) -> None:
    measured = MeasuredPipeline(pipeline.settings, pipeline.runtime)
    questions = parse(*QUESTIONS)
    first = [record async for record in run_questions(measured, questions, Scoring())]
    again = [record async for record in run_questions(measured, questions, Scoring())]
    measured.close()
    assert [r.id for r in first] == ["q1", "q2", "q3"]
    assert all(r.metrics["page_recall@1"] == 1 for r in first[:2])
    assert {p.doc for p in first[1].retrieved} == {"orchard.pdf"}  # its scope
    assert all(r.embed_ms > 0 and r.search_ms > 0 for r in first)
    assert all(r.embed_ms == 0 for r in again)
    assert [r.pages for r in first] == [r.pages for r in again]
    assert {r.likely for r in first} == {None}  # the rule does not know the fake embedder


async def test_documents_that_are_not_there_are_named(pipeline: Pipeline) -> None:
    known, unknown = parse(QUESTIONS[0], {**LINE, "doc": "gone.pdf", "scope": "doc"})
    assert await require_documents(pipeline, [known, unknown]) == ["gone.pdf"]
    with pytest.raises(DocumentNotFound, match=r"gone\.pdf"):
        await require_documents(pipeline, [unknown])
    measured = MeasuredPipeline(pipeline.settings, pipeline.runtime)
    (found,) = [r async for r in run_questions(measured, [unknown], Scoring())]
    measured.close()
    assert found.metrics["page_recall@10"] == 0


async def test_a_draft_is_kept_only_if_its_page_answers_it(settings: Settings) -> None:
    def model(messages: Sequence[Message]) -> str:
        prompt = messages[-1].content
        if "Question:" in prompt:  # the check: right about the harbour, wrong about the orchard
            return "40 tonnes" if "crane" in prompt else "I do not know"
        if "crane" in prompt:
            fields = {"question": "How much can the harbour crane lift?", "answer": "40 tonnes"}
        else:
            fields = {"question": "Where does the cider press stand?", "answer": "Paris"}
        return json.dumps(fields)

    runtime = Runtime(settings, embedder=FakeEmbedder(), engine=FakeEngine(model))
    async with open_pipeline(settings, runtime) as pipeline:
        tries = [draft async for draft in draft_questions(pipeline, 3, min_tokens=1)]
    await runtime.close()
    drafts = [draft for draft in tries if draft is not None]
    assert len(tries) == 4  # one a page
    assert [(d.doc, d.pages, d.answers, d.rank) for d in drafts] == [
        ("harbour.pdf", (1,), ("40 tonnes",), 1)
    ]
    line = drafts[0].to_json()
    assert line["review"] is True
    assert parse(line)[0].gold == {("harbour.pdf", 1)}


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("How much does the big harbour crane lift?", "50 tonnes"),  # not in the passage
        ("Does the harbour crane lift 40 tonnes today?", "40 tonnes"),  # gives it away
        ("What does it do?", "40 tonnes"),  # means nothing by itself
        ("What does the passage say the crane lifts?", "40 tonnes"),  # points at its page
        ("How much does the big harbour crane lift?", ""),
    ],
)
def test_useless_drafts_are_dropped(question: str, answer: str) -> None:
    reply = json.dumps({"question": question, "answer": answer})
    assert parse_reply(reply, "The harbour crane lifts 40 tonnes.") is None
    assert parse_reply("no JSON", "text") is None


# ── the command ───────────────────────────────────────────────────────────────────────────────


def rag(settings: Settings, *args: object) -> Result:
    cli = create_cli(runtime_factory=runtime_for)
    words = ["--home", str(settings.home), "eval", *map(str, args)]
    return CliRunner().invoke(cli, words)


def test_the_command_writes_everything_and_compares(settings: Settings, tmp_path: Path) -> None:
    file, out, run = tmp_path / "q.jsonl", tmp_path / "out", tmp_path / "run.jsonl"
    file.write_text("\n".join(map(json.dumps, QUESTIONS)))
    args = (file, "--answers", "--parallel", 1, "--out", out, "--run-file", run)
    result = rag(settings, *args)
    assert result.exit_code == 0, result.output
    assert "page_recall@1" in result.stdout
    assert "refusal precision" in result.stdout
    lines = [json.loads(line) for line in run.read_text().splitlines()]
    assert all(
        set(line) == {"id", "retrieved", "answer", "citations", "abstained"} for line in lines
    )
    assert [line["abstained"] for line in lines] == [True, False, True]
    assert (out / "questions.jsonl").read_text().count("\n") == 3

    summary = json.loads((out / "summary.json").read_text())
    assert summary["refusal"]["precision"]["value"] == 0.5
    same = rag(settings, file, "--compare", out / "summary.json", "--json")
    assert same.exit_code == 0, same.output
    assert json.loads(same.stdout)["comparison"]["regressions"] == []


def test_the_command_fails_on_a_regression(settings: Settings, tmp_path: Path) -> None:
    """Against a base that found every page, questions whose page is wrong are a regression."""
    lines = [{**QUESTIONS[0], "id": str(n), "pages": [9]} for n in range(20)]
    file, base = tmp_path / "q.jsonl", tmp_path / "base.json"
    file.write_text("\n".join(map(json.dumps, lines)))
    ids = [str(n) for n in range(20)]
    scores = {id_: {"page_recall@10": 1.0} for id_ in ids}
    clusters = dict.fromkeys(ids, "harbour.pdf")
    base.write_text(json.dumps({"format": 1, "clusters": clusters, "scores": scores}))
    result = rag(settings, file, "--compare", base)
    assert result.exit_code == 1
    assert "worse beyond the interval: page_recall@10" in result.stderr


def test_wrong_uses_are_told(settings: Settings, tmp_path: Path) -> None:
    assert rag(settings).exit_code == 2
    (tmp_path / "there.jsonl").write_text("")
    assert rag(settings, tmp_path / "there.jsonl", "--make", 3).exit_code == 2
    (tmp_path / "q.jsonl").write_text(json.dumps(LINE))
    (tmp_path / "base.json").write_text("{}")
    result = rag(settings, tmp_path / "q.jsonl", "--compare", tmp_path / "base.json")
    assert result.exit_code == 1
    assert "no summary of a run" in result.stderr


def test_the_rule_that_refuses_is_measured_at_the_threshold_in_use() -> None:
    lines = [{**LINE, "id": f"q{n}", "answerable": n < 3} for n in range(6)]
    questions = parse(*lines)
    likely = [0.9, 0.8, 0.05, 0.2, 0.04, 0.01]
    records = [
        replace(record(question.id, [2]), likely=value)
        for question, value in zip(questions, likely, strict=True)
    ]
    rule = summarise(questions, records, threshold=0.1).answerability
    assert rule is not None
    assert rule.auroc.value == pytest.approx(8 / 9)
    assert (rule.shipped.recall, rule.shipped.kept) == (pytest.approx(2 / 3), pytest.approx(2 / 3))
    unjudged = [replace(each, likely=None) for each in records]
    assert summarise(questions, unjudged, threshold=0.1).answerability is None
