"""`rag chat`: questions that lean on the turns before them."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import typer

from cli.answer import show_answer
from cli.ask import scope
from cli.ask_options import Quotes, QuotesFirst, quotes_of
from cli.context import Context
from cli.edge import report
from cli.options import (
    Documents,
    Local,
    MaxTokens,
    Model,
    Pages,
    Passages,
    Since,
    Temperature,
    Until,
    Where,
)
from cli.render import print_sources
from cli.terminal import one_line, out, say
from rag.options import AskOptions, Scope

if TYPE_CHECKING:
    from rag.backend import Backend
    from rag.types import Answer

HELP = """\
/doc NAME…   look only into these documents (none: into all)
/model NAME  answer with another model (none: say which)
/sources     show the sources of the last answer again
/clear       start a new conversation
/help        show this
/quit        leave (also Ctrl-D)
Ctrl-C stops an answer."""
_PROMPT = "› "


def chat(
    ctx: typer.Context,
    k: Passages = None,
    documents: Documents = None,
    pages: Pages = None,
    where: Where = None,
    since: Since = None,
    until: Until = None,
    model: Model = None,
    max_tokens: MaxTokens = None,
    temperature: Temperature = None,
    quotes: Quotes = None,
    quotes_first: QuotesFirst = False,
    local: Local = False,
) -> None:
    """Talk with the documents: each question is understood in the light of those before it.

    Type /help for the commands. Lines may also come from a pipe, one question each. Where rag serve
    is running, it answers and keeps the conversation, which then stands on its page, too.
    """
    context: Context = ctx.obj
    mode = quotes_of(quotes, quotes_first)

    async def work(backend: Backend) -> None:
        await backend.documents()  # an empty collection says so now, not after the first question
        if backend.url is not None:
            say(f"The service at {backend.url} answers, and keeps this conversation.")
        options = AskOptions(
            k=k, max_tokens=max_tokens, temperature=temperature, model=model, quotes=mode
        )
        chosen = scope(documents, pages, where, since, until)
        talk = Chat(backend, chosen, options, verbose=context.verbose)
        # While the first question is typed, the model is loaded.
        async with backend.loading(model):
            await talk.run(_typed_lines() if sys.stdin.isatty() else _piped_lines())

    context.run_backend(work, local=local, answers=True, k=k, chat_model=model)


class Chat:
    """A conversation: its turns, where it looks, and which model answers."""

    def __init__(
        self, backend: Backend, scope: Scope, options: AskOptions, *, verbose: bool = False
    ) -> None:
        from rag.pipeline import Conversation

        self._backend = backend
        self._scope = scope
        self._options = options
        self._verbose = verbose
        self._conversation = Conversation()
        self._last: Answer | None = None
        self._commands: dict[str, Callable[[list[str]], Any]] = {
            "/help": lambda _: say(HELP),
            "/clear": self._clear,
            "/sources": self._sources,
            "/doc": self._doc,
            "/model": self._name_model,
        }

    async def run(self, lines: AsyncIterator[str]) -> None:
        async for line in lines:
            if line.startswith("/"):
                if line.split()[0] in {"/quit", "/exit"}:
                    return
                await self._command(line.split())
            elif line:
                await self._answer(line)

    async def _command(self, words: list[str]) -> None:
        command = self._commands.get(words[0])
        if command is None:
            say(f"error: there is no {words[0]}\nhint: /help lists the commands")
            return
        if (waiting := command(words[1:])) is not None:
            await _told(waiting)

    async def _answer(self, question: str) -> None:
        """One turn. Stopped with Ctrl-C it leaves the conversation as it was."""
        events = self._backend.ask(
            question,
            scope=self._scope,
            options=self._options,
            conversation=self._conversation,
        )
        answer = await _told(_interruptible(show_answer(events, verbose=self._verbose)))
        if answer is not None:
            self._last = answer

    def _clear(self, _: list[str]) -> None:
        from rag.pipeline import Conversation

        self._conversation = Conversation()
        self._last = None
        say("The conversation starts anew.")

    def _sources(self, _: list[str]) -> None:
        if self._last is None or not self._last.citations:
            say("The last answer has no sources.")
        else:
            print_sources(out(), self._last)

    async def _doc(self, names: list[str]) -> None:
        found = [document for name in names for document in await self._backend.find(name)]
        self._scope = replace(self._scope, documents=tuple(d.id for d in found))
        shown = ", ".join(one_line(document.name) for document in found)
        say(f"Looking into {shown or 'all documents'}.")

    async def _name_model(self, names: list[str]) -> None:
        wanted = names[0] if names else self._options.model
        say(f"{await self._backend.load(wanted)} answers.")
        self._options = replace(self._options, model=wanted)


async def _told(work: Any) -> Any:
    """The result, or None after an error of ours has been told: a chat goes on."""
    from rag.errors import RagError

    try:
        return await work
    except RagError as error:
        report(str(error), error.hint)
    return None


async def _interruptible(work: Any) -> Any:
    """The result, or None if Ctrl-C stopped it."""
    import asyncio
    import signal

    loop, task = asyncio.get_running_loop(), asyncio.ensure_future(work)
    before = signal.getsignal(signal.SIGINT)
    loop.add_signal_handler(signal.SIGINT, task.cancel)
    try:
        with suppress(asyncio.CancelledError):
            return await task
        return None
    finally:
        loop.remove_signal_handler(signal.SIGINT)
        signal.signal(signal.SIGINT, before)


async def _typed_lines() -> AsyncIterator[str]:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.completion import WordCompleter
    from prompt_toolkit.history import InMemoryHistory
    from prompt_toolkit.output import create_output

    words = ["/help", "/clear", "/sources", "/doc", "/model", "/quit"]
    # No history file: what one asks one's documents is private.
    session: PromptSession[str] = PromptSession(
        history=InMemoryHistory(),
        completer=WordCompleter(words, sentence=True),
        complete_while_typing=False,
        output=create_output(stdout=sys.stderr),
    )
    say("Ask your documents. /help lists the commands, Ctrl-D leaves.")
    while True:
        try:
            yield (await session.prompt_async(_PROMPT)).strip()
        except KeyboardInterrupt:
            continue  # as a shell does: the line is dropped
        except EOFError:
            return


async def _piped_lines() -> AsyncIterator[str]:
    import asyncio

    from rag.encoding import decode_input

    while line := await asyncio.to_thread(sys.stdin.buffer.readline):
        yield decode_input(line).strip()
