"""From messages in OpenAI's form to a question of ours, with its history."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from rag.errors import InvalidQuestion, ModelNotFound
from service.ask_request import AskRequest
from service.openai.limits import ChatMessage
from service.openai.tasks import Task, is_task
from service.schemas import QUESTION_CHARS, HistoryMessage, Query
from service.state import State

NAME = "rag"
HISTORY_MESSAGES = 200  # the newest; older ones would not fit any prompt
SOURCES = "\n\n---\n**Sources**\n\n"
CORRECTIONS = "\n\n---\n**Not confirmed by the documents**\n\n"
WITHDRAWN = "\n\n---\n**Withdrawn: nothing in the documents supports the text above**\n\n"
_SPOKEN = re.compile(f"{re.escape(SOURCES)}|{re.escape(CORRECTIONS)}")


async def opened(
    state: State, model: str, messages: Sequence[ChatMessage], param: str = "messages", **how: Any
) -> AskRequest | Task:
    """What is to be answered: a question about the documents, or a chat program's own task. `how`:
    fields of Query. Raises InvalidQuestion, ModelNotFound, Unsupported."""
    collection = collection_of(state, model)
    for message in messages:
        message.require_text(param)
    turns = [message for message in messages if message.role in ("user", "assistant")]
    if not turns or turns[-1].role != "user":
        raise InvalidQuestion("the last message is not the user's")
    question = turns[-1].text
    if is_task(question):
        return Task(state, question, collection, how)
    if len(question) > QUESTION_CHARS:
        raise InvalidQuestion(f"the last message is longer than {QUESTION_CHARS:,} characters")
    history = [_turn(message) for message in turns[-1 - HISTORY_MESSAGES : -1]]
    query = Query.model_construct(question=question, collection=collection, history=history, **how)
    return await AskRequest.open(state, query)


def collection_of(state: State, model: str) -> str | None:
    """The collection that a model's name stands for; None: the default one. Raises
    ModelNotFound."""
    name, _, collection = model.partition("/")
    if name != NAME or (collection and collection not in state.collections()):
        raise ModelNotFound(f"no model {model[:80]!r}", hint="GET /v1/models lists them.")
    return collection or None


def _turn(message: ChatMessage) -> HistoryMessage:
    """What we appended to an earlier answer is no part of what was said; what was withdrawn is."""
    text = message.text.rpartition(WITHDRAWN)[2]
    return HistoryMessage.model_construct(
        role="assistant" if message.role == "assistant" else "user",
        content=_SPOKEN.split(text)[0],
    )
