"""A request for an answer, in its session: what came before goes in, what comes out is kept."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any

from rag.answering.conversation import Conversation, Turn
from rag.errors import IndexMissing, IndexPending, RagError
from rag.events import AnswerEvent, Delta, Done, Thought
from rag.pipeline import Pipeline
from rag.sessions.store import Sessions, SessionTurn, TurnState
from rag.verification.structured import sources_of
from service.jobs import Waiting
from service.models_api import require_known
from service.problems import problem_of
from service.schemas import AnswerOut, Query
from service.state import State
from service.wire import Wire


@dataclass(slots=True)
class AskRequest:
    """One question on its way through the pipeline."""

    state: State
    query: Query
    pipeline: Pipeline
    wire: Wire
    earlier: Conversation
    begun: str = ""  # of an answer that broke off, which this one goes on from
    turn_id: int | None = None
    pending: int = 0  # files that were being read when the search began

    @classmethod
    async def open(cls, state: State, query: Query) -> AskRequest:
        """Raises SessionNotFound, ModelNotFound."""
        collection, earlier, begun = query.collection, Conversation.of(query.messages), ""
        if query.session_id is not None:
            sessions, id_ = state.sessions, query.session_id
            session = await sessions.get(id_)
            turns = await sessions.turns(id_, before=query.replaces or query.continues)
            collection, earlier = collection or session.collection, _conversation_of(turns)
            if query.continues is not None:
                begun = await _begun(sessions, id_, query.continues)
        await require_known(state, query.model)
        pipeline = state.pipeline(collection)
        wire = state.wire(pipeline.settings.collection)
        return cls(state, query, pipeline, wire, earlier, begun)

    async def events(self) -> AsyncGenerator[AnswerEvent | Waiting]:
        """The pipeline's events, behind those of a wait. However they end, the turn says how; an
        answer is told once it is kept, so that the next question finds it."""
        query, sessions = self.query, self.state.sessions
        if query.session_id is not None:
            self.turn_id = await sessions.begin(
                query.session_id, query.question, replaces=query.replaces or query.continues
            )
        outcome: TurnState = "stopped"
        text, details = "", dict[str, Any]()
        started = drafted = time.perf_counter()
        try:
            async with aclosing(self._asked()) as events:
                async for event in events:
                    if isinstance(event, Delta):
                        if not text:
                            self.state.metrics.first_token.observe(time.perf_counter() - started)
                        text += event.text
                        if self.turn_id is not None and time.perf_counter() > drafted + _DRAFT_S:
                            await sessions.draft(self.turn_id, text)
                            drafted = time.perf_counter()
                    elif isinstance(event, Thought):
                        text = self.begun if event.restart else text
                    elif isinstance(event, Done):
                        await self._keep(event)
                        outcome = "done"
                    yield event
        except RagError as error:
            outcome, details = "failed", {"problem": problem_of(error)}
            raise
        finally:
            self.state.metrics.answers.labels(outcome).inc()
            if self.turn_id is not None and outcome != "done":
                await sessions.end(self.turn_id, outcome, text, details)

    async def _asked(self) -> AsyncGenerator[AnswerEvent | Waiting]:
        """Raises IndexPending where nothing is read yet, and something soon is."""
        query, jobs, collection = self.query, self.state.jobs, self.wire.collection
        if query.wait:
            async for waiting in jobs.waiting(collection):
                yield waiting
            await self.pipeline.refresh()
        self.pending = jobs.files_left(collection)
        events = self.pipeline.ask(
            query.question,
            scope=query.scope,
            options=replace(query.options, begun=self.begun),
            conversation=self.earlier,
        )
        try:
            async with aclosing(events):
                async for event in events:
                    yield event
        except IndexMissing as error:
            if not self.pending:
                raise
            raise IndexPending(f"{self.pending} files of {collection} are being read") from error

    async def _keep(self, done: Done) -> None:
        if self.turn_id is not None:
            details = self.answer(done).model_dump(mode="json", exclude=_NOT_KEPT)
            details[AS_READ] = self.earlier.turns[-1].to_json()
            await self.state.sessions.end(self.turn_id, "done", done.answer.text, details)

    def answer(self, done: Done) -> AnswerOut:
        answer, query = done.answer, self.query
        structured = query.answer_schema is not None and not answer.refused
        added = {
            "fields": sources_of(answer) if structured else None,
            "session_id": query.session_id,
            "turn_id": self.turn_id,
            "pending": self.pending,
        }
        return self.wire.answer(answer).model_copy(update=added)


_DRAFT_S = 1.0  # of an answer's text are lost in a crash, at most


async def _begun(sessions: Sessions, id_: str, turn: int) -> str:
    """The text of a turn that broke off, without the word that it broke off in."""
    turns = await sessions.turns(id_)
    text = next((each.text for each in turns if each.id == turn), "")
    return _LAST_WORD.sub("", text)


_LAST_WORD = re.compile(r"\S+\Z")
# Under this key of a turn's details stands the turn as the model read and wrote it: the next prompt
# begins as this one did, and the engine's prefix cache has it. Not for the wire.
AS_READ = "as_read"
# The passages of an answer are in the index; a session keeps what was cited of them.
_NOT_KEPT = {"hits", "html", "session_id", "turn_id"}


def _conversation_of(turns: Iterable[SessionTurn]) -> Conversation:
    """The answered turns of a session, as the model had them where that was kept."""
    answered = [turn for turn in turns if turn.state == "done" and turn.text]
    return Conversation(
        Turn.from_json(turn.details[AS_READ])
        if AS_READ in turn.details
        else Turn(turn.question, turn.question, turn.text)
        for turn in answered
    )
