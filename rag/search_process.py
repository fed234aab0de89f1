"""A search in a process of its own, while this one loads the chat model.

What either imports takes a second and more, one after the other, for imports hold Python's lock.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from rag import worker_process
from rag.errors import RagError
from rag.worker_process import Process, named

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rag.answering.answerability import Judged
    from rag.config import Settings
    from rag.options import Scope
    from rag.types import Document, Hit, Message, Page


class SearchProcess:
    """What an answer wants of a Pipeline, asked of one in another process.

    Make one with `start`, as early as can be: it then imports what a search takes. `open` it before
    anything is asked.
    """

    def __init__(self, process: Process) -> None:
        self._process = process

    @classmethod
    async def start(cls) -> SearchProcess:
        return cls(await Process.start(__name__))

    async def open(self, settings: Settings, tag: str | None) -> None:
        """On the settings' collection, as it was when `tag` was set (None: as it is)."""
        with suppress(ConnectionError):  # the first question tells how it ended
            await self._process.send((settings, tag))

    async def close(self) -> None:
        """Idempotent."""
        await self._process.kill()  # it only reads

    async def search(
        self, question: str, history: Sequence[Message], *, k: int | None, scope: Scope
    ) -> list[Hit]:
        return await self._ask("search", question, history, k=k, scope=scope)  # type: ignore[no-any-return]

    async def chosen(self, scope: Scope, *, everything: bool) -> tuple[Document, ...]:
        return await self._ask("chosen", scope, everything=everything)  # type: ignore[no-any-return]

    async def judge(self, question: str, searched: str, hits: Sequence[Hit]) -> Judged:
        return await self._ask("judge", question, searched, hits)  # type: ignore[no-any-return]

    async def pages(self, document_id: str, numbers: Sequence[int]) -> list[Page]:
        return await self._ask("pages", document_id, numbers)  # type: ignore[no-any-return]

    async def _ask(self, method: str, *args: Any, **named_args: Any) -> Any:
        """Raises what the pipeline's method does."""
        try:
            await self._process.send((method, args, named_args))
            answer = await self._process.receive()
        except (ConnectionError, asyncio.IncompleteReadError):
            code = await self._process.exit_code()
            raise RagError(
                f"the process that searches ended ({named(code)})",
                hint="A full memory is the usual cause. With rag serve one process does it all.",
            ) from None
        if isinstance(answer, RagError):
            raise answer
        return answer


# ── that process ──────────────────────────────────────────────────────────────────────────────


async def serve() -> None:
    """Answers one request after the other, until the parent closes the pipe."""
    requests, answers = worker_process.pipes()
    from rag.pipeline import Pipeline
    from rag.runtime import Runtime
    from rag.store.connection import library

    asyncio.get_running_loop().run_in_executor(None, library)  # while the settings come
    settings, tag = await asyncio.to_thread(worker_process.read, requests)
    runtime = Runtime(settings, notify=_tell)
    pipeline = Pipeline(settings, runtime)
    pipeline.as_of(tag)
    while True:
        method, args, named_args = await asyncio.to_thread(worker_process.read, requests)
        try:
            answer = await getattr(pipeline, method)(*args, **named_args)
        except RagError as error:
            answer = error
        worker_process.write(answers, answer)


def _tell(line: str) -> None:
    sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    with suppress(EOFError):
        asyncio.run(serve())
