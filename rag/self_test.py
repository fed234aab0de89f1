"""`rag doctor --self-test`: the promises that depend on the machine, tried on this machine.

With the bundled models and a home of its own, which goes away. Nobody's documents are touched.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
import unicodedata
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

from rag.compute import mlx_runtime
from rag.config import Settings
from rag.engines.base import Engine
from rag.models.registry import BUNDLED_CHAT, BUNDLED_EMBEDDING
from rag.pipeline import Pipeline
from rag.runtime import Runtime
from rag.types import Finish, Message

_SENTENCES = tuple(f"The harbour of Velmora counted {n} ships in {1900 + n}." for n in range(40))
_QUESTION = "Name three colours of the rainbow, and say which one you like best."
_LEAST_COSINE = 0.999
_MOST_GROWTH = 64 << 20  # bytes
_MOST_STOP_S = 3.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """`ok` is None for what cannot be tried here."""

    name: str
    ok: bool | None
    detail: str
    seconds: float


async def self_test(settings: Settings) -> AsyncGenerator[Outcome]:
    """One after another; an error of ours is an outcome, too."""
    with tempfile.TemporaryDirectory(prefix="rag-self-test-") as folder:
        own = {"home": Path(folder, "home"), "engine_url": None, "collection": "self-test"}
        bundled = {"embedding_model": BUNDLED_EMBEDDING, "chat_model": BUNDLED_CHAT}
        runtime = Runtime(settings.model_copy(update={**own, **bundled}))
        trials: list[tuple[str, Trial]] = [
            ("embeddings agree", _embeddings_agree),
            ("memory stays flat", _memory_stays_flat),
            ("answers agree", _answers_agree),
            ("an answer stops", _answer_stops),
            ("a denied folder is named", _denied_folder),
            ("names in either form", _names),
        ]
        try:
            for name, trial in trials:
                yield await _tried(name, trial, runtime, Path(folder))
        finally:
            await runtime.close()


Trial = Callable[[Runtime, Path], Awaitable[tuple[bool | None, str]]]


async def _tried(name: str, trial: Trial, runtime: Runtime, folder: Path) -> Outcome:
    started = time.monotonic()
    try:
        ok, detail = await trial(runtime, folder)
    except Exception as error:  # noqa: BLE001 - whatever a machine does is what is to be told
        ok, detail = False, f"{type(error).__name__}: {error}"
    return Outcome(name, ok, detail, round(time.monotonic() - started, 1))


# ── models ────────────────────────────────────────────────────────────────────────────────────


async def _embeddings_agree(runtime: Runtime, _: Path) -> tuple[bool, str]:
    """MLX's against ONNX Runtime's: another implementation on another processor."""
    from rag.embedders.factory import open_embedder

    found = []
    for backend in ("mlx", "onnx"):
        chosen = runtime.settings.model_copy(update={"embedding_backend": backend})
        embedder = await open_embedder(chosen, runtime.thread)
        found.append(await embedder.embed_documents(_SENTENCES))
        await embedder.close()
    least = float((found[0] * found[1]).sum(axis=1).min())
    return least > _LEAST_COSINE, f"least cosine {least:.6f} over {len(_SENTENCES)} texts"


async def _memory_stays_flat(runtime: Runtime, _: Path) -> tuple[bool, str]:
    from rag.embedders.factory import open_embedder

    chosen = runtime.settings.model_copy(update={"embedding_backend": "mlx"})
    embedder = await open_embedder(chosen, runtime.thread)
    await embedder.embed_documents(_SENTENCES)
    before = await runtime.thread.run(_active)
    for number in range(200):
        await embedder.embed_query(f"{number} ships")
    grown = await runtime.thread.run(_active) - before
    await embedder.close()
    return grown < _MOST_GROWTH, f"{grown / 2**20:+.1f} MiB of MLX's after 200 embeddings"


def _active() -> int:
    import mlx.core as mx

    return int(mx.get_active_memory())


async def _answers_agree(runtime: Runtime, _: Path) -> tuple[bool, str]:
    """Afresh, from the prefix cache and at once with others: the same; turn 2 is from the cache."""
    engine = await runtime.engine()
    asked = (Message("user", _QUESTION),)
    fresh, _first = await _answer(engine, asked)
    again, _second = await _answer(engine, asked)
    together = await asyncio.gather(*(_answer(engine, asked) for _ in range(3)))
    turn = (*asked, Message("assistant", fresh), Message("user", "And which one least?"))
    _text, finish = await _answer(engine, turn)
    same = {fresh, again, *(text for text, _finish in together)} == {fresh}
    cached = f"{finish.cached_tokens} of {finish.prompt_tokens} tokens of turn 2 from the cache"
    return same and finish.cached_tokens > 0, f"{'all alike' if same else 'they differ'}; {cached}"


async def _answer(engine: Engine, messages: Sequence[Message]) -> tuple[str, Finish]:
    text, finish = "", None
    async with aclosing(engine.stream(messages, max_tokens=24, temperature=0.0)) as pieces:
        async for piece in pieces:
            text, finish = text + piece.text, piece.finish or finish
    assert finish is not None
    return text, finish


async def _answer_stops(runtime: Runtime, _: Path) -> tuple[bool, str]:
    engine = await runtime.engine()
    asked = (Message("user", "Count from one to five hundred in words."),)
    pieces = engine.stream(asked, max_tokens=400, temperature=0.0)
    await anext(pieces)
    started = time.monotonic()
    await pieces.aclose()
    took = time.monotonic() - started
    return took < _MOST_STOP_S, f"{took:.2f} s after it was told to"


# ── files ─────────────────────────────────────────────────────────────────────────────────────


async def _denied_folder(runtime: Runtime, folder: Path) -> tuple[bool | None, str]:
    if os.geteuid() == 0:
        return None, "root may look into any folder"
    denied = folder / "denied"
    denied.mkdir(mode=0)
    try:
        plan = await Pipeline(runtime.settings, runtime).plan_ingest([denied])
    finally:
        denied.chmod(0o700)
    named = [failure.reason for failure in plan.unreadable if failure.path.name == "denied"]
    return bool(named), named[0] if named else "it looks empty"


async def _names(runtime: Runtime, folder: Path) -> tuple[bool, str]:
    name = "Übersicht.txt"
    file = folder / unicodedata.normalize("NFD", name)
    file.write_text("The harbour dues rose in March.", encoding="utf-8")
    pipeline = Pipeline(runtime.settings, runtime)
    async for _event in pipeline.ingest([file]):
        pass
    found = [len(await pipeline.find(unicodedata.normalize(form, name))) for form in ("NFC", "NFD")]
    return found == [1, 1], f"NFC finds {found[0]}, NFD {found[1]}; on {mlx_runtime.device()}"
