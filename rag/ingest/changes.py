"""What the system tells of changes below folders, whatever befalls its watcher."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rag.paths import located
from rag.readers.formats import SUFFIXES

if TYPE_CHECKING:
    from watchfiles import Change

# A copy of a large file changes it many times: wait until nothing has changed for this long.
QUIET_MS: Final = 1000
# But take up what has arrived after this long, should changes never cease.
LONGEST_MS: Final = 15_000
_TICK_MS: Final = 2000  # how often the folders themselves are looked at
_POLL_MS: Final = 5000  # where the system tells nothing
_PAUSES_S: Final = (1.0, 1.0, 2.0, 5.0, 10.0, 30.0)  # before a watcher that failed is set up anew
_FORGOTTEN_S: Final = 120.0  # after which a failure is the first one again
# What watchfiles raises: its own kind of RuntimeError, inside a group that names nothing.
_FAILURES: Final = (OSError, RuntimeError, ExceptionGroup)


class Changes:
    """Waits for changes of documents below folders, until `stop` is set.

    `notice` is told once of what keeps the system from telling. Changes below `own` do not count.
    """

    def __init__(
        self,
        folders: Sequence[Path],
        own: Sequence[Path],
        stop: asyncio.Event | None,
        *,
        rescan_s: float,
        notice: Callable[[str], None],
    ) -> None:
        self._folders = [located(folder) for folder in folders]
        self._own = [located(folder) for folder in own]
        self._stop = stop or asyncio.Event()
        self._rescan_s = rescan_s
        self._notice = notice
        self._polling = False
        self._failed: list[float] = []  # when the watcher did, lately
        self._looked = time.monotonic()
        self._roots: list[tuple[int, int] | None] = []
        self._changes: AsyncGenerator[set[tuple[Change, str]]] | None = None
        self._next: asyncio.Future[set[tuple[Change, str]] | None] | None = None

    async def start(self) -> None:
        """From now on every change counts."""
        from watchfiles import awatch

        self._roots = [_identity(folder) for folder in self._folders]
        self._changes = awatch(
            *(folder for folder in self._folders if folder.is_dir()),
            watch_filter=self.concern,
            step=QUIET_MS,
            debounce=LONGEST_MS,
            stop_event=self._stop,
            rust_timeout=_TICK_MS,
            yield_on_timeout=True,
            force_polling=self._polling or None,
            poll_delay_ms=_POLL_MS,
            ignore_permission_denied=True,
        )
        self._next = asyncio.ensure_future(anext(self._changes, None))
        await asyncio.sleep(0)  # its task runs up to its first wait, which is after it subscribed

    async def wait(self) -> bool:
        """Until something has changed, or may have; False when it is to stop."""
        while not self._stop.is_set():
            changed = await self._changed()
            if self._stop.is_set():
                break
            if changed or await self._moved() or time.monotonic() - self._looked > self._rescan_s:
                self._looked = time.monotonic()
                return True
        return False

    async def close(self) -> None:
        """Unsubscribes. May be called twice."""
        if self._next is not None:
            self._next.cancel()
            with suppress(asyncio.CancelledError, *_FAILURES):
                await self._next
        if self._changes is not None:
            await self._changes.aclose()
        self._next = self._changes = None

    async def _changed(self) -> bool:
        """What the watcher says next; where it fails a new one takes over, and all may have
        changed."""
        assert self._next is not None
        assert self._changes is not None
        try:
            changes = await self._next
        except _FAILURES as error:
            await self._recover(error)
            return True
        self._next = asyncio.ensure_future(anext(self._changes, None))
        return bool(changes)

    async def _recover(self, error: Exception) -> None:
        """A file name that is no UTF-8 makes watchfiles fail: that passes. Where no watcher can be
        had (the system allows no more of them, say), files are looked at now and then."""
        if isinstance(error, OSError) and not isinstance(error, FileNotFoundError):
            if not self._polling:
                self._notice(f"the system does not tell of changes ({error}); looking for them")
            self._polling = True
        now = time.monotonic()
        self._failed = [*(at for at in self._failed if now - at < _FORGOTTEN_S), now]
        await asyncio.sleep(_PAUSES_S[min(len(self._failed), len(_PAUSES_S)) - 1])
        await self.start()

    async def _moved(self) -> bool:
        """A folder went, came or was replaced (a disk that is mounted, say): subscribe anew."""
        if self._roots == [_identity(folder) for folder in self._folders]:
            return False
        await self.close()
        await self.start()
        return True

    def concern(self, change: Change, name: str) -> bool:
        """Whether a change is one of documents, or of a folder: one that is moved
        here brings its files without a word of them."""
        path = Path(name)
        if _is_hidden(path, self._folders) or any(path.is_relative_to(own) for own in self._own):
            return False
        suffix = path.suffix.lower()
        # What is deleted cannot be asked whether it was a folder.
        return suffix in SUFFIXES or path.is_dir() or (change.name == "deleted" and not suffix)


def _is_hidden(path: Path, folders: Sequence[Path]) -> bool:
    for folder in folders:
        if path.is_relative_to(folder):
            return any(part.startswith(".") for part in path.relative_to(folder).parts)
    return False


def _identity(folder: Path) -> tuple[int, int] | None:
    """Which folder it is, whatever its name; None while there is none."""
    try:
        found = folder.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
