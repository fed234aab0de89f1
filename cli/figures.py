"""The figures of `rag eval` as tables for people."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from cli.terminal import out, table

if TYPE_CHECKING:
    from rag.evaluation.bootstrap import Interval
    from rag.evaluation.compare import Comparison
    from rag.evaluation.summary import RunSummary


def show_summary(summary: RunSummary) -> None:
    console = out()
    groups = list(summary.groups)
    columns = [column for group in groups for column in (group, "n")]
    shown = table(console, "metric", *columns, right=(*groups, "n"))
    for name in summary.groups["all"]:
        found = [summary.groups[group].get(name) for group in groups]
        shown.add_row(name, *(cell for each in found for cell in (_cell(each), _count(each))))
    for name, interval in summary.refusal.items():
        shown.add_row(f"refusal {name}", _cell(interval), _count(interval))
    if (rule := summary.answerability) is not None:
        shown.add_row("AUROC of the refusal rule", _cell(rule.auroc), _count(rule.auroc))
        at = f"at {rule.shipped.threshold:g}"
        shown.add_row(f"unanswerable refused {at}", f"{100 * rule.shipped.recall:.1f}")
        shown.add_row(f"answerable kept {at}", f"{100 * rule.shipped.kept:.1f}")
    console.print(shown)
    asked, answerable = summary.questions - summary.absent, summary.answerable - summary.absent
    counts = f"{asked} questions, {answerable} answerable"
    failed = f", {summary.errors} without an answer" if summary.errors else ""
    console.print(f"{counts}{failed}. In percent, with 95% intervals over documents.")
    if summary.absent:
        console.print(
            f"{summary.absent} more are about documents that are not in the index: not counted."
        )
    for line in _latencies(summary):
        console.print(line)


def _latencies(summary: RunSummary) -> Iterable[str]:
    what = {"embed": "embedding a question", "search": "the rest of retrieval", "answer": "answer"}
    for name, latency in summary.latency_ms.items():
        yield f"{what[name]}: median {latency.median:.1f} ms, p95 {latency.p95:.1f} ms"


def show_comparison(comparison: Comparison) -> None:
    console = out()
    figures = ("before", "now", "change", "n", "p")
    shown = table(console, "metric", *figures, right=figures)
    for d in comparison.differences:
        mark = " worse" if d.regression else " better" if d.improvement else ""
        change, p = _cell(d.change, "+") + mark, "–" if d.p is None else f"{d.p:.3f}"
        before, now = f"{100 * d.base:.1f}", f"{100 * d.new:.1f}"
        shown.add_row(d.metric, before, now, change, _count(d.change), p)
    console.print(shown)
    console.print(
        f"{comparison.shared} questions in both runs, {comparison.only_base} only before, "
        f"{comparison.only_new} only now."
    )


def _count(interval: Interval | None) -> str:
    return "–" if interval is None else str(interval.n)


def _cell(interval: Interval | None, sign: str = "") -> str:
    if interval is None:
        return "–"
    value, low, high = (100 * x for x in (interval.value, interval.low, interval.high))
    return f"{value:{sign}.1f} [{low:{sign}.1f}, {high:{sign}.1f}]"
