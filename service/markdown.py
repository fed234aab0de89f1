"""Answers as HTML that is safe to show: no raw HTML, no images, no scripts; code highlighted.

Citation markers become buttons and claims that nothing supports a mark, while the Markdown is
parsed: an answer's text can therefore imitate neither.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from html import escape
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token

# Stands for "an unsupported claim ends here" in the text to be parsed: a private-use character,
# taken out of what the model wrote beforehand.
_MARK = "\ue000"
_MARKER = re.compile(r" ?\[\d{1,3}\]")


def render(
    text: str,
    citations: Mapping[int, str] | None = None,
    unsupported: Sequence[tuple[int, int]] = (),
) -> str:
    """HTML of `text`. `citations`: number → what it cites; `unsupported`: spans of claims."""
    marked = _with_marks(text, [end for _, end in unsupported])
    return str(_parser().render(marked, {"citations": citations or {}}))


def provisional(text: str) -> str:
    """HTML of an answer that is still being written: its markers are not verified, so not shown."""
    return render(_MARKER.sub("", text))


def stylesheet() -> str:
    """The style sheet of highlighted code, light and dark."""
    from pygments.formatters import HtmlFormatter

    light: Any = HtmlFormatter(style="default")
    dark: Any = HtmlFormatter(style="github-dark")
    rules = (light.get_style_defs(".code"), dark.get_style_defs('[data-theme="dark"] .code'))
    return "\n".join(map(str, rules))


def _with_marks(text: str, ends: Sequence[int]) -> str:
    """Marks stand inside a table's last cell, and not behind a closing fence, which they break."""
    clean = text.replace(_MARK, "\ufffd")
    for end in sorted(set(ends), reverse=True):
        at = len(clean[:end].rstrip(" |\n\t"))
        if at and clean[at - 1] not in "`~":
            clean = clean[:at] + _MARK + clean[at:]
    return clean


@cache
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "linkify": False, "breaks": False})
    parser.enable(["table", "strikethrough"]).disable(["image"])
    parser.inline.ruler.before("link", "citation", _citation)
    parser.inline.ruler.before("citation", "unsupported", _unsupported)
    # Characters at which plain text ends, so that the rules above are tried there.
    parser.inline.ruler.at("text", _text)
    parser.add_render_rule("citation", _render_citation)
    parser.add_render_rule("unsupported", _render_unsupported)
    parser.add_render_rule("link_open", _render_link)
    parser.add_render_rule("fence", _render_fence)
    parser.add_render_rule("code_block", _render_fence)
    parser.add_render_rule("code_inline", _render_code)
    return parser


# ── parse ─────────────────────────────────────────────────────────────────────────────────────

_STOPS = frozenset("\n$%&*+-:<=>@[\\]^_`{}~!" + _MARK)


def _text(state: StateInline, silent: bool) -> bool:
    end = state.pos
    while end < state.posMax and state.src[end] not in _STOPS:
        end += 1
    if end == state.pos:
        return False
    if not silent:
        state.pending += state.src[state.pos : end]
    state.pos = end
    return True


def _citation(state: StateInline, silent: bool) -> bool:
    """`[3]` where 3 is a citation of this answer; anything else is left to Markdown."""
    if state.src[state.pos] != "[":
        return False
    close = state.src.find("]", state.pos, state.pos + 6)
    digits = state.src[state.pos + 1 : close] if close > 0 else ""
    if not (digits.isascii() and digits.isdecimal()) or int(digits) not in state.env["citations"]:
        return False
    if not silent:
        token = state.push("citation", "", 0)
        token.meta = {"number": int(digits)}
    state.pos = close + 1
    return True


def _unsupported(state: StateInline, silent: bool) -> bool:
    if state.src[state.pos] != _MARK:
        return False
    if not silent:
        state.push("unsupported", "", 0)
    state.pos += 1
    return True


# ── render ────────────────────────────────────────────────────────────────────────────────────


def _render_citation(_: Any, tokens: Sequence[Token], i: int, __: Any, env: Any) -> str:
    number = tokens[i].meta["number"]
    label = escape(f"Source {number}: {env['citations'][number]}", quote=True)
    return (
        f'<button type="button" class="cite" data-cite="{number}" title="{label}" '
        f'aria-label="{label}">{number}</button>'
    )


def _render_unsupported(*_: Any) -> str:
    return (
        '<span class="unsupported" role="note" '
        'title="No passage was found that supports this">unverified</span>'
    )


def _render_link(self: Any, tokens: Sequence[Token], i: int, options: Any, env: Any) -> str:
    tokens[i].attrSet("rel", "noopener noreferrer nofollow")
    tokens[i].attrSet("target", "_blank")
    return str(self.renderToken(tokens, i, options, env))


def _render_fence(_: Any, tokens: Sequence[Token], i: int, __: Any, ___: Any) -> str:
    token = tokens[i]
    code = token.content.replace(_MARK, "")
    language = token.info.split(maxsplit=1)[0] if token.info.strip() else ""
    return f'<pre class="code" tabindex="0"><code>{_highlighted(code, language)}</code></pre>\n'


def _render_code(_: Any, tokens: Sequence[Token], i: int, *__: Any) -> str:
    return f"<code>{escape(tokens[i].content.replace(_MARK, ''))}</code>"


def _highlighted(code: str, language: str) -> str:
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import get_lexer_by_name
    from pygments.util import ClassNotFound

    try:
        lexer = get_lexer_by_name(language)
    except ClassNotFound:
        return escape(code)
    return str(highlight(code, lexer, HtmlFormatter(nowrap=True)))
