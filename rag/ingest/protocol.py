"""What the parent and its extraction workers say to each other.

A frame is 4 bytes of length (little endian) and a pickle. The parent sends one Setup, then Tasks;
the worker sends Ready, and for each task MoreTime (any number of times), then Extracted or Failed.
"""

from __future__ import annotations

import pickle
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rag.config import Extraction
from rag.errors import ExtractionError
from rag.types import Chunk, ParsedDocument

Work = Literal["", "ocr", "layout"]
HEADER_SIZE = 4
_HEADER = struct.Struct("<I")


@dataclass(frozen=True, slots=True)
class Extracted:
    """A file's text and its chunks. `seconds` is the worker's time."""

    document: ParsedDocument
    chunks: tuple[Chunk, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class Setup:
    limits: Extraction
    tokenizer_file: Path
    chunk_tokens: int


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
    work: Work


@dataclass(frozen=True, slots=True)
class Failed:
    """The error, as its class: an exception's extra state would not survive pickling."""

    error: type[ExtractionError]
    message: str


def pack(message: Any) -> bytes:
    data = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
    return _HEADER.pack(len(data)) + data


def frame_length(header: bytes) -> int:
    return int(_HEADER.unpack(header)[0])
