"""`rag doctor`: is everything there, and is the index sound?"""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cli.context import Context
from cli.edge import Code
from cli.options import AsJson
from cli.progress import IngestView
from cli.render import print_json
from cli.terminal import one_line, out, print_table, size, table

if TYPE_CHECKING:
    from rag.config import Settings
    from rag.pipeline import Pipeline
    from rag.store.checks import Fault
    from rag.store.manifest import Manifest

State = Literal["ok", "warning", "error"]
_PACKAGES = ("vllm-mlx", "mlx", "mlx-lm", "mlx-embeddings", "lancedb", "pymupdf")
_LOW_DISK = 2 * 10**9
_SIGNS = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "error": ("✗", "red")}


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at. `hint` says what to do about it."""

    name: str
    state: State
    value: str
    hint: str = ""
    items: tuple[str, ...] = ()  # all that it concerns: chunks, documents or files


def doctor(
    ctx: typer.Context,
    fix: Annotated[
        bool, typer.Option("--fix", help="Repair the index, and read again the files it needs.")
    ] = False,
    self_test: Annotated[
        bool,
        typer.Option(
            "--self-test", help="Try the models on this machine, to paste it into a report."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Look at the machine, the models and the index. Exit code 1 says that something is broken.

    --self-test takes a minute or two, needs no documents of yours and tells nothing of them.
    """
    context: Context = ctx.obj
    if self_test:
        _self_test(context.settings(), as_json=as_json)
        return

    async def work(pipeline: Pipeline) -> list[Check]:
        repaired = [check async for check in _fix(pipeline, context)] if fix else []
        checks = [*_machine(pipeline.settings), *_models(pipeline.settings)]
        return checks + [check async for check in _index(pipeline)] + repaired

    checks = context.run(work)
    if as_json:
        for check in checks:
            print_json(check)
    else:
        _print(checks)
    if any(check.state == "error" for check in checks):
        raise typer.Exit(Code.ERROR)


def _self_test(settings: Settings, *, as_json: bool) -> None:
    """As a Markdown table, or an object a line; each row as soon as it is known."""
    import asyncio

    if not as_json:
        typer.echo("| | check | found |\n|---|---|---|")

    async def work() -> bool:
        sound = True
        async for check in _trials(settings):
            sound = sound and check.state != "error"
            if as_json:
                print_json(check)
            else:
                typer.echo(f"| {_SIGNS[check.state][0]} | {check.name} | {check.value} |")
        return sound

    if not asyncio.run(work()):
        raise typer.Exit(Code.ERROR)


async def _trials(settings: Settings) -> AsyncIterator[Check]:
    """The machine, then what it can do. Where the user's home is, is told to nobody."""
    from rag.self_test import self_test

    for check in _machine(settings):
        if check.name not in ("disk", "OCR"):
            yield check
    async for outcome in self_test(settings):
        state: State = "error" if outcome.ok is False else "ok" if outcome.ok else "warning"
        detail = one_line(outcome.detail).replace(str(Path.home()), "~")
        yield Check(outcome.name, state, f"{detail} ({outcome.seconds} s)")


def _print(checks: list[Check]) -> None:
    from rich.text import Text

    console = out()
    made = table(console, "", "", "")
    made.show_header = False
    for check in checks:
        made.add_row(Text(*_SIGNS[check.state]), check.name, one_line(check.value))
        if check.hint:
            made.add_row("", "", Text(one_line(f"hint: {check.hint}"), "dim"))
    print_table(console, made)


# ── the machine ───────────────────────────────────────────────────────────────────────────────


def _machine(settings: Settings) -> Iterator[Check]:
    import importlib.metadata

    from rag.compute import mlx_runtime

    yield Check("python", "ok", f"{platform.python_version()} on {platform.platform()}")
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in _PACKAGES)
    yield Check("packages", "ok", versions)
    yield Check("device", "ok", f"{mlx_runtime.device()}, {os.cpu_count()} CPU cores")
    blas = mlx_runtime.blas()
    slow = "MLX computes about twenty times more slowly with it: install this program with uv again"
    yield Check("BLAS", "ok" if blas.fast else "warning", blas.name, "" if blas.fast else slow)
    yield _ocr(settings)
    yield _disk(settings)


def _ocr(settings: Settings) -> Check:
    from rag.readers.ocr import choose_engine

    limits = settings.extraction
    if not limits.ocr:
        return Check("OCR", "warning", "off", "Scans are not read: extraction.ocr is false.")
    engine = choose_engine(limits.ocr_engine)
    if engine is not None:
        return Check("OCR", "ok", f"{engine.version}, for {limits.ocr_language}")
    wanted = "" if limits.ocr_engine == "auto" else f" {limits.ocr_engine}"
    hint = "Scans are not read without it: install the extra rag-local[ocr] (95 MB), or Tesseract."
    return Check("OCR", "warning", f"no engine{wanted} is installed", hint)


def _disk(settings: Settings) -> Check:
    there: Path = next(path for path in (settings.home, *settings.home.parents) if path.exists())
    free = shutil.disk_usage(there).free
    value = f"{size(free)} free at {settings.home}"
    if free < _LOW_DISK:
        return Check("disk", "warning", value, "Make room, or move the data with --home.")
    return Check("disk", "ok", value)


def _models(settings: Settings) -> Iterator[Check]:
    from rag.models.listing import list_models

    for row in list_models(settings):
        if not row.used or (row.role == "chat" and settings.engine_url is not None):
            continue
        missing = row.state == "missing"
        hint = "It is downloaded when it is first used (rag models)." if missing else ""
        state: State = "warning" if missing else "ok"
        yield Check(f"{row.role} model", state, f"{row.name}, {row.state}, {row.why}", hint)
    if settings.engine_url is not None:
        yield Check("engine", "ok", f"server at {settings.engine_url} (not asked)")


# ── the index ─────────────────────────────────────────────────────────────────────────────────


async def _fix(pipeline: Pipeline, context: Context) -> AsyncIterator[Check]:
    """Repairs what can be repaired; yields what was."""
    from rag import maintenance
    from rag.errors import IndexMissing

    view = IngestView(verbose=context.verbose)
    with view, suppress(IndexMissing):
        async with aclosing(maintenance.repair_index(pipeline)) as events:
            async for event in events:
                if isinstance(event, maintenance.Repaired):
                    left = {fault.kind for fault in event.left}
                    for fault in event.found:
                        if fault.kind not in left:
                            yield Check(fault.kind, "ok", f"repaired: {fault.message}")
                else:
                    view.show(event)


async def _index(pipeline: Pipeline) -> AsyncIterator[Check]:
    """Opens the index and the embedding model, and looks for faults in every row."""
    from rag.collection import another_embedder, collection_stats
    from rag.errors import IndexMissing, RagError
    from rag.store.checks import check
    from rag.store.lock import holder

    name = pipeline.settings.collection
    try:
        store = await pipeline.store()
        stats = await collection_stats(store)
        held = f"{stats.documents:,} documents, {stats.pages:,} pages, {stats.chunks:,} chunks"
        yield Check("index", "ok", f"{name}: {held}, {size(stats.disk_bytes)}")
        yield _format(store.manifest)
        indexed = stats.chunks - stats.unindexed
        yield Check("full text", "ok", f"{indexed:,} of {stats.chunks:,} chunks indexed")
        embedder = await pipeline.embedder()
        await store.require_embedder(embedder.id)
        yield Check("embedder", "ok", f"{embedder.id}, {embedder.dimensions} dimensions")
        if told := another_embedder(stats.hardly_known, stats.embedder):
            yield Check("languages", "warning", ", ".join(stats.hardly_known), told)
        writing = holder(store.directory)
        for fault in await check(store):
            broken = fault.broken and writing is None  # a writer leaves rows that it will complete
            yield Check(
                fault.kind,
                "error" if broken else "warning",
                fault.message,
                _remedy(fault),
                fault.items,
            )
        if writing is not None:
            yield Check("writer", "ok", writing)
    except IndexMissing as error:
        yield Check("index", "ok", f"{name}: empty", error.hint)
    except RagError as error:
        yield Check("index", "error", str(error), error.hint)


def _format(manifest: Manifest) -> Check:
    """Of the index: an earlier one is read as it is, and upgraded by whatever writes next."""
    from rag.store.migrations import pending

    gains = tuple(step.gain for step in pending(manifest))
    if not gains:
        return Check("format", "ok", str(manifest.format))
    hint = f"rag doctor --fix, or the next rag ingest, upgrades it: {'; '.join(gains)}."
    return Check("format", "warning", f"{manifest.format}, an earlier one", hint, gains)


def _remedy(fault: Fault) -> str:
    examples = ", ".join(fault.items[:3]) + (" …" if len(fault.items) > 3 else "")
    concerns = f" Concerns: {examples}" if examples else ""
    return f"rag doctor --fix would {fault.remedy}.{concerns}"
