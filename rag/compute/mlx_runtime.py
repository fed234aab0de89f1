"""Where MLX computes, with which BLAS, and on which thread.

A fast BLAS must be there before MLX is loaded (MiniLM becomes 17 times faster on a CPU), so nothing
in this package imports mlx before `prepare()` has run.
"""

from __future__ import annotations

import asyncio
import functools
import os
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, ParamSpec, TypeVar

from rag.compute import file_limit, openblas

Device = Literal["metal", "cuda", "cpu"]

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Blas:
    """The BLAS behind MLX's CPU backend. `fast` is False for the reference one."""

    name: str
    path: Path | None
    fast: bool


@dataclass(frozen=True, slots=True)
class Pretence:
    """A machine that this one is taken for, with so many bytes of memory (rag/testing.py)."""

    device: Device
    memory: int


_pretence: Pretence | None = None


def pretend(pretence: Pretence | None) -> None:
    """Choose devices, limits and defaults as that machine would; MLX computes where it does."""
    global _pretence
    _pretence = pretence


def pretence() -> Pretence | None:
    return _pretence


def device() -> Device:
    """Where MLX computes by default on this machine."""
    prepare()
    if _pretence is not None:
        return _pretence.device
    import mlx.core as mx

    if not mx.is_available(mx.gpu):
        return "cpu"
    return "metal" if mx.metal.is_available() else "cuda"


def prepare() -> None:
    """Load the fast BLAS, then MLX. Idempotent; call it before anything else imports mlx.

    One matrix product has half the cores as threads, or OPENBLAS_NUM_THREADS: threads that wait for
    each other gain a third on an idle machine and lose five to tenfold on a busy one.
    """
    openblas.load()
    file_limit.keep()
    # Of transformers we use the tokenizers: it need not say on stderr that PyTorch is missing.
    os.environ.setdefault("TRANSFORMERS_NO_ADVISORY_WARNINGS", "1")
    import mlx.core  # noqa: F401


def blas() -> Blas:
    """The BLAS in use, found out and not assumed: for `rag doctor`."""
    prepare()
    if sys.platform == "darwin":
        return Blas("Accelerate", None, fast=True)
    library = openblas.load()
    if library is None:
        return Blas("reference BLAS", None, fast=False)
    return Blas(library.version(), library.path, fast=True)


def blas_threads() -> int | None:
    """Threads of one matrix product, None where that is not OpenBLAS's to say."""
    library = openblas.load()
    return None if library is None else library.threads()


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """In the block a matrix product has one thread; afterwards as many as before. For work that has
    threads of its own, or whose products are too small to share.
    """
    library = openblas.load()
    threads = 1 if library is None else library.threads()
    if library is None or threads == 1:
        yield
        return
    library.use_threads(1)
    try:
        yield
    finally:
        library.use_threads(threads)


class _Streams:
    """Clears a thread's MLX streams. It is held in thread-local storage, so that Python deletes it
    on that thread when the thread ends."""

    def __del__(self) -> None:
        import mlx.core as mx

        mx.synchronize()  # clearing a stream that is still at work ends by SIGSEGV now and then
        mx.clear_streams()


_local = threading.local()


def _begin_thread() -> None:
    prepare()
    # A process ends with SIGABRT ("terminate called…") if a thread left MLX streams behind.
    _local.streams = _Streams()


class MLXThread:
    """The one thread of a process on which all MLX work runs: loading, embedding, generating.

    An MLX array belongs to the stream of the thread that made it, and two threads that compute at
    once have crashed Metal (oMLX #216). Work queues in order, so hand it over in short pieces (one
    batch at a time, awaiting each): then embedding and decoding steps take turns.
    """

    def __init__(self) -> None:
        self.executor = ThreadPoolExecutor(1, thread_name_prefix="mlx", initializer=_begin_thread)

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """`function(*args, **kwargs)` on the thread. MLX lets go of the GIL while it computes."""
        call = functools.partial(function, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self.executor, call)

    def close(self) -> None:
        """Drop what has not begun, wait for what has, end the thread. Idempotent."""
        self.executor.shutdown(wait=True, cancel_futures=True)
