"""What a model is given, and what its answers are worth: whole passages, or the nearest sentences.

    uv run python -m benchmarks prompts write QUESTIONS --home HOME --collection NAME --out PROMPTS
    uv run python -m benchmarks prompts ask PROMPTS --out ANSWERS    # the model of the settings
    uv run python -m benchmarks prompts report PROMPTS ANSWERS

QUESTIONS is a questions.jsonl (`rag eval`), whose documents are in the collection. PROMPTS has a
line a question and prompt, with the passages that its answer is checked against; ANSWERS is an
object from each line's id to {text, prompt_tokens}, which another program may write as well (a
larger model on a GPU). Refusing before the model is asked, quotes and history are left out.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks._report import finish, show, tell
from benchmarks.quotes import holds_answer
from benchmarks.verifier.examples import evidence_of
from rag.answering.prompting import Budget, build_prompt
from rag.answering.quotes_first import nearest
from rag.answering.sentence_prompt import sentence_prompt
from rag.compute.mlx_runtime import MLXThread
from rag.config import Settings, load_settings
from rag.engines.base import Engine, open_engine
from rag.evaluation.bootstrap import Interval, bootstrap_ratio
from rag.evaluation.questions import Question, read_questions
from rag.pipeline import Pipeline, open_pipeline
from rag.types import Message
from rag.verification.base import ClaimText, Verifier
from rag.verification.citation_markers import strip_markers
from rag.verification.lead_ins import claim_text
from rag.verification.refusal_detection import is_refusal
from rag.verification.segmentation import statements
from rag.verifiers.factory import open_verifier

_BUDGET = Budget(6000, 6000, lambda messages: sum(len(m.content) for m in messages) // 4)
_TOKENS = 200  # of an answer
_TOGETHER = 6  # prompts


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parts = parser.add_subparsers(dest="part", required=True)
    writing = parts.add_parser("write")
    writing.add_argument("questions", type=Path)
    writing.add_argument("--home", type=Path, required=True)
    writing.add_argument("--collection", required=True)
    writing.add_argument("--out", type=Path, required=True)
    asking = parts.add_parser("ask")
    asking.add_argument("prompts", type=Path)
    asking.add_argument("--out", type=Path, required=True)
    reporting = parts.add_parser("report")
    reporting.add_argument("prompts", type=Path)
    reporting.add_argument("answers", type=Path)
    given = parser.parse_args()
    if given.part == "write":
        asyncio.run(write(given.questions, given.home, given.collection, given.out))
    elif given.part == "ask":
        asyncio.run(ask(given.prompts, given.out))
    else:
        finish("prompts", report(given.prompts, json.loads(given.answers.read_text("utf-8"))))


async def write(questions: Path, home: Path, collection: str, out: Path) -> None:
    """A line for each answerable question and prompt."""
    asked = [one for one in read_questions(questions) if one.answerable]
    async with open_pipeline(load_settings(home=home, collection=collection)) as pipeline:
        with out.open("w", encoding="utf-8") as file:
            for question in asked:
                for line in await prompts_of(pipeline, question):
                    file.write(json.dumps(line, ensure_ascii=False) + "\n")


async def prompts_of(pipeline: Pipeline, question: Question) -> list[dict[str, Any]]:
    found = await pipeline.search(question.question, question.history)
    match = await nearest(found, pipeline)
    passages = build_prompt(question.question, [], found.hits, _BUDGET)
    sentences = sentence_prompt(question.question, [], match, _BUDGET)
    shared = {
        "question": question.question,
        "answers": list(question.answers),
        "cluster": question.cluster,
        "passages": [hit.chunk.text for hit in passages.hits],
    }
    return [
        shared | {"id": f"{question.id} {kind}", "prompt": kind, "messages": _as_json(messages)}
        for kind, messages in (
            ("passages", passages.messages),
            ("sentences", sentences.messages if sentences else passages.messages),
        )
    ]


def _as_json(messages: Sequence[Message]) -> list[dict[str, str]]:
    return [{"role": message.role, "content": message.content} for message in messages]


async def ask(prompts: Path, out: Path) -> None:
    """The answers of the chat model of the settings, some at once."""
    engine = await open_engine(Settings(), MLXThread(), notify=tell)
    answers: dict[str, Any] = {}
    places = asyncio.Semaphore(_TOGETHER)

    async def one(row: dict[str, Any]) -> None:
        async with places:
            answers[row["id"]] = await _answer(engine, [Message(**m) for m in row["messages"]])
        if len(answers) % 50 == 0:
            tell(f"{len(answers)} answers")

    await asyncio.gather(*map(one, _lines(prompts)))
    await engine.close()
    out.write_text(json.dumps(answers), encoding="utf-8")


async def _answer(engine: Engine, messages: list[Message]) -> dict[str, Any]:
    text = ""
    async with aclosing(engine.stream(messages, max_tokens=_TOKENS, temperature=0.0)) as pieces:
        async for piece in pieces:
            text = ("" if piece.restart else text) + piece.text
    return {"text": text, "prompt_tokens": engine.count_tokens(messages)}


# ── what they are worth ───────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Judged:
    """`verified` is the share of its claims that the passages support, 0 where it refused."""

    cluster: str
    tokens: int
    held: bool
    refused: bool
    verified: float

    @property
    def cited(self) -> bool:
        """Whether all that it says is supported."""
        return self.verified == 1


_FIGURES: Final[Mapping[str, Callable[[Judged], float]]] = {
    "expected words": lambda one: one.held,
    "refused": lambda one: one.refused,
    "claims verified": lambda one: one.verified,
    "verified and right": lambda one: one.cited and one.held,
    "verified and wrong": lambda one: one.cited and not one.held,
}


def report(prompts: Path, answers: dict[str, Any]) -> dict[str, Any]:
    verifier = open_verifier(Settings(), MLXThread())
    judged: dict[str, list[Judged]] = {}
    for row in _lines(prompts):
        if (answer := answers.get(row["id"])) is not None:
            judged.setdefault(row["prompt"], []).append(_judged(row, answer, verifier))
    found: dict[str, Any] = {}
    for kind, own in judged.items():
        tokens = sum(one.tokens for one in own) / len(own)
        found[kind] = {"questions": len(own), "tokens": round(tokens)}
        for name, figure in _FIGURES.items():
            shares = [100.0 * figure(one) for one in own]
            found[kind][name] = _share(bootstrap_ratio([one.cluster for one in own], shares))
    columns = ["questions", "tokens", *_FIGURES]
    rows = [[kind, *(values[column] for column in columns)] for kind, values in found.items()]
    show("Prompts, % [95%]", ["prompt", *columns], rows)
    return found


def _share(found: Interval | None) -> str:
    return f"{found.value:.1f} [{found.low:.0f}, {found.high:.0f}]" if found else "–"


def _judged(row: dict[str, Any], answer: dict[str, Any], verifier: Verifier) -> Judged:
    text = strip_markers(answer["text"]).text
    known = Question(
        row["id"], row["question"], (), tuple(row["answers"]), frozenset(), answerable=True,
        cluster=row["cluster"], scope=None, in_text=None,
    )  # fmt: skip
    refused = is_refusal(text)
    said = [claim_text(text[s.start : s.end]) for s in statements(text)]
    claims = [ClaimText(each) for each in said if each.strip() and not each.endswith("?")]
    verdicts = verifier.verify(claims, evidence_of(row["passages"]), row["question"])
    share = sum(v.finding == "supported" for v in verdicts) / max(1, len(verdicts))
    held = holds_answer(known, text) and not refused
    return Judged(row["cluster"], answer["prompt_tokens"], held, refused, 0.0 if refused else share)


def _lines(file: Path) -> Iterator[dict[str, Any]]:
    for line in file.read_text(encoding="utf-8").splitlines():
        yield json.loads(line)


if __name__ == "__main__":
    main()
