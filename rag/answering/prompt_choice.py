"""What the model is told: passages, sentences, or whole documents, in the budget it has."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

from rag.answering.conversation import Conversation
from rag.answering.full_document import is_broad, is_list
from rag.answering.generation import token_limit
from rag.answering.map_reduce import PART_TOKENS, Reading, Texts, reduced
from rag.answering.prompting import Budget, Prompt, build_prompt
from rag.answering.question_match import QuestionMatch
from rag.answering.quotes_first import nearest
from rag.answering.sentence_prompt import sentence_prompt
from rag.answering.source import Source
from rag.engines.base import Engine
from rag.events import MapProgress, Retrieved
from rag.options import AskOptions
from rag.types import Document, Hit
from rag.verification.structured import instruction

# Prompts on a CPU host are read at some 700 tokens a second, and the starter model loses its way
# among many passages: it answered the demo's questions right from three, one of them wrong from
# eight.
CPU_MESSAGE_TOKENS = 768
# Parts of the prompt's budget that the newest message may take: at first, and in a follow-up, whose
# earlier passages are still there. So that ten turns fit before the oldest must be condensed, which
# costs the engine's cache.
FIRST_SHARE, FOLLOW_UP_SHARE = 2, 12
# A single document of so many pages is given whole if it fits the newest message.
SHORT_PAGES = 10


@dataclass(frozen=True, slots=True)
class PromptChoice:
    """For one question. `match` is what its quotes were taken from, if there were any."""

    source: Source
    conversation: Conversation
    engine: Engine
    retrieved: Retrieved
    options: AskOptions
    match: QuestionMatch | None

    async def steps(self) -> AsyncGenerator[MapProgress | Prompt]:
        """The prompt, last; before it what reading whole documents has to tell. Raises
        EmbeddingError, EngineError, PromptTooLong."""
        budget = self._budget()
        task, schema = self.retrieved.question, self.options.schema
        if schema is not None:
            task = instruction(task, schema)
        texts = await self._texts(budget)
        if texts is None:
            sentences = await self._of_sentences(budget)
            yield sentences or await self._of_passages(task, self.retrieved.hits, budget)
            return
        if self._new(texts) <= (budget.prompt if self.options.whole else budget.message):
            whole = Budget(budget.prompt, budget.prompt, budget.count_tokens)
            prompt = await self._of_passages(task, texts.hits, whole)
            if len(prompt.hits) == len(texts.hits):
                yield MapProgress(1, 1, texts.count, texts.count)
                yield prompt
                return
        verifier = await self.source.runtime.verifier()
        reading = Reading(self.engine, self.retrieved.question, texts, verifier)
        async with aclosing(reading.read(min(budget.message, PART_TOKENS))) as progress:
            async for step in progress:
                yield step
        listed = is_list(self.retrieved.question) and schema is None
        yield reduced(task, reading.notes, texts, budget, listed=listed)

    async def _of_passages(self, question: str, hits: tuple[Hit, ...], budget: Budget) -> Prompt:
        turns = self.conversation.turns
        return await asyncio.to_thread(build_prompt, question, turns, hits, budget)

    async def _of_sentences(self, budget: Budget) -> Prompt | None:
        """Where the model was not measured to be capable. JSON is filled in from passages."""
        settings, runtime = self.source.settings, self.source.runtime
        if self.options.schema is not None or settings.prompt == "passages":
            return None
        if settings.prompt == "auto" and await runtime.is_capable(self.engine, self.options.model):
            return None
        match = self.match or await nearest(self.retrieved, self.source)
        question, turns = self.retrieved.question, self.conversation.turns
        return await asyncio.to_thread(sentence_prompt, question, turns, match, budget)

    def _budget(self) -> Budget:
        from rag.compute.mlx_runtime import device

        engine, settings = self.engine, self.source.settings
        slow = settings.engine_url is None and device() == "cpu"
        written = engine.thinking_tokens + token_limit(engine, self.options, settings)
        room = engine.context_tokens - written
        whole = min(settings.context_tokens or room, room)
        follows = any(turn.passages for turn in self.conversation.turns)
        fresh = whole // (FOLLOW_UP_SHARE if follows else FIRST_SHARE)
        return Budget(whole, min(fresh, CPU_MESSAGE_TOKENS) if slow else fresh, engine.count_tokens)

    async def _texts(self, budget: Budget) -> Texts | None:
        """The documents to give whole, if that is what is wanted."""
        documents: tuple[Document, ...] = self.retrieved.documents
        if self.options.whole and not documents:  # the scope is open: all of them
            documents = tuple({d.id: d for d in await self.source.documents()}.values())
        if self.options.whole is False or not documents:
            return None
        chosen = bool(self.options.whole) or is_broad(self.retrieved.question)
        pages = sum(document.pages for document in documents)
        if not chosen and (len(documents) > 1 or pages > SHORT_PAGES):
            return None
        texts = await Texts.load(documents, self.source, self.retrieved.pages, budget)
        return texts if texts.hits and (chosen or self._new(texts) <= budget.message) else None

    def _new(self, texts: Texts) -> int:
        """Tokens that the conversation does not hold yet."""
        return texts.tokens(self.conversation.shown)
