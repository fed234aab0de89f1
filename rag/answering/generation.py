"""What a model writes for a prompt: as much as was asked for, and as fits."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace

from rag.answering.prompting import Prompt, going_on
from rag.config import Settings
from rag.engines.base import Engine
from rag.options import AskOptions
from rag.types import Finish, Piece


def token_limit(engine: Engine, options: AskOptions, settings: Settings) -> int:
    """Tokens that an answer may have. What was asked for is a limit, no order: half of the context
    stays for the prompt."""
    wanted = options.max_tokens or settings.max_tokens
    return max(1, min(wanted, engine.context_tokens // 2))


def pieces_of(
    engine: Engine, prompt: Prompt, options: AskOptions, settings: Settings
) -> AsyncGenerator[Piece]:
    """What the engine streams, up to the first of the stop sequences."""
    temperature = settings.temperature if options.temperature is None else options.temperature
    pieces = engine.stream(
        (*prompt.messages, *going_on(options.begun)),
        max_tokens=token_limit(engine, options, settings),
        temperature=temperature,
        schema=options.schema,
    )
    return stopped_at(pieces, options.stop, prompt.tokens) if options.stop else pieces


async def stopped_at(
    pieces: AsyncGenerator[Piece], stops: Sequence[str], prompt_tokens: int = 0
) -> AsyncGenerator[Piece]:
    """The pieces before the one of `stops` that is complete first (of two that end together, the
    longer one), however the text is cut into pieces: what may be the beginning of one waits until
    it is known. The engine is closed there and counts no tokens: a piece is taken for one then."""
    held, count = "", 0
    async with aclosing(pieces):
        async for piece in pieces:
            count += bool(piece.text or piece.thought)
            text = piece.text if piece.restart else held + piece.text
            found = [(at + len(stop), at) for stop in stops if (at := text.find(stop)) >= 0]
            if found:
                told = piece.finish or Finish("stop", prompt_tokens, 0, count)
                yield replace(
                    piece, text=text[: min(found)[1]], finish=replace(told, reason="stop")
                )
                return
            held = "" if piece.finish else _beginning(text, stops)
            shown = text[: len(text) - len(held)]
            if shown or piece.thought or piece.finish or piece.restart:
                yield replace(piece, text=shown)
    if held:
        yield Piece(held)


def _beginning(text: str, stops: Sequence[str]) -> str:
    """The longest end of a text that one of `stops` begins with."""
    longest = max(map(len, stops)) - 1
    for size in range(min(longest, len(text)), 0, -1):
        if any(stop.startswith(text[-size:]) for stop in stops):
            return text[-size:]
    return ""
