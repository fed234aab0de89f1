"""Documents too long for one prompt: every part is asked at once, then the notes are put together.

What the model notes about a part is checked against its pages before it counts: only the statements
that they support go on, each with the number of its page.
"""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol

from rag.answering.full_document import page_hits, parts
from rag.answering.prompting import Budget, Prompt, passage
from rag.answering.refusal_message import NOT_SAID
from rag.engines.base import Engine
from rag.events import MapProgress
from rag.options import PageRange
from rag.types import Document, Hit, Message, Page
from rag.verification.base import Verifier
from rag.verification.ground import Grounded, ground

MAP_SYSTEM = (
    "You read a part of a document and note what it says about a task. Write short sentences, copy "
    "names, numbers and units as they stand, and put the number of the passage behind each, like "
    '[1]. If the part says nothing about it, write: "Nothing."'
)
REDUCE_SYSTEM = (
    "You are given notes about all parts of the user's documents. Carry out the task with these "
    "notes alone. Keep the number behind each statement, like [1]."
)
NOTE_TOKENS = 160  # an answer about one part
PART_TOKENS = 1024
AT_ONCE = 8  # parts; the engine decodes them together
_NUMBER = re.compile(r"\[(\d+)\]")


class Pages(Protocol):
    """Whatever has the documents' pages."""

    async def pages(self, document_id: str, numbers: Sequence[int]) -> list[Page]:
        """Those of a document, in order."""


@dataclass(frozen=True, slots=True)
class Texts:
    """Documents from the first page to the last: their pages as passages, in order, and all the
    pages by (document id, number), also those without text. `count` is that of pages."""

    hits: tuple[Hit, ...]
    pages: Mapping[tuple[str, int], Page]
    sizes: tuple[int, ...]  # tokens of each passage

    def tokens(self, shown: Collection[str] = ()) -> int:
        """Of all passages but those that are `shown` already, by their ids."""
        pairs = zip(self.hits, self.sizes, strict=True)
        return sum(size for hit, size in pairs if hit.chunk.id not in shown)

    @property
    def count(self) -> int:
        return len(self.pages)

    @classmethod
    async def load(
        cls,
        documents: Sequence[Document],
        source: Pages,
        between: PageRange | None,
        budget: Budget,
    ) -> Texts:
        first, last = (between.first, between.last) if between else (1, sys.maxsize)
        found: list[tuple[Document, list[Page]]] = []
        for document in documents:
            numbers = range(first, min(last, document.pages) + 1)
            found.append((document, await source.pages(document.id, list(numbers))))
        return await asyncio.to_thread(cls._measured, found, budget)

    @classmethod
    def _measured(cls, found: Sequence[tuple[Document, list[Page]]], budget: Budget) -> Texts:
        def size(hit: Hit) -> int:
            return budget.count_tokens([Message("user", passage(1, hit))])

        limit = min(budget.message, PART_TOKENS)
        hits = [hit for document, pages in found for hit in page_hits(document, pages, size, limit)]
        pages = {(document.id, page.number): page for document, some in found for page in some}
        return cls(tuple(hits), pages, tuple(map(size, hits)))


class Reading:
    """One question put to every part of the documents."""

    def __init__(self, engine: Engine, question: str, texts: Texts, verifier: Verifier) -> None:
        self.engine = engine
        self.verifier = verifier
        self.question = question
        self.texts = texts
        self.notes: list[str] = []
        self._gate = asyncio.Semaphore(AT_ONCE)

    async def read(self, limit: int, *, at_once: int = AT_ONCE) -> AsyncGenerator[MapProgress]:
        """Tells of each part of at most `limit` tokens as it is done; then `notes` holds what was
        found, in order. Closing it stops what still runs."""
        self._gate = asyncio.Semaphore(at_once)
        groups = parts(self.texts.hits, self.texts.sizes, limit)
        tasks = [asyncio.create_task(self._note(part)) for part in groups]
        try:
            yield self._progress(groups, tasks)
            for ended in asyncio.as_completed(tasks):
                await ended
                yield self._progress(groups, tasks)
            self.notes = [note for task in tasks for note in task.result()]
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _progress(
        self, groups: Sequence[tuple[int, ...]], tasks: Sequence[asyncio.Task[list[str]]]
    ) -> MapProgress:
        """A page is read when all its passages are; pages without text are read as they are."""
        pairs = list(zip(groups, tasks, strict=True))
        waiting = {
            _page(self.texts.hits[index])
            for group, task in pairs
            if not task.done()
            for index in group
        }
        done = sum(task.done() for task in tasks)
        return MapProgress(done, len(tasks), self.texts.count - len(waiting), self.texts.count)

    async def _note(self, part: Sequence[int]) -> list[str]:
        """The supported statements about one part, each with the number of its passage."""
        hits, numbers = [self.texts.hits[i] for i in part], [i + 1 for i in part]
        shown = "\n\n".join(map(passage, numbers, hits))
        task = Message("user", f"Passages:\n\n{shown}\n\nTask: {self.question}")
        text = ""
        async with self._gate:
            stream = self.engine.stream(
                [Message("system", MAP_SYSTEM), task], max_tokens=NOTE_TOKENS, temperature=0.0
            )
            async with aclosing(stream) as pieces:
                async for piece in pieces:
                    text = ("" if piece.restart else text) + piece.text
        grounded = await asyncio.to_thread(
            ground, text, hits, self.texts.pages, self.question, numbers, self.verifier
        )
        return _kept(grounded, hits, numbers)


def _page(hit: Hit) -> tuple[str, int]:
    return hit.document.id, hit.chunk.first_page


def _kept(grounded: Grounded, hits: Sequence[Hit], numbers: Sequence[int]) -> list[str]:
    by_chunk = {hit.chunk.id: number for hit, number in zip(hits, numbers, strict=True)}
    cited = {citation.number: by_chunk[citation.chunk_id] for citation in grounded.citations}
    notes = []
    for claim in grounded.claims:
        if claim.sources:
            said = grounded.text[claim.start : claim.end]
            for source in claim.sources:
                said = said.replace(f"[{source}]", "")
            places = dict.fromkeys(cited[source] for source in claim.sources)
            notes.append(" ".join(said.split()) + "".join(f" [{n}]" for n in places))
    return notes


def reduced(
    task: str, notes: Sequence[str], texts: Texts, budget: Budget, *, listed: bool
) -> Prompt:
    """The prompt that puts the notes together. Where all that was found is to be `listed`, and
    where it is too much for one prompt, the notes are the answer, so that nothing is lost."""
    notes = list(dict.fromkeys(notes))
    used = sorted({int(n) for note in notes for n in _NUMBER.findall(note)})
    hits = tuple(texts.hits[number - 1] for number in used)
    lines = "\n".join(f"- {note}" for note in notes)
    content = f"Notes:\n{lines}\n\nTask: {task}"
    messages = (Message("system", REDUCE_SYSTEM), Message("user", content))
    tokens = budget.count_tokens(messages)
    known = lines if listed or tokens > budget.prompt else ""
    if not notes:
        known, hits = NOT_SAID, texts.hits[:1]
        used = [1]
    return Prompt(messages, hits, tuple(used), {}, 0, tokens, known)
