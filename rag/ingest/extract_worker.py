"""The worker process: reads tasks from stdin, writes frames to stdout, one file at a time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO

from rag import worker_process
from rag.errors import ExtractionError
from rag.ingest.extract import extract_file, prepare
from rag.ingest.messages import Extracted, Failed, MoreTime, Ready, Setup, Task
from rag.readers.base import ExtraWork


def main() -> None:
    """Serves until stdin closes."""
    tasks, results = worker_process.pipes()
    setup: Setup = worker_process.read(tasks)
    count_tokens = prepare(setup)
    import pymupdf

    if not setup.watched:
        worker_process.limit_memory(setup.limits.memory_mb)
    worker_process.write(results, Ready())
    with suppress(EOFError):
        while True:
            task: Task = worker_process.read(tasks)
            outcome: Extracted | Failed
            try:
                outcome = extract_file(
                    setup,
                    task.path,
                    count_tokens,
                    password=task.password,
                    layout=task.layout,
                    extra=_Clock(setup.limits.timeout_s, results).extra,
                )
            except ExtractionError as error:
                outcome = Failed(type(error), str(error), error.hint)
            worker_process.write(results, outcome)
            pymupdf.TOOLS.store_shrink(100)


class _Clock:
    """The file's limit on CPU time, which grows while dearer work is done."""

    def __init__(self, seconds: float, results: IO[bytes]) -> None:
        self._limit = time.process_time() + seconds
        self._results = results
        worker_process.limit_cpu(self._limit)

    @contextmanager
    def extra(self, seconds: float, work: ExtraWork) -> Iterator[None]:
        """Up to so many seconds on top for what is done inside; the parent is told."""
        self._extend(seconds, work)
        started = time.monotonic()
        try:
            yield
        finally:
            self._extend(min(time.monotonic() - started, seconds) - seconds, "")

    def _extend(self, seconds: float, work: ExtraWork) -> None:
        self._limit += seconds
        worker_process.limit_cpu(self._limit)
        worker_process.write(self._results, MoreTime(seconds, work))


if __name__ == "__main__":
    main()
