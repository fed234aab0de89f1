"""Writes docs/cli.md from the commands and docs/config.md from the settings.

    uv run python docs/generate.py [--check]

With --check nothing is written; exit code 1 says that a file is out of date.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from cli.edge import EXIT_CODES
from cli.main import COMMANDS, create_cli
from rag.config import Settings

HERE = Path(__file__).resolve().parent
NOTE = "<!-- Written by docs/generate.py: change the code instead. -->\n"
# What differs from machine to machine, in words.
DEFAULTS = {"home": "the platform's data directory", "cache": "the platform's cache directory"}


def command_reference() -> str:
    group: Any = typer.main.get_command(create_cli())
    lines = [
        "# Command line",
        "",
        NOTE,
        *group.help.splitlines(),
        "",
        "## Options of every command",
    ]
    lines += ["", *_options(group), "", "## Exit codes", "", *_exit_codes(), ""]
    for name in COMMANDS:
        lines += [f"## rag {name}", "", *_command(name, group.commands[name]), ""]
    return "\n".join(lines).rstrip() + "\n"


def _exit_codes() -> Iterator[str]:
    codes = " ".join(EXIT_CODES.split()).removeprefix("Exit codes: ")
    yield from (f"- {code}" for code in codes.split(" · "))


def _command(name: str, command: Any) -> Iterator[str]:
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    names = [p.metavar or p.name.upper() for p in arguments]
    words = [word if p.required else f"[{word}]" for p, word in zip(arguments, names, strict=True)]
    yield f"`{' '.join(['rag', name, *words, '[OPTIONS]'])}`"
    yield from ("", *command.help.splitlines(), "")
    for argument, word in zip(arguments, names, strict=True):
        yield f"- `{word}`: {argument.help}"
    yield from _options(command)


def _options(command: Any) -> Iterator[str]:
    for param in command.params:
        if param.param_type_name != "option" or param.name in {"help", *_COMPLETION}:
            continue
        names = ", ".join(f"`{name}`" for name in [*param.opts, *param.secondary_opts])
        metavar = "" if param.is_flag else f" {param.metavar or 'VALUE'}"
        default = "" if param.is_flag or param.default is None else f" Default: {param.default}."
        yield f"- {names}{metavar}: {param.help}{default}"


_COMPLETION = {"install_completion", "show_completion"}


def config_reference() -> str:
    head = f"""# Settings

{NOTE}
A setting is taken from the first of these that names it: a flag of the command, an environment
variable, `rag.toml` in the current folder (or the file that `RAG_CONFIG` names), the default. An
unknown name is an error in each of them. `rag config` shows every setting and where it came from.

```toml
# rag.toml
collection = "papers"
k = 12

[extraction]
ocr_language = "eng+deu"
```
"""
    return "\n".join([head, *_settings(Settings, ())]).rstrip() + "\n"


def _settings(model: type[BaseModel], above: tuple[str, ...]) -> Iterator[str]:
    tables = {}
    yield from ("| setting | variable | default | meaning |", "|---|---|---|---|")
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            tables[name] = field.annotation
        else:
            yield _row((*above, name), field)
    for name, table in tables.items():
        yield from ("", f"## [{name}]", "", *_settings(table, (*above, name)))


def _row(path: tuple[str, ...], field: FieldInfo) -> str:
    variable = "RAG_" + "__".join(path).upper()
    default = DEFAULTS.get(path[-1]) or _shown(field.get_default())
    meaning = (field.description or "").replace("|", "\\|")
    return f"| `{path[-1]}` | `{variable}` | {default} | {meaning} |"


def _shown(default: Any) -> str:
    if default in (None, (), {}):
        return "none"
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


PAGES = {"cli.md": command_reference, "config.md": config_reference}


def main() -> None:
    stale = []
    for name, make in PAGES.items():
        file, text = HERE / name, make()
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            stale.append(name)
            if "--check" not in sys.argv:
                file.write_text(text, encoding="utf-8")
    if stale and "--check" in sys.argv:
        sys.exit(f"out of date: {', '.join(stale)}; run: uv run python docs/generate.py")


if __name__ == "__main__":
    main()
