"""Where formulas stand in Markdown: `\\(…\\)`, `\\[…\\]` and `$$…$$`, on lines of their own or in
others. What stands behind one on its last line is kept: a marker, a note, the rest of a sentence.
"""

from __future__ import annotations

from typing import Any

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.rules_inline import StateInline
from mdit_py_plugins.dollarmath import dollarmath_plugin

_INLINE = {"\\(": ("\\)", "math_inline"), "\\[": ("\\]", "math_inline_double")}
_BLOCK = {"\\[": "\\]", "$$": "$$"}
_MOST_LINES = 100  # of a formula; further its end is not looked for, so that no text costs more
_MOST_CHARS = 4000


def use(parser: MarkdownIt) -> None:
    parser.use(dollarmath_plugin, allow_space=False, allow_digits=False, double_inline=True)
    parser.block.ruler.before(
        "fence", "display", _display, {"alt": ["paragraph", "reference", "blockquote", "list"]}
    )
    parser.block.ruler.disable("math_block")  # the plugin's own loses what is behind it
    parser.inline.ruler.before("escape", "bracket_math", _bracketed)


def _bracketed(state: StateInline, silent: bool) -> bool:
    opening = state.src[state.pos : state.pos + 2]
    closing, kind = _INLINE.get(opening, ("", ""))
    begin = state.pos + 2
    end = state.src.find(closing, begin, begin + _MOST_CHARS) if closing else -1
    if end <= begin or end + 2 > state.posMax:
        return False
    if not silent:
        token = state.push(kind, "math", 0)
        token.content = state.src[begin:end]
        token.markup = opening
    state.pos = end + 2
    return True


def _display(state: StateBlock, start: int, last: int, silent: bool) -> bool:
    if state.is_code_block(start):
        return False
    at = state.bMarks[start] + state.tShift[start]
    opening = state.src[at : at + 2]
    if opening not in _BLOCK:
        return False
    found = _until(state, start, last, _BLOCK[opening])
    if found is None:
        return False
    if silent:
        return True
    line, formula, rest = found
    token = state.push("math_block", "math", 0)
    token.block, token.content, token.markup = True, formula, opening
    token.map = [start, line + 1]
    if rest:
        _paragraph(state, rest, [start, line + 1])
    state.line = line + 1
    return True


def _until(state: StateBlock, start: int, last: int, closing: str) -> tuple[int, str, str] | None:
    """The line on which the formula ends, the formula, and what stands behind it."""
    lines: list[str] = []
    for line in range(start, min(last, start + _MOST_LINES)):
        if not state.isEmpty(line) and state.sCount[line] < state.blkIndent:
            return None  # outside of the list or quotation that the formula begins in
        text = state.src[state.bMarks[line] + state.tShift[line] : state.eMarks[line]]
        text = text[2:] if line == start else text
        before, closed, rest = text.partition(closing)
        lines.append(before)
        if closed:
            formula = "\n".join(lines)
            return (line, formula, rest.strip()) if formula.strip() else None
    return None


def _paragraph(state: StateBlock, text: str, lines: list[int]) -> None:
    """Its lines are those of the formula too: while an answer is written, both are one block."""
    opened: Any = state.push("paragraph_open", "p", 1)
    inline = state.push("inline", "", 0)
    inline.content, inline.children = text, []
    opened.map = inline.map = lines
    state.push("paragraph_close", "p", -1)
