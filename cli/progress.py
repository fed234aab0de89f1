"""An ingest on its way: a bar on a terminal, a line every few seconds elsewhere."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Self

from cli.terminal import err, one_line, out, print_table, size, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rag.events import Comparing, FileFailed, IngestEvent, Planned, Summary
    from rag.events import Progress as Counts

_LINE_SECONDS = 5.0
_SOON = 1.0  # seconds until the first line
_KINDS = 4  # of files passed over, by name


class IngestView:
    """Give it every event; a context manager, so that the bar goes away however it ends."""

    def __init__(self, *, verbose: bool = False) -> None:
        self.summary: Summary | None = None
        self._verbose = verbose
        self._err = err()
        self._started = self._told = time.monotonic()
        self._bar: Any = _bar(self._err) if self._err.is_terminal else None
        self._task: Any = None
        self._compared = False  # a line of it was printed
        self._hints: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def show(self, event: IngestEvent) -> None:
        match event.kind:
            case "planned":
                self._planned(event)
            case "comparing":
                self._comparing(event)
            case "progress":
                self._progress(event)
            case "failed":
                self._failed(event)
            case "ingested":
                if self._verbose:
                    self._err.print(f"ingested {one_line(event.document.path)}", style="dim")
                path = one_line(event.document.path)
                for warning in event.document.warnings:
                    self._err.print(f"warning: {path}: {one_line(warning)}")
            case "summary":
                self.summary = event
                self.__exit__()

    def _comparing(self, event: Comparing) -> None:
        if self._bar is None:
            if time.monotonic() - self._told >= (_LINE_SECONDS if self._compared else _SOON):
                self._told, self._compared = time.monotonic(), True
                self._err.print(_compared(event))
            return
        self._bar.start()
        if self._task is None:
            self._task = self._bar.add_task("", total=None, figures="", counted="")
        total, done = event.files_total, event.files_done
        if event.bytes_total:  # files of all sizes: their bytes say how long it takes
            total, done = event.bytes_total, event.bytes_done
        self._bar.update(self._task, completed=done, total=total, description=_compared(event))

    def _planned(self, planned: Planned) -> None:
        todo = planned.new + planned.changed
        if self._bar is None:
            self._err.print(f"{todo} to ingest, {planned.unchanged} unchanged")
            return
        if self._task is not None:
            self._bar.remove_task(self._task)
            self._task = None
        if todo:
            self._bar.start()
            self._task = self._bar.add_task("Starting …", total=todo, figures="", counted="")

    def _progress(self, counts: Counts) -> None:
        if self._task is not None:
            self._bar.update(
                self._task,
                completed=counts.files_done,
                total=counts.files_total,
                description=one_line(counts.current.name, 40) if counts.current else "Embedding",
                figures=self._figures(counts),
                counted=f"{counts.files_done}/{counts.files_total}",
            )
        elif self._bar is None and time.monotonic() - self._told >= _LINE_SECONDS:
            self._told = time.monotonic()
            files = f"{counts.files_done} of {counts.files_total} files"
            self._err.print(f"{files} · {self._figures(counts)}")

    def _figures(self, counts: Counts) -> str:
        seconds = max(time.monotonic() - self._started, 0.001)
        parts = [
            f"{counts.pages:,} pages ({counts.pages / seconds:.0f}/s)",
            f"{counts.chunks_embedded:,} of {counts.chunks_extracted:,} chunks",
        ]
        if counts.failed:
            parts.append(f"{counts.failed} failed")
        if counts.skipped:
            parts.append(f"{counts.skipped:,} skipped")
        if counts.seconds_left is not None:
            parts.append(f"{_duration(counts.seconds_left)} left")
        return " · ".join(parts)

    def _failed(self, event: FileFailed) -> None:
        """One line a file; a hint only the first time, as a folder may hold many such files."""
        failure = event.failure
        reason = one_line(failure.reason).removeprefix(f"{one_line(failure.path.name)}: ")
        self._err.print(f"failed: {one_line(failure.path)}: {reason}")
        if failure.hint and failure.hint not in self._hints:
            self._hints.add(failure.hint)
            self._err.print(f"hint: {one_line(failure.hint)}", style="dim")


def print_summary(summary: Summary, *, verbose: bool) -> None:
    """Counts that are not zero, and with `verbose` the seconds that each stage worked."""
    console = out()
    rows = {
        "ingested": summary.ingested,
        "moved": summary.moved,
        "removed": summary.removed,
        "unchanged": summary.unchanged,
        "failed": summary.failed,
        "failed before": summary.known_bad,
    }
    made = table(console, "files", "", right=("",))
    for name, count in rows.items():
        if count or name == "ingested":
            made.add_row(name, f"{count:,}")
    print_table(console, made)
    console.print(_amounts(summary))
    for line in _not_taken(summary):
        console.print(line)
    for stage, seconds in summary.stage_seconds.items() if verbose else ():
        console.print(f"  {stage}: {seconds:.2f} s")


def passed_over(counts: Mapping[str, int]) -> str:
    """ "6 files (.rtf, .eml …)", the most frequent first; "" where there is none."""
    files = sum(counts.values())
    if not files:
        return ""
    kinds = sorted(counts, key=lambda kind: (-counts[kind], kind))
    more = " …" if len(kinds) > _KINDS else ""
    named = ", ".join(one_line(kind) for kind in kinds[:_KINDS])
    return f"{_count(files, 'file')} ({named}{more})"


def _not_taken(summary: Summary) -> Iterator[str]:
    if told := passed_over(summary.passed_over):
        yield f"passed over: {told}"
    if summary.unread_pages:
        yield f"not wholly read: {_count(summary.unread_pages, 'page')}; see rag show, rag doctor"
    if summary.empty_pages:
        yield f"empty: {_count(summary.empty_pages, 'page')}"
    if summary.warned:
        yield f"with a warning: {_count(summary.warned, 'document')}; see rag show"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _compared(event: Comparing) -> str:
    """What is being done, counted."""
    if event.files_total is None:
        return f"looking for files: {event.files_done:,} found"
    what = f"comparing with the index: {event.files_done:,} of {event.files_total:,} files"
    if not event.bytes_total:
        return what
    return f"{what}, {size(event.bytes_done)} of {size(event.bytes_total)} read"


def _amounts(summary: Summary) -> str:
    parts = [f"{summary.seconds:.1f} s"]
    if summary.pages:
        parts = [f"{summary.pages:,} pages", f"{summary.chunks:,} chunks", *parts]
        parts.append(f"{summary.pages / max(summary.seconds, 0.001):.1f} pages/s")
    if summary.reused_vectors:
        parts.append(f"{summary.reused_vectors:,} vectors reused")
    return " · ".join(parts)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes}:{rest:02}"


def _bar(console: Any) -> Any:
    from rich.progress import (
        BarColumn,
        Progress,
        TextColumn,
    )

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[counted]}"),
        TextColumn("{task.fields[figures]}", markup=False),
        console=console,
        transient=True,
    )
