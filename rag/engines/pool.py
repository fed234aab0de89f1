"""The chat models in memory: several at once, within a budget, swapped while answers run.

Whoever answers holds a lease. A model that is unloaded while leased takes no new answers and is
closed when its last lease ends, so an answer always finishes on the model that began it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from rag.config import Settings
from rag.engines.base import Engine
from rag.errors import EngineBusy, ModelLoadFailed, ModelNotFound

OpenEngine = Callable[[Settings], Awaitable[Engine]]
Measure = Callable[[Settings], Awaitable[int]]


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model in memory. `size` is that of its weights in bytes, 0 where another host holds it."""

    name: str
    size: int
    answering: int
    default: bool


@dataclass(slots=True, eq=False)
class _Slot:
    engine: Engine
    size: int
    users: int = 0
    retired: bool = False
    used: float = field(default_factory=time.monotonic)


class Engines:
    """Chat models by name; None names the default one. Opened when first leased."""

    def __init__(
        self, settings: Settings, open_engine: OpenEngine, measure: Measure, *, budget: int | None
    ) -> None:
        """`measure` tells a model's size in bytes before it is opened; `budget` bounds the sum."""
        self.settings = settings
        self.budget = budget
        self.default = settings.chat_model
        self._open_engine = open_engine
        self._measure = measure
        self._slots: dict[str, _Slot] = {}
        # Unloaded, but still in memory for the answers that they began.
        self._leaving: list[_Slot] = []
        self._loading: dict[str, asyncio.Task[_Slot]] = {}
        self._one_at_a_time = asyncio.Lock()

    def adopt(self, engine: Engine) -> None:
        """Take an open engine as the default one."""
        self.default = engine.model
        self._slots[engine.model] = _Slot(engine, 0)

    def loaded(self) -> list[LoadedModel]:
        return [
            LoadedModel(slot.engine.model, slot.size, slot.users, name == self.default)
            for name, slot in self._slots.items()
        ]

    @property
    def default_name(self) -> str:
        """The default model's own name once it is loaded; before that, the configured one."""
        slot = self._slots.get(self.default)
        return slot.engine.model if slot else self.default

    def opened(self, name: str | None = None) -> Engine | None:
        """The model, if it is in memory. Whoever wants to ask it takes a lease."""
        slot = self._slots.get(self._key(name or self.default))
        return slot.engine if slot else None

    @asynccontextmanager
    async def lease(self, name: str | None = None) -> AsyncIterator[Engine]:
        """The model, kept open until the block ends. Raises ModelError, EngineBusy (no room)."""
        slot = await self._slot(name or self.default)
        slot.users += 1
        slot.used = time.monotonic()
        try:
            yield slot.engine
        finally:
            slot.users -= 1
            await self._close_if_done(slot)

    async def load(self, name: str, *, default: bool = False) -> None:
        """Load a model; with `default`, questions that name no model go to it from now on."""
        await self._slot(name)
        if default:
            self.default = self._key(name)

    async def unload(self, name: str) -> None:
        """Take no new answers with this model; it is closed when those under way are done."""
        slot = self._slots.pop(self._key(name), None)
        if slot is None:
            raise ModelNotFound(f"the model {name!r} is not loaded", hint="See GET /models.")
        slot.retired = True
        self._leaving.append(slot)
        await self._close_if_done(slot)

    async def close(self) -> None:
        for task in self._loading.values():
            task.cancel()
        await asyncio.gather(*self._loading.values(), return_exceptions=True)
        while self._slots:
            await self._slots.popitem()[1].engine.close()

    # ── inside ────────────────────────────────────────────────────────────────────────────────

    def _key(self, name: str) -> str:
        """The name it was loaded under: "auto" and the name that it stands for are one model."""
        if name in self._slots:
            return name
        named = (key for key, slot in self._slots.items() if slot.engine.model == name)
        return next(named, name)

    async def _slot(self, name: str) -> _Slot:
        while True:
            key = self._key(name)
            if slot := self._slots.get(key):
                return slot
            if key not in self._loading:
                task = asyncio.create_task(self._load(key))
                task.add_done_callback(lambda _, key=key: self._loading.pop(key, None))  # type: ignore[misc]
                self._loading[key] = task
            # Shielded: others may wait for the same model when this caller goes away.
            await asyncio.shield(self._loading[key])

    async def _load(self, name: str) -> _Slot:
        settings = self.settings.model_copy(update={"chat_model": name})
        async with self._one_at_a_time:
            size = await self._measure(settings)
            await self._make_room(name, size)
            slot = _Slot(await self._open_engine(settings), size)
            self._slots[name] = slot
            return slot

    async def _make_room(self, name: str, size: int) -> None:
        """Unload idle models, the longest unused first, until `size` bytes fit the budget."""
        if self.budget is None:
            return
        if size > self.budget:
            raise ModelLoadFailed(
                f"{name} takes {size >> 20} MiB, the budget for models is {self.budget >> 20} MiB",
                hint="Raise model_memory_mb, or choose a smaller model.",
            )
        idle = sorted(
            (key for key, slot in self._slots.items() if not slot.users),
            key=lambda key: self._slots[key].used,
        )
        while self._held() + size > self.budget:
            if not idle:
                raise EngineBusy(f"no room for {name}: every loaded model is answering")
            await self.unload(idle.pop(0))

    def _held(self) -> int:
        return sum(slot.size for slot in (*self._slots.values(), *self._leaving))

    async def _close_if_done(self, slot: _Slot) -> None:
        if slot.retired and not slot.users:
            await slot.engine.close()
            self._leaving.remove(slot)
