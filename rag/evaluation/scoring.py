"""A record against its question: the metrics of one question, by name.

A metric that does not apply to a question is absent, so that a mean is over those it applies to.
"""

from __future__ import annotations

from dataclasses import dataclass

from rag.evaluation import metrics
from rag.evaluation.questions import Question
from rag.evaluation.records import Record

CUTOFFS = (1, 5, 10)


@dataclass(frozen=True, slots=True)
class Scoring:
    """`k`: passages retrieved; `budget`: tokens of passages for context coverage."""

    k: int = 10
    budget: int = 1024

    @property
    def cutoffs(self) -> tuple[int, ...]:
        return tuple(sorted({*CUTOFFS, self.k}))

    @property
    def depth(self) -> int:
        """Passages to retrieve: MRR and nDCG look at ten however small k is."""
        return max(self.k, metrics.DEPTH)


def score(question: Question, record: Record, scoring: Scoring) -> dict[str, float]:
    """The metrics that apply: of retrieval for answerable questions, of the answer if given."""
    found = _retrieval(question, record, scoring) if question.answerable else {}
    return found | (_answer(question, record) if record.abstained is not None else {})


def _retrieval(question: Question, record: Record, scoring: Scoring) -> dict[str, float]:
    pages, documents = record.pages, record.documents
    found = {
        f"page_recall@{k}": metrics.recall_at(pages, question.gold, k) for k in scoring.cutoffs
    }
    found |= {
        f"document_recall@{k}": metrics.recall_at(documents, question.gold_documents, k)
        for k in scoring.cutoffs
    }
    found["mrr@10"] = metrics.reciprocal_rank(pages, question.gold)
    found["ndcg@10"] = metrics.ndcg(pages, question.gold)
    if answers := metrics.short_answers(question.answers):
        texts = [passage.text for passage in record.retrieved]
        sizes = [passage.tokens for passage in record.retrieved]
        shown = metrics.within_budget(texts, sizes, scoring.budget)
        found["context_coverage"] = float(any(metrics.holds_answer(t, answers) for t in shown))
    return found


def _answer(question: Question, record: Record) -> dict[str, float]:
    found = {"refusal_correct": float(record.abstained is not question.answerable)}
    if not question.answerable:
        return found
    cited = {(place.doc, place.page) for place in record.citations}
    found["cites_gold_page"] = float(bool(cited & question.gold))
    if answers := metrics.short_answers(question.answers):
        found["answer_match"] = float(metrics.holds_answer(record.answer or "", answers))
    return found
