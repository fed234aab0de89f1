"""Other processes of this program, and how they are spoken to: in frames, which are 4 bytes of
length (little endian) and a pickle.
"""

from __future__ import annotations

import asyncio
import math
import os
import pickle
import signal
import struct
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import rag

_HEADER = struct.Struct("<I")
_LARGE = 1 << 20  # bytes; unpickled in a thread, so that the event loop goes on


class WorkerProcess:
    """A module of this package that runs as a program. Make one with `start`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, module: str, *, quiet: bool = False, **environment: str) -> WorkerProcess:
        """`quiet` drops what it writes to stderr."""
        # This very package, wherever it was imported from.
        root = str(Path(rag.__file__).parent.parent)
        paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", module),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL if quiet else None,
            process_group=0,  # Ctrl-C is this process's to handle
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), **environment},
        )
        return cls(process)

    @property
    def id(self) -> int:
        return self._process.pid

    async def send(self, message: Any) -> None:
        """Raises ConnectionError where the process has ended."""
        assert self._process.stdin is not None
        self._process.stdin.write(_packed(message))
        await self._process.stdin.drain()

    async def receive(self) -> Any:
        """Raises IncompleteReadError where the process has ended."""
        assert self._process.stdout is not None
        length = _length(await self._process.stdout.readexactly(_HEADER.size))
        data = await self._process.stdout.readexactly(length)
        loads: Callable[[bytes], Any] = pickle.loads
        return await asyncio.to_thread(loads, data) if length > _LARGE else loads(data)

    async def kill(self) -> None:
        """Idempotent."""
        if self._process.returncode is None:
            # Not process.kill(): it polls, and so may take the exit code from asyncio's watcher.
            with suppress(ProcessLookupError):
                os.kill(self.id, signal.SIGKILL)
        if self._process.stdin is not None:
            self._process.stdin.close()
        await self._process.wait()

    async def stop(self, seconds: float) -> None:
        """Ask it to end, as Ctrl-C would, and kill it if it has not after `seconds`. Idempotent."""
        if self._process.returncode is None:
            with suppress(ProcessLookupError):
                os.kill(self.id, signal.SIGINT)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), seconds)
        await self.kill()

    async def exit_code(self) -> int:
        """That of a process whose pipes are closed; one that lives on is killed."""
        try:
            return await asyncio.wait_for(self._process.wait(), 5)
        except TimeoutError:
            await self.kill()
            return -signal.SIGKILL


def named(code: int) -> str:
    """How a process ended: "SIGKILL", or "exit code 1"."""
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"exit code {code}"


# ── within such a process ─────────────────────────────────────────────────────────────────────


def pipes() -> tuple[IO[bytes], IO[bytes]]:
    """Where requests come from and answers go. What others print goes to stderr from now on."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return sys.stdin.buffer, answers


def read(stream: IO[bytes]) -> Any:
    """Raises EOFError when the parent has closed the pipe."""
    header = stream.read(_HEADER.size)
    if len(header) < _HEADER.size:
        raise EOFError
    return pickle.loads(stream.read(_length(header)))


def write(stream: IO[bytes], message: Any) -> None:
    stream.write(_packed(message))
    stream.flush()


def limit_memory(megabytes: int) -> None:
    """For the work to come, on top of what the process itself takes.

    Linux only: macOS has no limit that it keeps (rag/process_memory.py), Windows has none.
    """
    with suppress(ImportError, ValueError, OSError):
        import resource

        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * resource.getpagesize() + megabytes * 2**20
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def limit_cpu(seconds: float) -> None:
    """Of the process's life; then the system ends it with SIGXCPU, even if its parent died."""
    with suppress(ImportError, ValueError, OSError):
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_CPU)
        resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(seconds), hard))


def _packed(message: Any) -> bytes:
    data = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
    return _HEADER.pack(len(data)) + data


def _length(header: bytes) -> int:
    return int(_HEADER.unpack(header)[0])
