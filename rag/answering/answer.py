"""From the passages found to the finished answer: refuse, or prompt, generate and ground."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol

from rag.answering.answerability import Judged
from rag.answering.conversation import Conversation, Turn
from rag.answering.full_document import is_broad, is_list
from rag.answering.map_reduce import PART_TOKENS, Pages, Reading, Texts, reduced
from rag.answering.prompting import Budget, Prompt, build_prompt
from rag.answering.refusal_message import NOT_SAID, refusal_text
from rag.answering.repetition import loop_start
from rag.config import Settings
from rag.engines.base import Engine
from rag.events import AnswerEvent, Delta, Done, MapProgress, Retrieved
from rag.options import AskOptions, Scope
from rag.runtime import Runtime
from rag.types import Answer, Document, Finish, Hit, Message, Page, Piece
from rag.verification.ground import Grounded, ground
from rag.verification.structured import ground_fields, instruction

# Prompts on a CPU host are read at some 700 tokens a second, and the starter model loses its way
# among many passages: it answered the demo's questions right from three, one of them wrong from
# eight.
CPU_MESSAGE_TOKENS = 768
# Parts of the prompt's budget that the newest message may take: at first, and in a follow-up, whose
# earlier passages are still there. So that ten turns fit before the oldest must be condensed, which
# costs the engine's cache.
FIRST_SHARE, FOLLOW_UP_SHARE = 2, 12
# An answer of which nothing is supported is taken back where it was unlikely to begin with.
UNSUPPORTED = 0.5
# A single document of so many pages is given whole if it fits the newest message.
SHORT_PAGES = 10


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, what was searched for in its place, and what was found, best first.

    `documents` are those to read whole, should the question want that, and `between` the pages.
    """

    question: str
    searched: str
    hits: tuple[Hit, ...]
    documents: tuple[Document, ...] = ()
    between: tuple[int, int] | None = None


class Finder(Pages, Protocol):
    """What an answer wants of the documents: a Pipeline, or one in another process."""

    async def search(
        self, question: str, history: Sequence[Message], *, k: int | None, scope: Scope
    ) -> list[Hit]:
        """The k passages that matter most, best first. Raises InvalidQuestion, IndexMissing."""

    async def chosen(self, scope: Scope, *, everything: bool) -> tuple[Document, ...]:
        """The documents of a scope in order of their paths; of an open one none, or everything."""

    async def judge(self, question: str, searched: str, hits: Sequence[Hit]) -> Judged:
        """Whether the passages can hold the answer. Raises EmbeddingError."""


class Answering:
    """Answers questions about one collection, in one conversation."""

    def __init__(
        self,
        settings: Settings,
        runtime: Runtime,
        finder: Finder,
        conversation: Conversation,
    ) -> None:
        self.settings = settings
        self.runtime = runtime
        self.finder = finder
        self.conversation = conversation

    async def events(self, asked: Asked, options: AskOptions) -> AsyncGenerator[AnswerEvent]:
        """Retrieved, then MapProgress… where documents are read whole, then Delta…, then Done; the
        conversation has one turn more then."""
        yield Retrieved(asked.question, asked.searched, asked.hits)
        judged = await self._judged(asked, options)
        if judged.likely < self.settings.refusal_threshold or not (asked.hits or options.whole):
            self._remember(Turn(asked.question, asked.question, NOT_SAID))
            yield Done(refusal(asked, judged))
            return
        async with self.runtime.lease(options.model) as engine:
            async with aclosing(self._prepared(engine, asked, options)) as preparing:
                async for step in preparing:
                    if isinstance(step, Prompt):
                        prompt = step
                    else:
                        yield step
            text, finish = prompt.answer, None
            if text:
                yield Delta(text)
            else:
                async with aclosing(self._pieces(engine, prompt, options)) as pieces:
                    async for piece in pieces:
                        text, finish = text + piece.text, piece.finish or finish
                        if piece.text:
                            yield Delta(piece.text)
                        end = loop_start(text) if options.schema is None else None
                        if end is not None:
                            text = text[:end]
                            break
        self._remember(prompt.turn(asked.question, text))
        grounded = await self._grounded(asked, text, prompt, structured=options.schema is not None)
        yield Done(finished(asked, prompt, grounded, judged, finish, engine.model))

    async def _judged(self, asked: Asked, options: AskOptions) -> Judged:
        """Raises EmbeddingError."""
        if options.whole or is_broad(asked.question):
            return Judged()
        return await self.finder.judge(asked.question, asked.searched, asked.hits)

    def _pieces(self, engine: Engine, prompt: Prompt, options: AskOptions) -> AsyncGenerator[Piece]:
        return engine.stream(
            prompt.messages,
            max_tokens=options.max_tokens or self.settings.max_tokens,
            temperature=_first(options.temperature, self.settings.temperature),
            schema=options.schema,
        )

    def _remember(self, turn: Turn) -> None:
        self.conversation.turns.append(turn)

    # ── the prompt ────────────────────────────────────────────────────────────────────────────

    async def _prepared(
        self, engine: Engine, asked: Asked, options: AskOptions
    ) -> AsyncGenerator[MapProgress | Prompt]:
        """The prompt, last; before it what reading whole documents has to tell."""
        budget = self._budget(engine, options)
        task, listed = asked.question, is_list(asked.question) and options.schema is None
        if options.schema is not None:
            task = instruction(task, options.schema)
        texts = await self._texts(asked, options, budget)
        if texts is None:
            yield await self._prompt(task, asked.hits, budget)
            return
        if self._new(texts) <= (budget.prompt if options.whole else budget.message):
            whole = Budget(budget.prompt, budget.prompt, budget.count_tokens)
            prompt = await self._prompt(task, texts.hits, whole)
            if len(prompt.hits) == len(texts.hits):
                yield MapProgress(1, 1, texts.count, texts.count)
                yield prompt
                return
        reading = Reading(engine, asked.question, texts)
        async with aclosing(reading.read(min(budget.message, PART_TOKENS))) as progress:
            async for step in progress:
                yield step
        yield reduced(task, reading.notes, texts, budget, listed=listed)

    def _budget(self, engine: Engine, options: AskOptions) -> Budget:
        from rag.compute.mlx_runtime import device

        slow = self.settings.engine_url is None and device() == "cpu"
        room = engine.context_tokens - (options.max_tokens or self.settings.max_tokens)
        whole = min(self.settings.context_tokens or room, room)
        follows = any(turn.passages for turn in self.conversation.turns)
        fresh = whole // (FOLLOW_UP_SHARE if follows else FIRST_SHARE)
        return Budget(whole, min(fresh, CPU_MESSAGE_TOKENS) if slow else fresh, engine.count_tokens)

    async def _texts(self, asked: Asked, options: AskOptions, budget: Budget) -> Texts | None:
        """The documents to give whole, if that is what is wanted."""
        if options.whole is False or not asked.documents:
            return None
        chosen = bool(options.whole) or is_broad(asked.question)
        pages = sum(document.pages for document in asked.documents)
        if not chosen and (len(asked.documents) > 1 or pages > SHORT_PAGES):
            return None
        texts = await Texts.load(asked.documents, self.finder, asked.between, budget)
        return texts if texts.hits and (chosen or self._new(texts) <= budget.message) else None

    def _new(self, texts: Texts) -> int:
        """Tokens that the conversation does not hold yet."""
        return texts.tokens(self.conversation.shown)

    async def _prompt(self, question: str, hits: tuple[Hit, ...], budget: Budget) -> Prompt:
        turns = self.conversation.turns
        return await asyncio.to_thread(build_prompt, question, turns, hits, budget)

    # ── the answer ────────────────────────────────────────────────────────────────────────────

    async def _grounded(
        self, asked: Asked, text: str, prompt: Prompt, *, structured: bool
    ) -> Grounded:
        """The answer with every citation checked against the passages of the prompt."""
        pages = await pages_of(prompt.hits, self.finder)
        if structured:
            return await asyncio.to_thread(ground_fields, text, prompt.hits, pages, asked.question)
        return await asyncio.to_thread(
            ground, text, prompt.hits, pages, asked.question, numbers=prompt.numbers
        )


def finished(
    asked: Asked,
    prompt: Prompt,
    grounded: Grounded,
    judged: Judged,
    finish: Finish | None,
    model: str,
) -> Answer:
    """The answer as it is told, or a refusal in its place."""
    unlikely = judged.likely < UNSUPPORTED and nothing_supported(grounded)
    if grounded.refused or unlikely:
        said = grounded.text if grounded.refused else NOT_SAID
        text = refusal_text(asked.searched, prompt.hits, judged.nearest, said=said)
        grounded = Grounded(text, grounded.claims if grounded.refused else (), (), True)
    return Answer(
        question=asked.question,
        search_text=asked.searched,
        text=grounded.text,
        claims=grounded.claims,
        citations=grounded.citations,
        hits=prompt.hits,
        refused=grounded.refused,
        finish=finish,
        model=model,
    )


def nothing_supported(grounded: Grounded) -> bool:
    return bool(grounded.claims) and not any(claim.sources for claim in grounded.claims)


def refusal(asked: Asked, judged: Judged) -> Answer:
    """The answer that no model was asked for."""
    text = refusal_text(asked.searched, asked.hits, judged.nearest)
    return Answer(asked.question, asked.searched, text, (), (), asked.hits, True, None, "")


async def pages_of(hits: Iterable[Hit], source: Pages) -> dict[tuple[str, int], Page]:
    """The full pages that passages stand on, by document id and page number."""
    wanted: dict[str, set[int]] = {}
    for hit in hits:
        numbers = range(hit.chunk.first_page, hit.chunk.last_page + 1)
        wanted.setdefault(hit.document.id, set()).update(numbers)
    return {
        (id_, page.number): page
        for id_, numbers in wanted.items()
        for page in await source.pages(id_, sorted(numbers))
    }


def _first(value: float | None, default: float) -> float:
    return default if value is None else value
