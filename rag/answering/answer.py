"""From the passages found to the finished answer: refuse, or prompt, generate and ground."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from rag.answering.answerability import Answerability, estimate_answerability
from rag.answering.computed_answer import computed_answer
from rag.answering.conversation import Conversation, Turn
from rag.answering.final_answer import finished, nothing_supported, pages_of, refusal, refused
from rag.answering.full_document import is_broad
from rag.answering.generation import pieces_of
from rag.answering.prompt_choice import PromptChoice
from rag.answering.prompting import Prompt
from rag.answering.question_match import QuestionMatch
from rag.answering.quotes_first import nearest, quoted, quotes_first, unmarked, verified
from rag.answering.refusal_message import NOT_SAID
from rag.answering.repetition import loop_start
from rag.answering.source import Source
from rag.engines.base import Engine
from rag.events import AnswerEvent, Delta, Done, Quoted, Retrieved, Thought
from rag.options import AskOptions, QuotesMode, quotes_mode
from rag.types import Answer, Citation, Finish
from rag.verification.ground import Grounded, ground
from rag.verification.structured import ground_fields

# An answer of which nothing is supported is taken back where it was unlikely to begin with.
UNSUPPORTED = 0.5


@dataclass(slots=True)
class _Draft:
    """What the model is told, and what it has written of the answer so far."""

    prompt: Prompt
    text: str = ""
    finish: Finish | None = None


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
        """Retrieved, then Quoted where the answer begins with quotes, MapProgress… where documents
        are read whole, Thought… where the model thinks first, then Delta…, then Done; the
        conversation has one turn more then."""
        yield retrieved
        answerability = await self._answerability(retrieved, options)
        if (known := await self._without_model(retrieved, answerability, options)) is not None:
            yield Done(known)
            return
        mode = self._mode(retrieved, options)
        match = await self._match(retrieved, mode, options)
        quotes = await quoted(match, retrieved, self.source) if match is not None else None
        if quotes:
            yield Quoted(quotes.text, quotes.citations)
        async with self.runtime.lease(options.model) as engine:
            if mode == "auto":
                await self.runtime.is_capable(engine, options.model)
            told = PromptChoice(self.source, self.conversation, engine, retrieved, options, match)
            async with aclosing(told.steps()) as preparing:
                async for step in preparing:
                    if isinstance(step, Prompt):
                        draft = _Draft(step)
                    else:
                        yield step
            async with aclosing(self._written(engine, draft, options)) as writing:
                async for event in writing:
                    yield event
        grounded = await self._checked(retrieved, draft, answerability, options, quotes)
        answer = finished(retrieved, draft.prompt.hits, grounded, quotes)
        yield Done(replace(answer, finish=draft.finish, model=engine.model))

    async def _written(
        self, engine: Engine, draft: _Draft, options: AskOptions
    ) -> AsyncGenerator[Thought | Delta]:
        """What the model writes; `draft` has the answer so far."""
        if draft.prompt.answer:
            draft.text = draft.prompt.answer
            yield Delta(draft.text)
            return
        if options.begun:
            draft.text = options.begun
            yield Delta(draft.text)
        async with aclosing(pieces_of(engine, draft.prompt, options, self.settings)) as pieces:
            async for piece in pieces:
                draft.text = (options.begun if piece.restart else draft.text) + piece.text
                draft.finish = piece.finish or draft.finish
                if piece.thought or piece.restart:
                    yield Thought(piece.thought, piece.restart)
                if piece.text:
                    yield Delta(piece.text)
                end = loop_start(draft.text) if options.schema is None else None
                if end is not None:
                    draft.text = draft.text[:end]
                    return

    async def _checked(
        self,
        retrieved: Retrieved,
        draft: _Draft,
        answerability: Answerability,
        options: AskOptions,
        quotes: Grounded | None,
    ) -> Grounded:
        """The answer as it is told; the conversation has its turn then."""
        prompt, structured = draft.prompt, options.schema is not None
        cited = quotes.citations if quotes else ()
        words = await self._grounded(
            retrieved.question, draft.text, prompt, cited, structured=structured
        )
        said = draft.text if quotes is None or verified(words) else unmarked(quotes)
        self._remember(prompt.turn(retrieved.question, said))
        unlikely = self._is_unlikely(answerability)
        if quotes is None or (unlikely and words.refused):
            taken_back = unlikely and nothing_supported(words)
            return refused(retrieved, prompt, words, answerability, taken_back=taken_back)
        return quotes_first(quotes, words)

    async def _without_model(
        self, retrieved: Retrieved, answerability: Answerability, options: AskOptions
    ) -> Answer | None:
        """The answer where no model is asked: a computation, a refusal, or quotes if these are
        wanted. Raises EmbeddingError."""
        plain = options.schema is None and not options.whole
        if plain and (told := await computed_answer(retrieved, self.source)):
            self._remember(Turn(retrieved.question, retrieved.question, told.text))
            return told
        found = retrieved.hits or options.whole
        if answerability.likely < self.settings.refusal_threshold or not found:
            self._remember(Turn(retrieved.question, retrieved.question, NOT_SAID))
            return refusal(retrieved, answerability)
        if options.schema is not None or self._mode(retrieved, options) != "only":
            return None
        match = await nearest(retrieved, self.source)
        quotes = await quoted(match, retrieved, self.source)
        if quotes is None:
            self._remember(Turn(retrieved.question, retrieved.question, NOT_SAID))
            return refusal(retrieved, answerability)
        self._remember(Turn(retrieved.question, retrieved.question, unmarked(quotes)))
        return finished(retrieved, retrieved.hits, quotes, quotes)

    def _mode(self, retrieved: Retrieved, options: AskOptions) -> QuotesMode:
        """Quotes begin no JSON, and no answer about documents as a whole."""
        mode = quotes_mode(options.quotes, self.settings.quotes)
        whole = options.whole or is_broad(retrieved.question)
        return "off" if options.schema is not None or (whole and mode != "only") else mode

    async def _match(
        self, retrieved: Retrieved, mode: QuotesMode, options: AskOptions
    ) -> QuestionMatch | None:
        """What the answer's quotes are taken from, before the model is even loaded; None where it
        begins with none. Raises EmbeddingError."""
        if mode == "off" or not retrieved.hits:
            return None
        if mode == "auto" and self.runtime.expects_capable(options.model):
            return None
        return await nearest(retrieved, self.source)

    def _is_unlikely(self, answerability: Answerability) -> bool:
        """With a threshold of 0 nothing is refused, before the answer or behind it."""
        return self.settings.refusal_threshold > 0 and answerability.likely < UNSUPPORTED

    async def _answerability(self, retrieved: Retrieved, options: AskOptions) -> Answerability:
        """Raises EmbeddingError."""
        if options.whole or is_broad(retrieved.question):
            return Answerability()
        source = self.source
        embedder, calibration = await asyncio.gather(source.embedder(), source.calibration())
        return await estimate_answerability(retrieved, embedder, calibration)

    def _remember(self, turn: Turn) -> None:
        self.conversation.turns.append(turn)

    async def _grounded(
        self,
        question: str,
        text: str,
        prompt: Prompt,
        cited: Sequence[Citation],
        *,
        structured: bool,
    ) -> Grounded:
        """The answer with every citation checked against the passages of the prompt."""
        pages = await pages_of(prompt.hits, self.source)
        if structured:
            return await asyncio.to_thread(ground_fields, text, prompt.hits, pages, question)
        verifier = await self.runtime.verifier()
        return await asyncio.to_thread(
            ground, text, prompt.hits, pages, question, prompt.numbers, verifier, cited
        )
