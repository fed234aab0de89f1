"""Options that several commands share."""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import date
from typing import Annotated

import typer

from rag.options import MetadataFilter, PageRange


@dataclass(frozen=True, slots=True)
class Day:
    """A day. No bare date: Typer takes a type of its own for those, with times."""

    date: date


def page_range(text: str) -> PageRange:
    """From "5" or "3-7"."""
    match = re.fullmatch(r"\s*(\d+)(?:\s*[-–]\s*(\d+))?\s*", text)
    if match is None:
        raise typer.BadParameter(f"{text!r} is not a page or a range such as 3-7")
    try:
        return PageRange(int(match[1]), int(match[2] or match[1]))
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is no range: pages are numbered from 1") from error


AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, one object a line.")]
Documents = Annotated[
    list[str] | None,
    typer.Option(
        "--doc",
        metavar="NAME",
        help="Look only into this document: name, path, id or glob. May be repeated.",
    ),
]
Pages = Annotated[
    PageRange | None,
    typer.Option("--pages", parser=page_range, metavar="N[-M]", help="Look only at these pages."),
]
Passages = Annotated[
    int | None, typer.Option("-k", metavar="N", help="Passages to find (setting k).")
]


def where(text: str) -> MetadataFilter:
    """From "author=Ada Fenwick"."""
    key, found, value = text.partition("=")
    if not found or not key.strip() or not value.strip():
        raise typer.BadParameter(f"{text!r} is not KEY=VALUE, as in author=Fenwick")
    return MetadataFilter(key.strip(), value.strip())


def first_day(text: str) -> Day:
    """From "2023", "2023-05" or "2023-05-17": the first day of it."""
    year, month, day = _day(text)
    return Day(_date(text, year, month or 1, day or 1))


def last_day(text: str) -> Day:
    """The same: the last day of it."""
    year, month, day = _day(text)
    month = month or 12
    return Day(_date(text, year, month, day or monthrange(year, month)[1]))


def _day(text: str) -> tuple[int, int | None, int | None]:
    match = re.fullmatch(r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?", text.strip())
    if match is None or not 1 <= int(match[2] or 1) <= 12 or int(match[1]) == 0:
        raise typer.BadParameter(f"{text!r} is no date such as 2023, 2023-05 or 2023-05-17")
    year, month, day = (int(part) if part else None for part in match.groups())
    assert year is not None
    return year, month, day


def _date(text: str, year: int, month: int, day: int) -> date:
    try:
        return date(year, month, day)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r}: {error}") from error


Password = Annotated[
    str | None, typer.Option("--password", metavar="WORD", help="Opens encrypted files.")
]
Where = Annotated[
    list[MetadataFilter] | None,
    typer.Option(
        "--where",
        parser=where,
        metavar="KEY=VALUE",
        help="Only documents whose title, language, path or metadata (author, subject…) holds"
        " VALUE. May be repeated: all must hold.",
    ),
]
Since = Annotated[
    Day | None,
    typer.Option(
        "--since", parser=first_day, metavar="DATE", help="Only documents made on DATE or later."
    ),
]
Until = Annotated[
    Day | None,
    typer.Option(
        "--until", parser=last_day, metavar="DATE", help="Only documents made on DATE or before."
    ),
]
AsOf = Annotated[
    str | None,
    typer.Option("--as-of", metavar="TAG", help="Use the collection as it was when TAG was set."),
]
Local = Annotated[
    bool,
    typer.Option("--local", help="Work in this process, even where rag serve is running."),
]
Model = Annotated[
    str | None,
    typer.Option(
        "--model", metavar="NAME", help="Chat model: bundled name, hub id or folder (chat_model)."
    ),
]
MaxTokens = Annotated[
    int | None, typer.Option("--max-tokens", metavar="N", help="The answer's limit, in tokens.")
]
Temperature = Annotated[
    float | None, typer.Option("--temperature", metavar="T", help="0 is the most likely answer.")
]
