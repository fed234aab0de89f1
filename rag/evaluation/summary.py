"""All records of a run in one object: what `rag eval` prints, and what `--compare` reads."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Self

from rag.errors import InvalidQuestionSet
from rag.evaluation.bootstrap import Interval, bootstrap_ratio, bootstrap_statistic
from rag.evaluation.metrics import RefusalPoint, auroc, refusal_curve, refusal_point
from rag.evaluation.questions import Question
from rag.evaluation.records import Record, percentile

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Answerability:
    """How well the rule that refuses tells answerable questions from the others: its area, its
    curve, and the point of the threshold in use."""

    auroc: Interval
    curve: tuple[RefusalPoint, ...]
    shipped: RefusalPoint


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds."""

    median: float
    p95: float


@dataclass(frozen=True, slots=True)
class RunSummary:
    """A run's figures. `groups` maps "all" and, where the set marks them, "in_text" (questions
    whose answer stands in plain text) to metrics by name. `absent` counts answerable questions of
    which no document is in the index: retrieval cannot find them, so no group has them. `scores`
    maps each question's id to its own metrics, which a later comparison pairs up."""

    questions: int
    answerable: int
    absent: int
    groups: Mapping[str, Mapping[str, Interval]]
    refusal: Mapping[str, Interval]
    answerability: Answerability | None
    latency_ms: Mapping[str, Latency]
    errors: int
    clusters: Mapping[str, str]
    scores: Mapping[str, Mapping[str, float]]
    missing_documents: tuple[str, ...] = ()
    setup: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {"format": FORMAT, **asdict(self)}

    def write(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(self.to_json(), indent=1, ensure_ascii=False) + "\n", "utf-8")


@dataclass(frozen=True, slots=True)
class Base:
    """What a comparison needs of an earlier run's summary."""

    clusters: Mapping[str, str]
    scores: Mapping[str, Mapping[str, float]]

    @classmethod
    def read(cls, path: Path) -> Self:
        """Raises InvalidQuestionSet for a file that `rag eval --out` did not write."""
        try:
            data = json.loads(path.read_text("utf-8"))
            if data["format"] != FORMAT:
                raise InvalidQuestionSet(f"{path} has format {data['format']}, not {FORMAT}")
            return cls(data["clusters"], data["scores"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InvalidQuestionSet(
                f"{path} is no summary of a run: {error}",
                hint="Make one with: rag eval QUESTIONS --out DIR (then DIR/summary.json).",
            ) from error


def summarise(
    questions: Sequence[Question],
    records: Sequence[Record],
    *,
    threshold: float = 0.0,
    missing: Sequence[str] = (),
    setup: Mapping[str, Any] | None = None,
) -> RunSummary:
    """The figures of a run; `records` answer to `questions` by id, `threshold` is the one below
    which an answer is refused."""
    by_id = {record.id: record for record in records}
    pairs = [(q, by_id[q.id]) for q in questions if q.id in by_id]
    there = [pair for pair in pairs if not _is_absent(pair[0], missing)]
    return RunSummary(
        questions=len(pairs),
        answerable=sum(question.answerable for question, _ in pairs),
        absent=len(pairs) - len(there),
        groups=_groups(there),
        refusal=_refusal(there),
        answerability=_answerability(there, threshold),
        latency_ms=_latency([record for _, record in pairs]),
        errors=sum(record.error is not None for _, record in pairs),
        clusters={question.id: question.cluster for question, _ in pairs},
        scores={record.id: dict(record.metrics) for _, record in there},
        missing_documents=tuple(missing),
        setup=setup or {},
    )


def _is_absent(question: Question, missing: Sequence[str]) -> bool:
    gold = question.gold_documents
    return question.answerable and bool(gold) and gold <= set(missing)


Pairs = Sequence[tuple[Question, Record]]


def _groups(pairs: Pairs) -> dict[str, dict[str, Interval]]:
    groups = {"all": _means(pairs)}
    if any(question.in_text is not None for question, _ in pairs):
        groups["in_text"] = _means([pair for pair in pairs if pair[0].in_text])
    return groups


def _means(pairs: Pairs) -> dict[str, Interval]:
    names = dict.fromkeys(name for _, record in pairs for name in record.metrics)
    means = {name: _mean(name, pairs) for name in names}
    return {name: interval for name, interval in means.items() if interval is not None}


def _mean(name: str, pairs: Pairs) -> Interval | None:
    scored = [(q.cluster, r.metrics[name]) for q, r in pairs if name in r.metrics]
    return bootstrap_ratio([cluster for cluster, _ in scored], [value for _, value in scored])


def _refusal(pairs: Pairs) -> dict[str, Interval]:
    """Precision and recall of refusing, the unanswerable being positive; empty without answers."""
    answered = [(q, bool(r.abstained)) for q, r in pairs if r.abstained is not None]
    clusters = [question.cluster for question, _ in answered]
    refused = [float(abstained) for _, abstained in answered]
    positive = [float(not question.answerable) for question, _ in answered]
    right = [a * b for a, b in zip(refused, positive, strict=True)]
    found = {
        "precision": bootstrap_ratio(clusters, right, refused),
        "recall": bootstrap_ratio(clusters, right, positive),
    }
    return {name: interval for name, interval in found.items() if interval is not None}


def _answerability(pairs: Pairs, threshold: float) -> Answerability | None:
    """None where nothing was judged, or only one kind of question is there."""
    judged = [(q, r.likely) for q, r in pairs if r.likely is not None]
    scores, answerable = [likely for _, likely in judged], [q.answerable for q, _ in judged]
    area = bootstrap_statistic([q.cluster for q, _ in judged], partial(auroc, scores, answerable))
    curve = refusal_curve(scores, answerable)
    if area is None or not curve:
        return None
    return Answerability(area, tuple(curve), refusal_point(scores, answerable, threshold))


def _latency(records: Sequence[Record]) -> dict[str, Latency]:
    times = {
        "embed": [record.embed_ms for record in records if record.embed_ms > 0],
        "search": [record.search_ms for record in records],
        "answer": [record.answer_ms for record in records if record.answer_ms is not None],
    }
    return {name: latency for name, ms in times.items() if (latency := latency_of(ms))}


def latency_of(milliseconds: Sequence[float]) -> Latency | None:
    median, p95 = percentile(milliseconds, 0.5), percentile(milliseconds, 0.95)
    return Latency(median, p95) if median is not None and p95 is not None else None
