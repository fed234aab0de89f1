"""What running one question gave, and the run file that other judges read."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self, TextIO

from rag.types import Citation, Hit


@dataclass(frozen=True, slots=True)
class RetrievedPassage:
    """A retrieved passage. `tokens` are the embedder's, header included."""

    doc: str  # file name
    page: int  # that it begins on, from 1
    text: str
    tokens: int

    @classmethod
    def of(cls, hit: Hit) -> RetrievedPassage:
        chunk = hit.chunk
        return cls(hit.document.name, chunk.first_page, chunk.text, chunk.tokens)


@dataclass(frozen=True, slots=True)
class CitedPage:
    """Where a citation of an answer points."""

    doc: str
    page: int

    @classmethod
    def of(cls, citation: Citation) -> CitedPage:
        return cls(citation.document.name, citation.page)


@dataclass(frozen=True, slots=True)
class Record:
    """One question's run. What only an answer has is None where none was asked for.

    `likely` is how likely the passages hold the answer, by the rule that refuses (0 to 1); None
    where the rule does not know the embedder.
    Times are milliseconds: `embed_ms` of the question alone, `search_ms` of the rest of retrieval.
    """

    id: str
    retrieved: tuple[RetrievedPassage, ...]
    likely: float | None
    embed_ms: float
    search_ms: float
    answer: str | None = None
    citations: tuple[CitedPage, ...] = ()
    abstained: bool | None = None
    answer_ms: float | None = None
    error: str | None = None  # why the engine gave no answer
    metrics: Mapping[str, float] = field(default_factory=dict)

    @property
    def pages(self) -> list[tuple[str, int]]:
        return [(passage.doc, passage.page) for passage in self.retrieved]

    @property
    def documents(self) -> list[str]:
        return [passage.doc for passage in self.retrieved]

    def to_run(self) -> dict[str, Any]:
        """The line of a run file: `{id, retrieved, answer, citations, abstained}`."""
        return {
            "id": self.id,
            "retrieved": [{"doc": p.doc, "page": p.page, "text": p.text} for p in self.retrieved],
            "answer": self.answer,
            "citations": [asdict(place) for place in self.citations],
            "abstained": self.abstained,
        }

    def to_json(self) -> dict[str, Any]:
        """Everything, for the per-question file of `rag eval --out`."""
        return asdict(self)


class RecordFiles:
    """Writes each record as it comes, so that a run that is stopped leaves what it had.

    A context manager. `detailed` gets everything of a record, `run_file` its line of a run file.
    """

    def __init__(self, *, detailed: Path | None = None, run_file: Path | None = None) -> None:
        self._wanted = {detailed: Record.to_json, run_file: Record.to_run}
        self._open: list[tuple[TextIO, Callable[[Record], dict[str, Any]]]] = []

    def __enter__(self) -> Self:
        for path, form in self._wanted.items():
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
                self._open.append((path.open("w", encoding="utf-8"), form))
        return self

    def __exit__(self, *_: object) -> None:
        for file, _form in self._open:
            file.close()

    def write(self, record: Record) -> None:
        for file, form in self._open:
            file.write(json.dumps(form(record), ensure_ascii=False) + "\n")
            file.flush()


def percentile(values: Sequence[float], share: float) -> float | None:
    """The value below which `share` of the values lie, interpolated. None of nothing."""
    import numpy as np

    return float(np.quantile(values, share)) if values else None
