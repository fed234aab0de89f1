"""The worker process: reads tasks from stdin, writes frames to stdout, one file at a time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from rag import worker_process
from rag.errors import DamagedFile, ExtractionError, LimitExceeded
from rag.ingest.chunking import chunk_document
from rag.ingest.messages import Extracted, Failed, MoreTime, Ready, Setup, Task
from rag.readers.base import ExtraWork
from rag.readers.document import parse_document


def main() -> None:
    """Serves until stdin closes."""
    tasks, results = worker_process.pipes()
    setup: Setup = worker_process.read(tasks)
    count_tokens = _token_counter(setup.tokenizer_file)
    import pymupdf

    pymupdf.TOOLS.mupdf_display_errors(False)
    pymupdf.TOOLS.mupdf_display_warnings(False)
    worker_process.limit_memory(setup.limits.memory_mb)
    worker_process.write(results, Ready())
    with suppress(EOFError):
        while True:
            task: Task = worker_process.read(tasks)
            worker_process.write(results, _extract(task, setup, count_tokens, results))
            pymupdf.TOOLS.store_shrink(100)


def _extract(
    task: Task,
    setup: Setup,
    count_tokens: Callable[[Sequence[str]], list[int]],
    results: IO[bytes],
) -> Extracted | Failed:
    started = time.perf_counter()
    clock = _Clock(setup.limits.timeout_s, results)
    limits = setup.limits if task.layout else setup.limits.model_copy(update={"layout": False})
    try:
        document = parse_document(task.path, limits, password=task.password, extra=clock.extra)
        chunks = chunk_document(document, limit=setup.chunk_tokens, count_tokens=count_tokens)
    except ExtractionError as error:
        return Failed(type(error), str(error))
    except MemoryError:
        limit = setup.limits.memory_mb
        return Failed(LimitExceeded, f"{task.path.name}: needs more than {limit} MiB of memory")
    except RecursionError:
        return Failed(LimitExceeded, f"{task.path.name}: nested too deeply")
    except OSError as error:
        return Failed(DamagedFile, f"{task.path.name}: cannot be read ({error.strerror})")
    except Exception as error:  # noqa: BLE001 - the edge of the process: this file fails, no other
        return Failed(DamagedFile, f"{task.path.name}: reading it failed ({error!r})")
    return Extracted(document, tuple(chunks), time.perf_counter() - started)


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


def _token_counter(file: Path) -> Callable[[Sequence[str]], list[int]]:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(file))
    tokenizer.no_truncation()
    tokenizer.no_padding()

    def count(texts: Sequence[str]) -> list[int]:
        encodings = tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        return [len(encoding.ids) for encoding in encodings]

    return count


if __name__ == "__main__":
    main()
