"""The outermost edge: errors become a message, a hint and an exit code, never a trace."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from enum import IntEnum
from typing import Any, NoReturn

import typer
from typer.core import TyperGroup

from cli.terminal import clean


class Code(IntEnum):
    """Exit codes: part of the command line's contract, named in `rag --help`."""

    OK = 0
    ERROR = 1
    USAGE = 2
    SOME_FAILED = 3
    NOTHING_FOUND = 4
    INTERRUPTED = 130


EXIT_CODES = """\
Exit codes: 0 done · 1 error · 2 wrong usage or setting · 3 some files could not be ingested ·
4 nothing found, or the documents do not hold the answer · 130 stopped with Ctrl-C"""


class Edge(TyperGroup):
    """The group of all commands, which lets global options stand anywhere on the line."""

    def main(self, args: Sequence[str] | None = None, *rest: Any, **named: Any) -> NoReturn:
        named["standalone_mode"] = False  # what goes wrong comes back here, to be told our way
        given = list(sys.argv[1:] if args is None else args)
        try:
            code = super().main(self._globals_first(given), *rest, **named)
        except typer.TyperException as error:
            report(error.format_message(), _usage_hint(error))
            code = error.exit_code
        except typer.Abort:
            code = Code.INTERRUPTED
        sys.exit(code if isinstance(code, int) else Code.OK)

    def invoke(self, ctx: Any) -> Any:
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()  # a closed pipe shows here, not when the interpreter ends
        except (typer.Exit, typer.Abort, typer.TyperException):
            raise
        except KeyboardInterrupt:
            report("stopped")
            raise typer.Exit(Code.INTERRUPTED) from None
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            raise typer.Exit(Code.ERROR) from None
        except Exception as error:  # noqa: BLE001 - the outermost edge
            if ctx.obj is not None and ctx.obj.debug:
                traceback.print_exc()
            raise typer.Exit(_tell(error)) from None
        return result

    def _globals_first(self, args: list[str]) -> list[str]:
        """`rag ask … --home X` is as good as `rag --home X ask …`: bring such options to the front.

        What follows `--` is left alone. A command's own option of the same name does not exist.
        """
        end = args.index("--") if "--" in args else len(args)
        flags = {name: param for param in self.params for name in param.opts}
        first: list[str] = []
        others: list[str] = []
        words = iter(args[:end])
        for word in words:
            name, equals, _ = word.partition("=")
            param: Any = flags.get(name)
            if param is None or param.name == "version":
                others.append(word)
                continue
            first.append(word)
            if not equals and not param.is_flag:
                first += [value for value in [next(words, None)] if value is not None]
        return first + others + args[end:]


def report(message: str, hint: str = "") -> None:
    """`error: …` and, if there is one, `hint: …`, on stderr."""
    typer.echo(f"error: {clean(message)}", err=True)
    if hint:
        typer.echo(f"hint: {clean(hint)}", err=True)


def _tell(error: Exception) -> Code:
    from rag.errors import ConfigError, RagError

    if isinstance(error, RagError):
        report(str(error), error.hint)
        return Code.USAGE if isinstance(error, ConfigError) else Code.ERROR
    report(
        f"unexpected {type(error).__name__}: {error}",
        "This is a bug, please report it. With --debug the trace is shown.",
    )
    return Code.ERROR


def _usage_hint(error: typer.TyperException) -> str:
    context = getattr(error, "ctx", None)
    return f"Run: {context.command_path} --help" if context is not None else ""
