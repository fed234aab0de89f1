"""`rag config`: the settings in effect, and where each one came from."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import typer

from cli.context import Context
from cli.options import AsJson
from cli.render import print_json
from cli.terminal import one_line, out, print_table, table

if TYPE_CHECKING:
    from pydantic import BaseModel

_PASSWORD = re.compile(r"(://[^/:@\s]*:)[^@\s]*@")


@dataclass(frozen=True, slots=True)
class Setting:
    """`source` is "flag", the variable's name, the file's path, or "default"."""

    name: str
    value: Any
    source: str


def config(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Show every setting, and where it came from. Keys are not shown."""
    context: Context = ctx.obj
    rows = list(effective(context.settings(), context.flags))
    if as_json:
        for row in rows:
            print_json(row)
        return
    console = out()
    made = table(console, "setting", "value", "from")
    for row in rows:
        value = "" if row.value is None else one_line(row.value)
        made.add_row(row.name, value, one_line(row.source))
    print_table(console, made)


def effective(settings: BaseModel, flags: Mapping[str, Any]) -> Iterator[Setting]:
    from rag.config import config_file

    file = config_file()
    written = tomllib.loads(file.read_text()) if file.is_file() else {}
    variables = {name.upper(): name for name in os.environ}
    for path, value in _leaves(settings, ()):
        name = ".".join(path)
        shown = _shown(value)
        if flags.get(name) is not None:
            source = "flag"
        else:
            source = _variable(path, variables) or _written(path, written, str(file)) or "default"
        yield Setting(name, shown, source)


def _shown(value: Any) -> Any:
    """A value as it may be read over somebody's shoulder: no secrets, no password in an address."""
    from pydantic import SecretStr

    if isinstance(value, SecretStr):
        return "(set)"
    return _PASSWORD.sub(r"\1…@", value) if isinstance(value, str) else value


def _leaves(model: BaseModel, above: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    from pydantic import BaseModel

    for name in type(model).model_fields:
        value = getattr(model, name)
        if isinstance(value, BaseModel):
            yield from _leaves(value, (*above, name))
        else:
            yield (*above, name), value


def _variable(path: tuple[str, ...], variables: Mapping[str, str]) -> str | None:
    """RAG_EXTRACTION__OCR, or a table as a whole in RAG_EXTRACTION."""
    names = ["RAG_" + "__".join(path[:depth]).upper() for depth in range(len(path), 0, -1)]
    return next((variables[name] for name in names if name in variables), None)


def _written(path: tuple[str, ...], written: Any, file: str) -> str | None:
    for key in path:
        if not isinstance(written, dict) or key not in written:
            return None
        written = written[key]
    return file
