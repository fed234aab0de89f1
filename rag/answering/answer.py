"""From the passages found to the finished answer: refuse, or prompt, generate and ground."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from typing import Protocol, TypeVar

from rag.answering.answerability import Answerability, estimate_answerability
from rag.answering.best_quotes import best_quotes, quotes_text
from rag.answering.conversation import Conversation, Turn
from rag.answering.full_document import is_broad, is_list
from rag.answering.map_reduce import PART_TOKENS, Pages, Reading, Texts, reduced
from rag.answering.prompting import Budget, Prompt, build_prompt
from rag.answering.refusal_message import NOT_SAID, refusal_text
from rag.answering.repetition import loop_start
from rag.config import Settings
from rag.embedders.base import Embedder
from rag.engines.base import Engine
from rag.events import AnswerEvent, Delta, Done, MapProgress, Retrieved, Thought
from rag.options import AskOptions
from rag.runtime import Runtime
from rag.types import Answer, Document, Finish, Hit, Page, Piece
from rag.verification.ground import Grounded, ground
from rag.verification.structured import ground_fields, instruction

T = TypeVar("T")
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


class Source(Pages, Protocol):
    """Where the documents are that an answer rests on, and the models that make it: a Pipeline."""

    settings: Settings
    runtime: Runtime

    async def embedder(self) -> Embedder:
        """The one that made the index."""

    async def documents(self) -> list[Document]:
        """All of the collection."""


class Answering:
    """Answers questions about one collection, in one conversation."""

    def __init__(self, source: Source, conversation: Conversation) -> None:
        self.source = source
        self.settings = source.settings
        self.runtime = source.runtime
        self.conversation = conversation

    async def events(
        self, retrieved: Retrieved, options: AskOptions
    ) -> AsyncGenerator[AnswerEvent]:
        """Retrieved, then MapProgress… where documents are read whole, Thought… where the model
        thinks first, then Delta…, then Done; the conversation has one turn more then."""
        yield retrieved
        answerability = await self._answerability(retrieved, options)
        if (known := await self._without_model(retrieved, answerability, options)) is not None:
            yield Done(known)
            return
        async with self.runtime.lease(options.model) as engine:
            async with aclosing(self._prepared(engine, retrieved, options)) as preparing:
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
                        text = ("" if piece.restart else text) + piece.text
                        finish = piece.finish or finish
                        if piece.thought or piece.restart:
                            yield Thought(piece.thought, piece.restart)
                        if piece.text:
                            yield Delta(piece.text)
                        end = loop_start(text) if options.schema is None else None
                        if end is not None:
                            text = text[:end]
                            break
        self._remember(prompt.turn(retrieved.question, text))
        grounded = await self._grounded(
            retrieved.question, text, prompt, structured=options.schema is not None
        )
        taken_back = self._is_unlikely(answerability) and nothing_supported(grounded)
        grounded = refused(retrieved, prompt, grounded, answerability, taken_back=taken_back)
        yield Done(finished(retrieved, prompt.hits, grounded, finish, engine.model))

    async def _without_model(
        self, retrieved: Retrieved, answerability: Answerability, options: AskOptions
    ) -> Answer | None:
        """The answer where no model is asked: a refusal, or quotes if these are wanted. Raises
        EmbeddingError."""
        found = retrieved.hits or options.whole
        if answerability.likely < self.settings.refusal_threshold or not found:
            self._remember(Turn(retrieved.question, retrieved.question, NOT_SAID))
            return refusal(retrieved, answerability)
        if options.schema is not None or not _first(options.quotes, self.settings.quotes):
            return None
        return await self._quoted(retrieved) or refusal(retrieved, answerability)

    async def _quoted(self, retrieved: Retrieved) -> Answer | None:
        """The sentences that answer best, each cited, if there are any; no model is asked. Raises
        EmbeddingError."""
        found = await best_quotes(retrieved, await self.source.embedder())
        pages = await pages_of(retrieved.hits, self.source)
        text = quotes_text(found)
        grounded = await asyncio.to_thread(ground, text, retrieved.hits, pages, retrieved.question)
        self._remember(Turn(retrieved.question, retrieved.question, text))
        if not grounded.citations:
            return None
        return finished(retrieved, retrieved.hits, grounded)

    def _is_unlikely(self, answerability: Answerability) -> bool:
        """With a threshold of 0 nothing is refused, before the answer or behind it."""
        return self.settings.refusal_threshold > 0 and answerability.likely < UNSUPPORTED

    async def _answerability(self, retrieved: Retrieved, options: AskOptions) -> Answerability:
        """Raises EmbeddingError."""
        if options.whole or is_broad(retrieved.question):
            return Answerability()
        return await estimate_answerability(retrieved, await self.source.embedder())

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
        self, engine: Engine, retrieved: Retrieved, options: AskOptions
    ) -> AsyncGenerator[MapProgress | Prompt]:
        """The prompt, last; before it what reading whole documents has to tell."""
        budget = self._budget(engine, options)
        task, listed = retrieved.question, is_list(retrieved.question) and options.schema is None
        if options.schema is not None:
            task = instruction(task, options.schema)
        texts = await self._texts(retrieved, options, budget)
        if texts is None:
            yield await self._prompt(task, retrieved.hits, budget)
            return
        if self._new(texts) <= (budget.prompt if options.whole else budget.message):
            whole = Budget(budget.prompt, budget.prompt, budget.count_tokens)
            prompt = await self._prompt(task, texts.hits, whole)
            if len(prompt.hits) == len(texts.hits):
                yield MapProgress(1, 1, texts.count, texts.count)
                yield prompt
                return
        verifier = await self.runtime.verifier()
        reading = Reading(engine, retrieved.question, texts, verifier)
        async with aclosing(reading.read(min(budget.message, PART_TOKENS))) as progress:
            async for step in progress:
                yield step
        yield reduced(task, reading.notes, texts, budget, listed=listed)

    def _budget(self, engine: Engine, options: AskOptions) -> Budget:
        from rag.compute.mlx_runtime import device

        slow = self.settings.engine_url is None and device() == "cpu"
        written = engine.thinking_tokens + (options.max_tokens or self.settings.max_tokens)
        room = engine.context_tokens - written
        whole = min(self.settings.context_tokens or room, room)
        follows = any(turn.passages for turn in self.conversation.turns)
        fresh = whole // (FOLLOW_UP_SHARE if follows else FIRST_SHARE)
        return Budget(whole, min(fresh, CPU_MESSAGE_TOKENS) if slow else fresh, engine.count_tokens)

    async def _texts(
        self, retrieved: Retrieved, options: AskOptions, budget: Budget
    ) -> Texts | None:
        """The documents to give whole, if that is what is wanted."""
        documents = retrieved.documents
        if options.whole and not documents:  # the scope is open: all of them
            documents = tuple({d.id: d for d in await self.source.documents()}.values())
        if options.whole is False or not documents:
            return None
        chosen = bool(options.whole) or is_broad(retrieved.question)
        pages = sum(document.pages for document in documents)
        if not chosen and (len(documents) > 1 or pages > SHORT_PAGES):
            return None
        texts = await Texts.load(documents, self.source, retrieved.pages, budget)
        return texts if texts.hits and (chosen or self._new(texts) <= budget.message) else None

    def _new(self, texts: Texts) -> int:
        """Tokens that the conversation does not hold yet."""
        return texts.tokens(self.conversation.shown)

    async def _prompt(self, question: str, hits: tuple[Hit, ...], budget: Budget) -> Prompt:
        turns = self.conversation.turns
        return await asyncio.to_thread(build_prompt, question, turns, hits, budget)

    # ── the answer ────────────────────────────────────────────────────────────────────────────

    async def _grounded(
        self, question: str, text: str, prompt: Prompt, *, structured: bool
    ) -> Grounded:
        """The answer with every citation checked against the passages of the prompt."""
        pages = await pages_of(prompt.hits, self.source)
        if structured:
            return await asyncio.to_thread(ground_fields, text, prompt.hits, pages, question)
        verifier = await self.runtime.verifier()
        return await asyncio.to_thread(
            ground, text, prompt.hits, pages, question, prompt.numbers, verifier
        )


def refused(
    retrieved: Retrieved,
    prompt: Prompt,
    grounded: Grounded,
    answerability: Answerability,
    *,
    taken_back: bool,
) -> Grounded:
    """A refusal that offers the nearest quotes, where the model refuses or is taken back."""
    if not (grounded.refused or taken_back):
        return grounded
    said = grounded.text if grounded.refused else NOT_SAID
    text = refusal_text(retrieved.search_text, prompt.hits, answerability.nearest, said=said)
    return Grounded(text, grounded.claims if grounded.refused else (), (), True)


def finished(
    retrieved: Retrieved,
    hits: tuple[Hit, ...],
    grounded: Grounded,
    finish: Finish | None = None,
    model: str = "",
) -> Answer:
    """The answer as it is told."""
    return Answer(
        question=retrieved.question,
        search_text=retrieved.search_text,
        text=grounded.text,
        claims=grounded.claims,
        citations=grounded.citations,
        hits=hits,
        refused=grounded.refused,
        finish=finish,
        model=model,
    )


def nothing_supported(grounded: Grounded) -> bool:
    return bool(grounded.claims) and not any(claim.sources for claim in grounded.claims)


def refusal(retrieved: Retrieved, answerability: Answerability) -> Answer:
    """The answer that no model was asked for."""
    text = refusal_text(retrieved.search_text, retrieved.hits, answerability.nearest)
    return Answer(
        retrieved.question, retrieved.search_text, text, (), (), retrieved.hits, True, None, ""
    )


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


def _first(value: T | None, default: T) -> T:
    return default if value is None else value
