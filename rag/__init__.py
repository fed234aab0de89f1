"""Private question answering over one's own PDFs, wholly on one's own machine.

The names below are the library's face (docs/python.md). They are imported when they are used first:
`import rag` alone loads none of what they need.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rag import errors, events, types
    from rag.answering.conversation import Conversation
    from rag.api import Collection, open_collection
    from rag.config import Settings, load_settings
    from rag.errors import RagError
    from rag.events import (
        AnswerEvent,
        Delta,
        Done,
        FileFailed,
        FileIngested,
        IngestEvent,
        Quoted,
        Retrieved,
        Summary,
    )
    from rag.options import AskOptions, PageRange, Scope
    from rag.types import Answer, Citation, Claim, Document, Hit, Message

# Idle threads of OpenBLAS (NumPy's and the one behind MLX) spin for 2^26 cycles before they sleep.
# An answer is thousands of small products with other work between them: on sixteen cores two thirds
# of its CPU time went there (benchmarks/LOG.md). Read when OpenBLAS is loaded: before NumPy is.
os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "8")
# From 1.29 on ONNX Runtime's wheels write a device id to the user's cache and send events about
# models and runs to Microsoft (its Privacy.md). Nothing leaves the machine here, so no setting
# turns it on; its own call comes too late, after a first event. Read when ONNX Runtime is loaded.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
# The same for what loads models from a hub's cache.
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"

_HOME = {
    "Conversation": "rag.answering.conversation",
    **dict.fromkeys(("Collection", "open_collection"), "rag.api"),
    **dict.fromkeys(("Settings", "load_settings"), "rag.config"),
    "RagError": "rag.errors",
    **dict.fromkeys(
        (
            "AnswerEvent",
            "Delta",
            "Done",
            "FileFailed",
            "FileIngested",
            "IngestEvent",
            "Quoted",
            "Retrieved",
            "Summary",
        ),
        "rag.events",
    ),
    **dict.fromkeys(("AskOptions", "PageRange", "Scope"), "rag.options"),
    **dict.fromkeys(("Answer", "Citation", "Claim", "Document", "Hit", "Message"), "rag.types"),
}
_MODULES = ("errors", "events", "types")

__all__ = [
    "Answer",
    "AnswerEvent",
    "AskOptions",
    "Citation",
    "Claim",
    "Collection",
    "Conversation",
    "Delta",
    "Document",
    "Done",
    "FileFailed",
    "FileIngested",
    "Hit",
    "IngestEvent",
    "Message",
    "PageRange",
    "Quoted",
    "RagError",
    "Retrieved",
    "Scope",
    "Settings",
    "Summary",
    "errors",
    "events",
    "load_settings",
    "open_collection",
    "types",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"rag.{name}")
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'rag' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *__all__]
