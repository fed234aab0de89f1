"""An answer on its way to the reader.

While the model writes, its markers are not yet verified. On a terminal the text is shown as it
comes, in a live area that is then replaced by the verified answer: so one sees progress at once,
and is left with nothing that was not checked. In a pipe there is no taking back, so only the
verified answer is written. Either way `--json` gives every piece.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING

from cli.render import answer_text, print_json, print_sources
from cli.terminal import clean, err, out, say

if TYPE_CHECKING:
    from rich.text import Text

    from rag.events import AnswerEvent
    from rag.types import Answer


async def show_answer(
    events: AsyncGenerator[AnswerEvent], *, verbose: bool = False, hints: bool = True
) -> Answer:
    """Show an answer while it comes; returns it when it is finished."""
    from rag.events import Delta, Done, MapProgress, Quoted, Retrieved, Thought

    view = _View()
    try:
        async with aclosing(events):
            async for event in events:
                if isinstance(event, Retrieved):
                    view.waiting(f"Reading {len(event.hits)} passages …")
                elif isinstance(event, Quoted):
                    view.quote(event.text)
                elif isinstance(event, MapProgress):
                    view.waiting(f"Read {event.pages_done} of {event.pages_total} pages …")
                elif isinstance(event, Thought):
                    view.think(event.text, restart=event.restart)
                elif isinstance(event, Delta):
                    view.write(event.text)
                elif isinstance(event, Done):
                    view.finish(event.answer, verbose=verbose, hints=hints)
                    return event.answer
        raise AssertionError("the answer ended without Done")
    finally:
        view.stop()


async def show_fields(events: AsyncGenerator[AnswerEvent]) -> Answer:
    """Wait for a structured answer; prints its data and the citations of each field as JSON."""
    from rag.events import Done
    from rag.verification.structured import cited_fields

    async with aclosing(events):
        async for event in events:
            if isinstance(event, Done):
                if event.answer.refused:
                    say(clean(event.answer.text))
                else:
                    print_json(cited_fields(event.answer))
                return event.answer
    raise AssertionError("the answer ended without Done")


class _View:
    """A line that says what is going on, then the growing answer in its place."""

    def __init__(self) -> None:
        from rich.live import Live

        self._out, self._err = out(), err()
        self._quotes = self._text = self._thoughts = ""
        self._started = time.monotonic()
        self._first: float | None = None
        self._status = self._err.status("Searching …") if self._err.is_terminal else None
        self._live = Live(console=self._out, transient=True, refresh_per_second=12)
        self._shown = False
        if self._status is not None:
            self._status.start()

    def waiting(self, what: str) -> None:
        if self._status is not None:
            self._status.update(what)

    def think(self, piece: str, *, restart: bool) -> None:
        """Thoughts are counted while they come; `-v` shows them in the end."""
        if restart:
            self._thoughts, self._text = self._thoughts + self._text, ""
            if self._shown:
                self._live.update(self._tail())
        self._thoughts += piece
        self.waiting(f"Thinking … {len(self._thoughts.split())} words")

    def quote(self, text: str) -> None:
        """What the answer begins with stands there while the model reads and writes."""
        self._quotes = f"{text}\n\n"
        self._show()

    def write(self, piece: str) -> None:
        self._text += piece
        self._show()

    def _show(self) -> None:
        if self._first is None:
            self._first = time.monotonic() - self._started
        if not self._out.is_terminal:
            self.waiting(f"Writing … {len(self._text.split())} words")
            return
        if not self._shown:
            self._close_status()
            self._live.start()
            self._shown = True
        self._live.update(self._tail())

    def _tail(self) -> Text:
        """The last lines, as many as the screen holds: a live area cannot be taller."""
        from rich.text import Text

        lines = Text(clean(self._quotes + self._text)).wrap(self._out, self._out.width)
        return Text("\n").join(lines[-max(self._out.height - 2, 1) :])

    def finish(self, answer: Answer, *, verbose: bool, hints: bool) -> None:
        self._close()
        self._quotes = self._text = ""
        if verbose and (thoughts := self._thoughts.strip()):
            self._err.print(f"Thoughts:\n{clean(thoughts)}\n", style="dim", markup=False)
        self._out.print(answer_text(answer))
        print_sources(self._out, answer)
        if hints and answer.finish is not None and answer.finish.reason == "length":
            say("hint: the answer was cut off; --max-tokens allows a longer one")
        if verbose:
            say(self._figures(answer))

    def _figures(self, answer: Answer) -> str:
        spent = time.monotonic() - self._started
        parts = [answer.model, f"{spent:.1f} s", f"searched for: {answer.search_text}"]
        if self._first is not None:
            parts.insert(1, f"first word after {self._first:.1f} s")
        if (finish := answer.finish) is not None:
            cached = f" ({finish.cached_tokens} cached)" if finish.cached_tokens else ""
            parts.append(f"{finish.prompt_tokens} tokens read{cached}")
            parts.append(f"{finish.completion_tokens} written")
        return " · ".join(part for part in parts if part)

    def stop(self) -> None:
        """Whatever was shown when it broke off stays, with a word that it was not checked."""
        self._close()
        if self._quotes + self._text and self._shown:
            self._out.print(clean(self._quotes + self._text))
            self._out.print("[stopped, not verified]", style="dim yellow")

    def _close(self) -> None:
        self._close_status()
        if self._shown:
            self._live.stop()

    def _close_status(self) -> None:
        if self._status is not None:
            self._status.stop()
            self._status = None
