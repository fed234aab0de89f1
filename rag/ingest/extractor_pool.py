"""Files to text and chunks, in worker processes that a bad file may hang, bloat or crash.

A call into MuPDF cannot be interrupted, so the limit on time is kept by killing the process.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from rag.config import Extraction
from rag.errors import DamagedFile, ExtractionError, LimitExceeded
from rag.ingest.extractor import Extractor
from rag.ingest.messages import Extracted, Failed, MoreTime, Setup, Task
from rag.process_memory import end_beyond
from rag.readers.base import ExtraWork
from rag.worker_process import WorkerProcess, named

FILES_PER_WORKER = 200  # then a fresh process: whatever a file left behind goes
_START_TIMEOUT = 120.0  # seconds to start Python and import PyMuPDF (1.5 s when all is well)
# The limit on time counts the worker's CPU seconds, so that a loaded machine fails no file; this
# many times it by the clock is for what hangs without working.
_PATIENCE = 4
_ONE_THREAD = {"TOKENIZERS_PARALLELISM": "false", "OMP_THREAD_LIMIT": "1"}
# How a process ends that gets no more memory: Python cannot even report it (1), the loader has none
# to bind a function with (127, glibc), or the system steps in.
_OUT_OF_MEMORY = (1, 127, -signal.SIGKILL)


class ExtractorPool:
    """An Extractor. Owns the worker processes, which start when first needed. An async context
    manager."""

    def __init__(
        self, setup: Setup, *, workers: int, files_per_worker: int = FILES_PER_WORKER
    ) -> None:
        self._files_per_worker = files_per_worker
        self._setup = setup
        self._idle: list[_Worker] = []
        self._busy: set[_Worker] = set()
        self._slots = asyncio.Semaphore(workers)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        workers = [*self._idle, *self._busy]
        self._idle.clear()
        await asyncio.gather(*(worker.kill() for worker in workers))

    async def extract(self, path: Path, *, password: str | None = None) -> Extracted:
        """Waits for a free worker. Raises ExtractionError subclasses only."""
        async with self._slots:
            worker = self._idle.pop() if self._idle else _Worker(self._setup)
            self._busy.add(worker)
            try:
                outcome = await worker.run(path.absolute(), password)
            except BaseException:
                await worker.kill()
                raise
            finally:
                self._busy.discard(worker)
            await self._keep(worker, outcome)
        if isinstance(outcome, Failed):
            raise outcome.error(outcome.message, hint=outcome.hint)
        return outcome

    async def _keep(self, worker: _Worker, outcome: Extracted | Failed) -> None:
        worn = worker.files >= self._files_per_worker
        bloated = isinstance(outcome, Failed) and outcome.error is LimitExceeded
        if worn or bloated:
            await worker.kill()
        else:
            self._idle.append(worker)


@asynccontextmanager
async def extracting(
    given: Extractor | None, setup: Callable[[], Setup], workers: int
) -> AsyncIterator[Extractor]:
    """What is given, or else a pool of our own, which is closed afterwards."""
    if given is not None:
        yield given
        return
    async with ExtractorPool(setup(), workers=workers) as pool:
        yield pool


class _Worker:
    """One process, which starts when first needed."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._limits = setup.limits
        self._process: WorkerProcess | None = None
        self.files = 0
        self._work: ExtraWork = ""  # the dearer work that it does just now

    async def run(self, path: Path, password: str | None) -> Extracted | Failed:
        """A file that layout analysis cannot bear is read again without it. Raises LimitExceeded,
        or DamagedFile for a file on which the process died."""
        task = Task(path, password, layout=self._limits.layout)
        while True:
            process = self._process or await self._start()
            self.files += 1
            try:
                async with self._watch(process):
                    await process.send(task)
                    return await self._outcome(process)
            except TimeoutError:
                error: ExtractionError = _too_long(path, self._limits)
            except (EOFError, ConnectionError, asyncio.IncompleteReadError):
                error = self._obituary(path, await process.exit_code())
            if self._work != "layout":
                raise error
            await self._restart()
            task = Task(path, password, layout=False)

    async def _start(self) -> WorkerProcess:
        self._process = process = await WorkerProcess.start(
            "rag.ingest.extract_worker", quiet=True, **_ONE_THREAD
        )
        try:
            await process.send(self._setup)
            await asyncio.wait_for(process.receive(), _START_TIMEOUT)
        except (TimeoutError, EOFError, ConnectionError, asyncio.IncompleteReadError) as error:
            raise ExtractionError(
                "a worker process cannot start",
                hint="Raise memory_mb in rag.toml ([extraction] table); then run: rag doctor",
            ) from error
        return process

    @asynccontextmanager
    async def _watch(self, process: WorkerProcess) -> AsyncIterator[None]:
        """In the block the process ends beyond its memory, where it does not see to that itself."""
        if not self._setup.watched:
            yield
            return
        watch = asyncio.create_task(end_beyond(process.id, self._limits.memory_mb))
        try:
            yield
        finally:
            watch.cancel()

    async def _outcome(self, process: WorkerProcess) -> Extracted | Failed:
        self._work = ""
        deadline = time.monotonic() + _PATIENCE * self._limits.timeout_s
        while True:
            left = deadline - time.monotonic()
            message = await asyncio.wait_for(process.receive(), left)
            if isinstance(message, MoreTime):
                deadline += _PATIENCE * message.seconds
                self._work = message.work
            elif isinstance(message, Extracted | Failed):
                return message

    def _obituary(self, path: Path, code: int) -> ExtractionError:
        """What to say of the file on which the process died."""
        if code == -signal.SIGXCPU:
            return _too_long(path, self._limits)
        if code in _OUT_OF_MEMORY:
            limit = self._limits.memory_mb
            return LimitExceeded(f"{path.name}: needs more than {limit} MiB of memory")
        return DamagedFile(f"{path.name}: crashed the reader ({named(code)})")

    async def kill(self) -> None:
        if self._process is not None:
            await self._process.kill()

    async def _restart(self) -> None:
        """Makes this a worker that is not started yet."""
        await self.kill()
        self._process, self.files, self._work = None, 0, ""


def _too_long(path: Path, limits: Extraction) -> LimitExceeded:
    return LimitExceeded(f"{path.name}: not read within {limits.timeout_s:g} s")
