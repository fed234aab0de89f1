"""The numbers that a word processor draws before headings and list items: "3.2", "(a)", "•"."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rag.readers.symbol_fonts import sign

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_LEVELS = 9
_ROMAN = (
    (1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"),
    (40, "xl"), (10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Level:
    start: int = 1
    kind: str = "decimal"
    text: str = ""
    font: str = ""
    legal: bool = False  # all numbers in it are decimal
    restart: int = -1  # after which level (from 1) it begins anew; 0 never, -1 after any above


class Numbering:
    """Counts through one document; ask for each paragraph once, in order."""

    def __init__(self, root: Any | None) -> None:
        """From the root of numbering.xml, if the document has one."""
        self._abstract: dict[str, dict[int, _Level]] = {}
        self._lists: dict[str, tuple[str, dict[int, _Level]]] = {}
        self._by_style: dict[str, str] = {}
        self._counts: dict[str, list[int]] = defaultdict(lambda: [-1] * _LEVELS)
        self._begun: set[str] = set()
        if root is not None:
            self._read(root)

    def label(self, list_id: str, level: int) -> str:
        """What stands before the next paragraph of this list and level (from 0); "" for none."""
        if list_id not in self._lists or not 0 <= level < _LEVELS:
            return ""
        shared, own = self._lists[list_id]
        levels = {**self._abstract.get(shared, {}), **own}
        counts = self._counts[shared]
        if list_id not in self._begun:
            self._begun.add(list_id)
            for changed in own:
                counts[changed] = -1
        here = levels.get(level, _Level())
        counts[level] = here.start if counts[level] < 0 else counts[level] + 1
        for below in range(level + 1, _LEVELS):
            after = levels.get(below, _Level()).restart
            if after < 0 or level < after:
                counts[below] = -1
        return _written(levels, counts, level)

    def _read(self, root: Any) -> None:
        links: dict[str, str] = {}
        for abstract in root.findall(f"{_W}abstractNum"):
            id_ = abstract.get(f"{_W}abstractNumId", "")
            self._abstract[id_] = dict(_levels(abstract))
            if style := _value(abstract, "styleLink"):
                self._by_style[style] = id_
            if style := _value(abstract, "numStyleLink"):
                links[id_] = style
        for number in root.findall(f"{_W}num"):
            shared = _value(number, "abstractNumId")
            shared = self._by_style.get(links.get(shared, ""), shared)
            own = dict(_overrides(number, self._abstract.get(shared, {})))
            self._lists[number.get(f"{_W}numId", "")] = shared, own


def _levels(parent: Any) -> Iterator[tuple[int, _Level]]:
    for level in parent.findall(f"{_W}lvl"):
        fonts = level.find(f"{_W}rPr/{_W}rFonts")
        yield (
            _number(level.get(f"{_W}ilvl"), 0),
            _Level(
                start=_number(_value(level, "start"), 1),
                kind=_value(level, "numFmt") or "decimal",
                text=_value(level, "lvlText"),
                font="" if fonts is None else fonts.get(f"{_W}ascii", ""),
                legal=level.find(f"{_W}isLgl") is not None,
                restart=_number(_value(level, "lvlRestart"), -1),
            ),
        )


def _overrides(number: Any, shared: dict[int, _Level]) -> Iterator[tuple[int, _Level]]:
    for override in number.findall(f"{_W}lvlOverride"):
        at = _number(override.get(f"{_W}ilvl"), 0)
        level = dict(_levels(override)).get(at, shared.get(at, _Level()))
        if start := _value(override, "startOverride"):
            level = _Level(
                _number(start, 1), level.kind, level.text, level.font, level.legal, level.restart
            )
        yield at, level


def _written(levels: dict[int, _Level], counts: list[int], level: int) -> str:
    here = levels.get(level, _Level())
    if here.kind == "none":
        return ""
    if here.kind == "bullet":
        drawn = "".join(sign(here.font, char) for char in here.text)
        return drawn if drawn in ("☐", "☑", "☒", "✓", "✔", "–", "-") else "•"
    text = here.text
    for other in range(_LEVELS):
        if f"%{other + 1}" in text:
            shown = levels.get(other, _Level())
            count = counts[other] if counts[other] >= 0 else shown.start
            kind = "decimal" if here.legal else shown.kind
            text = text.replace(f"%{other + 1}", counted(count, kind))
    return text.strip()


def counted(number: int, kind: str) -> str:
    """The number as a format of OOXML's writes it; decimal where we do not know it."""
    if kind in ("lowerLetter", "upperLetter") and 0 < number <= 26 * 50:
        text = chr(ord("a") + (number - 1) % 26) * ((number - 1) // 26 + 1)
        return text if kind == "lowerLetter" else text.upper()
    if kind in ("lowerRoman", "upperRoman") and 0 < number < 4000:
        text = _roman(number)
        return text if kind == "lowerRoman" else text.upper()
    if kind == "none":
        return ""
    return f"{number:02d}" if kind == "decimalZero" else str(number)


def _roman(number: int) -> str:
    text = ""
    for value, letters in _ROMAN:
        text += letters * (number // value)
        number %= value
    return text


def _value(parent: Any, name: str) -> str:
    found = parent.find(f"{_W}{name}")
    return "" if found is None else str(found.get(f"{_W}val", ""))


def _number(text: str | None, default: int) -> int:
    try:
        return int(text or default)
    except ValueError:
        return default
