"""The memory of another process, watched from outside: where the system keeps no limit itself.

Linux keeps RLIMIT_AS. macOS takes it for some sizes, refuses it for others, and keeps it for none.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import suppress
from typing import Final

SYSTEM_KEEPS_LIMITS: Final = sys.platform == "linux"
EVERY_S: Final = 0.1  # a worker that fills its memory does so at a gigabyte a second at most


async def end_beyond(process_id: int, megabytes: int, *, every_s: float = EVERY_S) -> None:
    """Kill the process as soon as it holds so much more than now; back when it is gone.

    Counts resident memory, where RLIMIT_AS counts what is reserved. Cancelling it ends the watch.
    """
    import psutil

    with suppress(psutil.NoSuchProcess, ProcessLookupError):
        process = psutil.Process(process_id)
        limit = process.memory_info().rss + megabytes * 2**20
        while process.memory_info().rss <= limit:  # noqa: ASYNC110 - nobody tells of a change
            await asyncio.sleep(every_s)
        os.kill(process_id, signal.SIGKILL)
