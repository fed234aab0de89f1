"""An answer told as OpenAI's clients read it: pieces of text, then what is known at the end."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

from fastapi import Request

from rag.errors import EngineError
from rag.events import Delta, Done, Quoted, Thought
from rag.types import Answer, Citation
from rag.verification.notes import corrections
from rag.verification.unmarking import Unmarking
from service.answers import Running, unless_gone
from service.ask_request import AskRequest
from service.openai.questions import CORRECTIONS, SOURCES, WITHDRAWN
from service.openai.tasks import Task
from service.problems import CLIENT_GONE, Refused


@dataclass(frozen=True, slots=True)
class Ended:
    """The end of an answer: `rest` follows the text that was told, which `text` holds whole.
    `refusal` stands for the text where a schema was wanted and the documents do not say."""

    answer: Answer
    rest: str
    text: str
    annotations: list[dict[str, Any]]
    refusal: str | None = None

    @property
    def reason(self) -> str:
        return self.answer.finish.reason if self.answer.finish else "stop"

    @property
    def tokens(self) -> tuple[int, int, int]:
        """Of the prompt, of what was written, and of the prompt those that were cached."""
        finish = self.answer.finish
        if finish is None:
            return 0, 0, 0
        return finish.prompt_tokens, finish.completion_tokens, finish.cached_tokens


class Reply:
    """An answer on its way to a client at `base_url`."""

    def __init__(self, asked: AskRequest | Task, request: Request) -> None:
        self._wire = asked.wire
        self._is_task = isinstance(asked, Task)
        self._structured = isinstance(asked, AskRequest) and asked.query.answer_schema is not None
        self._base_url = str(request.base_url).rstrip("/")

    async def whole(self, running: Running, request: Request) -> Ended:
        """Raises Refused when the client goes away, and what the answer raised."""
        done = await unless_gone(request, running.last(), running.stop)
        if not isinstance(done, Done):
            raise Refused(CLIENT_GONE, "the client went away")
        return self._ended(done.answer, done.answer.text, "", done.answer.text)

    async def told(self, running: Running) -> AsyncGenerator[str | Ended]:
        """Pieces of text without markers, which are not verified yet, then the end. JSON by a
        schema comes whole at the end, since it may be withdrawn. Raises what the answer raised."""
        unmarked, told, quoted = Unmarking(), "", ""
        reader = running.reader()  # from the beginning: who waited for the first event has it
        while (event := await reader.next()) is not None:
            piece = ""
            if isinstance(event, Quoted):
                piece = quoted = event.text
            elif isinstance(event, Delta) and not (quoted or self._structured):
                # What comes behind quotes is told once it is verified.
                piece = event.text if self._is_task else unmarked.feed(event.text)
            elif isinstance(event, Thought):
                _require_kept(event, told)
                unmarked = Unmarking() if event.restart else unmarked
            elif isinstance(event, Done):
                piece = unmarked.rest()
            told += piece
            if piece:
                yield piece
            if isinstance(event, Done):
                rest = _behind(event.answer, quoted, told)
                yield self._ended(event.answer, rest, told, told + rest)

    def _ended(self, answer: Answer, rest: str, told: str, spoken: str) -> Ended:
        """`spoken`: the text to which the annotations' places refer."""
        if self._structured and answer.refused:
            return Ended(answer, "", "", [], answer.text)
        if not (self._is_task or self._structured):
            rest += self._sources(answer) + _corrected(answer)
        return Ended(answer, rest, told + rest, self._annotations(answer, spoken))

    def _annotations(self, answer: Answer, text: str) -> list[dict[str, Any]]:
        """One for each claim and source, at the claim's place in the text."""
        cited = {citation.number: citation for citation in answer.citations}
        exact = text == answer.text
        return [
            {
                "start_index": claim.start if exact else 0,
                "end_index": claim.end if exact else len(text),
                "title": _title(cited[number]),
                "url": self._url(cited[number]),
            }
            for claim in answer.claims
            for number in claim.sources
            if number in cited
        ]

    def _sources(self, answer: Answer) -> str:
        lines = [
            f"{citation.number}. [{_escaped(_title(citation))}]({self._url(citation)})"
            for citation in answer.citations
        ]
        return SOURCES + "\n".join(lines) if lines else ""

    def _url(self, citation: Citation) -> str:
        return self._base_url + self._wire.page_url(citation)


def _behind(answer: Answer, quoted: str, told: str) -> str:
    """What of the answer was not streamed. A refusal follows quotes that were; behind a model's
    words it says that they are withdrawn, for nothing can be taken back."""
    if quoted:
        return f"\n\n{answer.text}" if answer.refused else answer.text[len(quoted) :]
    if not told:
        return answer.text
    return WITHDRAWN + answer.text if answer.refused and told.strip() != answer.text else ""


def _corrected(answer: Answer) -> str:
    """The claims that are not cited, each with what is known of it."""
    lines = [
        f"- “{_escaped(one.claim)}”: {one.note}"
        + (
            f", {_escaped(one.place.document.name)}: “{_escaped(one.place.quote)}”"
            if one.place
            else ""
        )
        for one in corrections(answer)
    ]
    return CORRECTIONS + "\n".join(lines) if lines else ""


def _require_kept(event: Thought, told: str) -> None:
    """Raises EngineError where what was streamed turns out to be thoughts, which are no content:
    nothing can be taken back here."""
    if event.restart and told:
        raise EngineError(
            "the model sent its thoughts as an answer",
            hint="Ask again: from now on its thoughts are recognised.",
        )


def _title(citation: Citation) -> str:
    return f"{citation.document.name}, p. {citation.page_label or citation.page}"


def _escaped(text: str) -> str:
    return "".join(f"\\{char}" if char in r"\[]()<>*_`" else char for char in text)
