"""The chat model that suits this machine, offered before it is downloaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from cli.terminal import say

if TYPE_CHECKING:
    from rag.compute.machine import Machine
    from rag.config import Settings


def offer_default(settings: Settings, machine: Machine | None = None) -> None:
    """On a terminal, once: the chat model that suits this machine, if none such is here. Nothing is
    downloaded without a yes; where no hub gives it, the bundled model answers."""
    from rag.errors import ModelNotFound
    from rag.models.registry import BUNDLED_CHAT, fetch, missing_default

    best = missing_default(settings, machine)
    note = settings.cache / "declined-chat-model"
    if best is None or (note.is_file() and note.read_text(encoding="utf-8") == best.name):
        return
    say(f"The chat model that suits this machine, {best.name}, is not here yet.")
    say(f"It is a download of {best.size / 1e9:.1f} GB; else the bundled {BUNDLED_CHAT} answers.")
    if typer.confirm("Download it now?", default=False, err=True):
        try:
            fetch(best.name, say)
        except ModelNotFound as error:
            say(f"{error}. The bundled model answers.")
        return
    note.parent.mkdir(parents=True, exist_ok=True)
    note.write_text(best.name, encoding="utf-8")
