"""What the parent and its extraction workers say to each other.

The parent sends one Setup, then Tasks; the worker sends Ready, and for each task MoreTime (any
number of times), then Extracted or Failed.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rag.config import Extraction
from rag.errors import ExtractionError
from rag.process_memory import SYSTEM_KEEPS_LIMITS
from rag.readers.base import ExtraWork
from rag.types import Chunk, ParsedDocument


@dataclass(frozen=True, slots=True)
class Extracted:
    """A file's text and its chunks. `seconds` is the worker's time."""

    document: ParsedDocument
    chunks: tuple[Chunk, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class Setup:
    """By what all files of an ingest are read and cut. Whatever extracts needs no more of settings;
    the tokenizer is the embedding model's, by which chunks are measured. `watched`: a worker's
    memory is limited by its parent, and not by itself."""

    limits: Extraction
    tokenizer_file: Path
    chunk_tokens: int
    watched: bool = not SYSTEM_KEEPS_LIMITS


@dataclass(frozen=True, slots=True)
class Task:
    path: Path
    password: str | None
    layout: bool  # whether layout analysis may be used


@dataclass(frozen=True, slots=True)
class Ready:
    """The worker has imported what it needs."""


@dataclass(frozen=True, slots=True)
class MoreTime:
    """Dearer work begins: it may take so many seconds on top. When it is done (`work` is then ""),
    the seconds are negative: what was not used is given back.
    """

    seconds: float
    work: ExtraWork


@dataclass(frozen=True, slots=True)
class Failed:
    """The error, taken apart: an exception's extra state would not survive pickling."""

    error: type[ExtractionError]
    message: str
    hint: str
