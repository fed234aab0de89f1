"""What styles of a word processor say of their paragraphs: headings, and lists."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from rag.readers.word_text import W

_HEADING = re.compile(r"heading ([1-9])", re.IGNORECASE)
_DEEPEST = 6
_MAX_CHAIN = 20  # styles that a style may be based on


class Styles:
    def __init__(self, root: Any | None) -> None:
        """From the root of styles.xml, if the document has one."""
        styles = () if root is None else root.findall(f"{W}style")
        self._styles = {style.get(f"{W}styleId", ""): style for style in styles}

    def heading(self, properties: Any | None) -> int:
        """The level of a heading by its paragraph's properties, 1 to 6; 0 for no heading."""
        own = _value(properties, "outlineLvl")
        for style in self._chain(properties):
            name = _value(style, "name")
            if found := _HEADING.fullmatch(name):
                return min(int(found[1]), _DEEPEST)
            if name.lower() == "title":
                return 1
            own = own or _value(style.find(f"{W}pPr"), "outlineLvl")
        return min(int(own) + 1, _DEEPEST) if own.isdecimal() and int(own) < 9 else 0

    def list_of(self, properties: Any | None) -> tuple[str, int]:
        """The list's id and the level in it, from 0; no id where the paragraph is in none."""
        list_id = level = ""
        chain = [style.find(f"{W}pPr") for style in self._chain(properties)]
        for found in (properties, *chain):
            number = None if found is None else found.find(f"{W}numPr")
            list_id = list_id or _value(number, "numId")
            level = level or _value(number, "ilvl")
        return ("" if list_id == "0" else list_id), int(level) if level.isdecimal() else 0

    def _chain(self, properties: Any | None) -> Iterator[Any]:
        """The paragraph's style and those that it is based on."""
        name = _value(properties, "pStyle")
        for _ in range(_MAX_CHAIN):
            style = self._styles.get(name)
            if style is None:
                return
            yield style
            name = _value(style, "basedOn")


def _value(parent: Any | None, name: str) -> str:
    found = None if parent is None else parent.find(f"{W}{name}")
    return "" if found is None else str(found.get(f"{W}val", ""))
