"""What a reasoning model thinks, kept apart from what it answers, while both stream.

A filter reads the text as it comes, however it is cut into pieces. It knows tags
(`<think>…</think>` and others), thoughts whose opening tag the prompt has already, and OpenAI's
harmony channels (https://cookbook.openai.com/articles/openai-harmony).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from rag.engines.thought_format import ENDS, HEADERS, MESSAGE, ThoughtFormat
from rag.types import Piece


class ThoughtFilter:
    """Text in, pieces out: `text` of the answer, `thought` of the thoughts.

    A piece with `restart` says that all text before it was thought: its closing tag came without an
    opening one. With `hold` the answer is held back until that is sure, and nothing restarts.
    """

    def __init__(self, form: ThoughtFormat, *, inside: str = "", hold: bool = False) -> None:
        """`inside` is the closing tag, where the prompt ends within the thoughts."""
        self._form = form
        self._hold = hold
        self._rest = ""
        self._close = inside
        self._out: list[Piece] = []
        self._final = self._cut = False
        self._final_channel = True
        self.thought = bool(inside)  # anything so far
        self.answered = False
        first = self._begin if form.openings else self._answer
        self._state: Callable[[], bool] = self._inside if inside else first

    @property
    def thinking(self) -> bool:
        """Whether the thoughts are not at their end."""
        if self._state == self._body:
            return not self._final_channel
        return self._state in (self._inside, self._header, self._between, self._held)

    def feed(self, text: str) -> list[Piece]:
        self._rest += text
        return self._run()

    def end(self, *, cut: bool) -> list[Piece]:
        """What was held back; `cut`: the model was stopped at its limit."""
        self._final, self._cut = True, cut
        return self._run()

    def _run(self) -> list[Piece]:
        while self._state():
            pass
        out, self._out = self._out, []
        return list(_joined(out))

    def _tell(self, text: str, *, thought: bool) -> None:
        if not text:
            return
        self._out.append(Piece("", thought=text) if thought else Piece(text))
        if thought:
            self.thought = True
        elif text.strip():
            self.answered = True

    def _take(self, end: int, after: int) -> str:
        """The text up to `end`; what begins at `after` is left."""
        taken, self._rest = self._rest[:end], self._rest[after:]
        return taken

    def _up_to_marker(self, markers: Iterable[str]) -> tuple[str, str]:
        """The text before the first marker, and the marker; without one, the text that cannot be
        the beginning of one, and nothing."""
        found = [(at, -len(m), m) for m in markers if (at := self._rest.find(m)) >= 0]
        if found:
            at, _, marker = min(found)
            longer = [m for m in markers if m != marker and m.startswith(self._rest[at:])]
            if longer and not self._final:
                return self._take(at, at), ""
            return self._take(at, at + len(marker)), marker
        kept = 0 if self._final else _overlap(self._rest, markers)
        at = len(self._rest) - kept
        return self._take(at, at), ""

    # ── states: each says whether there is more to do ─────────────────────────────────────────

    def _begin(self) -> bool:
        """Nothing was written, or thoughts have ended: more of them, or the answer?"""
        text = self._rest.lstrip()
        openings = self._form.openings
        if any(mark.startswith(text) and mark != text for mark in openings) and not self._final:
            return False
        opening = max((m for m in openings if text.startswith(m)), key=len, default="")
        if opening:
            self._rest = text[len(opening) :]
            self._open(opening)
            return True
        if self.thought:
            self._rest = text
        self._state = self._held if self._hold and not self.thought else self._answer
        return True

    def _open(self, opening: str) -> None:
        if opening in HEADERS:
            self._state = self._header
            return
        self.thought = True
        self._close = dict(self._form.tags)[opening]
        self._state = self._inside

    def _inside(self) -> bool:
        before, marker = self._up_to_marker((self._close,))
        self._tell(before, thought=True)
        if marker:
            self._state = self._begin
        return bool(marker)

    def _held(self) -> bool:
        """A model that may think without an opening tag: thoughts or answer?"""
        closes = [close for _, close in self._form.tags]
        found = [(at, close) for close in closes if (at := self._rest.find(close)) >= 0]
        if found:
            at, close = min(found)
            self._tell(self._take(at, at + len(close)), thought=True)
            self._state = self._begin
            return True
        if self._final:
            # Cut off without a closing tag, such a model has not begun its answer.
            self._tell(self._take(len(self._rest), len(self._rest)), thought=self._cut)
        return False

    def _answer(self) -> bool:
        form = self._form
        closes = tuple({close for _, close in form.tags})
        ends = (MESSAGE, *ENDS) if form.harmony and form.certain else ()
        opens = form.openings if form.certain else ()
        before, marker = self._up_to_marker((*closes, *form.dropped, *ends, *opens))
        self._tell(before, thought=False)
        if marker in closes:
            return self._orphan(marker)
        if marker in opens:
            self._open(marker)
        return bool(marker)

    def _orphan(self, close: str) -> bool:
        """A closing tag that nothing has opened."""
        if not self._form.certain:
            if not self._rest and not self._final:
                self._rest = close  # what follows decides
                return False
            if self.thought or self._rest[:1] not in ("", "\n", "\r"):
                self._tell(close, thought=False)  # the answer speaks of tags
                return True
        self._out.append(Piece("", restart=True))
        self.thought, self.answered = True, False
        self._state = self._begin
        return True

    def _header(self) -> bool:
        """`assistant<|channel|>analysis <|constrain|>json` up to `<|message|>`."""
        at = self._rest.find(MESSAGE)
        if at < 0:
            return False
        header = self._take(at, at + len(MESSAGE))
        _, channel, name = header.rpartition("<|channel|>")
        named = name if channel else header.removeprefix("assistant")
        self._final_channel = named.split("<|")[0].strip() in ("final", "")
        self.thought = self.thought or not self._final_channel
        self._state = self._body
        return True

    def _body(self) -> bool:
        before, marker = self._up_to_marker((*HEADERS, *ENDS))
        self._tell(before, thought=not self._final_channel)
        if marker:
            self._state = self._header if marker in HEADERS else self._between
        return bool(marker)

    def _between(self) -> bool:
        _, marker = self._up_to_marker(HEADERS)
        if marker:
            self._state = self._header
        return bool(marker)


def _overlap(text: str, markers: Iterable[str]) -> int:
    """Characters at the end of a text that may begin a marker."""
    return max(
        (
            size
            for marker in markers
            for size in range(1, min(len(marker), len(text) + 1))
            if text.endswith(marker[:size])
        ),
        default=0,
    )


def _joined(pieces: Iterable[Piece]) -> Iterable[Piece]:
    """Neighbours of one kind as one."""
    waiting: Piece | None = None
    for piece in pieces:
        alike = waiting is not None and not piece.restart
        if alike and waiting is not None and bool(waiting.thought) == bool(piece.thought):
            waiting = Piece(
                waiting.text + piece.text,
                thought=waiting.thought + piece.thought,
                restart=waiting.restart,
            )
            continue
        if waiting is not None:
            yield waiting
        waiting = piece
    if waiting is not None:
        yield waiting
