"""Where the documents are that an answer rests on, and the models that make it."""

from __future__ import annotations

from typing import Protocol

from rag.answering.map_reduce import Pages
from rag.calibration import Calibration
from rag.config import Settings
from rag.embedders.base import Embedder
from rag.runtime import Runtime
from rag.types import Document


class Source(Pages, Protocol):
    """A Pipeline."""

    settings: Settings
    runtime: Runtime

    async def embedder(self) -> Embedder:
        """The one that made the index."""

    async def calibration(self) -> Calibration | None:
        """What its cosines are worth there; None where it was not measured."""

    async def documents(self) -> list[Document]:
        """All of the collection."""
