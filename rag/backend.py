"""What answers questions about a collection, in this process or in another."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Protocol

from rag.events import AnswerEvent, Retrieved
from rag.options import AskOptions, Scope
from rag.types import Document, Message

if TYPE_CHECKING:
    from rag.answering.conversation import Conversation


class Backend(Protocol):
    """A Pipeline, or the client of a service that has one."""

    @property
    def url(self) -> str | None:
        """Where the service answers; None in this process."""

    async def search(
        self,
        question: str,
        history: Sequence[Message] = (),
        *,
        k: int | None = None,
        scope: Scope | None = None,
    ) -> Retrieved:
        """The k passages that matter most. Raises IndexMissing, InvalidQuestion,
        DocumentNotFound."""

    def ask(
        self,
        question: str,
        history: Sequence[Message] = (),
        *,
        scope: Scope | None = None,
        options: AskOptions | None = None,
        conversation: Conversation | None = None,
    ) -> AsyncGenerator[AnswerEvent]:
        """Answer from the documents: Retrieved, Quoted where the answer begins with the passages'
        own sentences, MapProgress… where documents are read whole, Delta…, then Done. Closing it
        stops the answer.

        A `conversation` stands in for `history` and has one turn more afterwards. Raises what
        `search` does, EngineError, ModelError and InvalidSchema.
        """

    async def documents(self) -> list[Document]:
        """All of the collection. Raises IndexMissing."""

    async def find(self, name: str) -> list[Document]:
        """Documents that answer to a name. Raises DocumentNotFound, naming near misses."""

    async def load(self, model: str | None) -> str:
        """Have a chat model at hand (None: the default); returns its name. Raises ModelError."""

    def loading(self, model: str | None) -> AbstractAsyncContextManager[None]:
        """Have a chat model loaded while the block runs. Errors are left to who asks the model."""
