"""One file to text and chunks, in whatever process."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from rag.embedders.tokenizer import count, open_tokenizer
from rag.errors import DamagedFile, ExtractionError, LimitExceeded
from rag.ingest.chunking import chunk_document
from rag.ingest.messages import Extracted, Setup
from rag.readers.base import ExtraTime, no_limit
from rag.readers.document import parse_document

TokenCounter = Callable[[Sequence[str]], list[int]]


def prepare(setup: Setup) -> TokenCounter:
    """Once a process: silences MuPDF, which prints what it thinks of a file; returns what measures
    texts in the embedder's tokens. Raises ModelLoadFailed."""
    import pymupdf

    pymupdf.TOOLS.mupdf_display_errors(False)
    pymupdf.TOOLS.mupdf_display_warnings(False)
    return partial(count, open_tokenizer(setup.tokenizer_file))


def extract_file(
    setup: Setup,
    path: Path,
    count_tokens: TokenCounter,
    *,
    password: str | None = None,
    layout: bool | None = None,
    extra: ExtraTime = no_limit,
) -> Extracted:
    """Raises ExtractionError subclasses only. `layout` overrules the limits' own."""
    started = time.perf_counter()
    limits = setup.limits
    if layout is not None:
        limits = limits.model_copy(update={"layout": layout})
    try:
        document = parse_document(path, limits, password=password, extra=extra)
        chunks = chunk_document(document, limit=setup.chunk_tokens, count_tokens=count_tokens)
    except ExtractionError:
        raise
    except MemoryError:
        raise LimitExceeded(
            f"{path.name}: needs more than {limits.memory_mb} MiB of memory"
        ) from None
    except RecursionError:
        raise LimitExceeded(f"{path.name}: nested too deeply") from None
    except FileNotFoundError as error:
        raise DamagedFile(
            f"{path.name}: went away before it was read", hint="Run the command again."
        ) from error
    except OSError as error:
        raise DamagedFile(f"{path.name}: cannot be read ({error.strerror})") from error
    except Exception as error:  # the edge to the file's content: this file fails, no other
        raise DamagedFile(f"{path.name}: reading it failed ({error!r})") from error
    return Extracted(document, tuple(chunks), time.perf_counter() - started)
