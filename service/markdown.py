"""Answers as HTML that is safe to show: no raw HTML, no images, no scripts; code highlighted,
formulas as MathML. A link leads only where a quote of the documents does: what else a model writes
as one is text, for injected words could carry something away in its address.

Citation markers become buttons and claims that are not cited have a note, while the Markdown is
parsed: an answer's text can therefore imitate neither.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from html import escape
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from mdit_py_plugins.tasklists import tasklists_plugin

from service import formulas
from service.code_blocks import code_block
from service.maths import mathml

# Around the number of a note, where its claim ends in the text to be parsed: a private-use
# character, taken out of what the model wrote beforehand.
_MARK = "\ue000"
_NUMBERED_MARK = re.compile(f"{_MARK}(\\d+){_MARK}")
_FENCES = ("```", "~~~")
_MARKER = re.compile(r" ?\[\d{1,3}\]")


@dataclass(frozen=True, slots=True)
class Note:
    """What is said of a claim that ends at `end`: the words, its finding and the place's quote."""

    end: int
    words: str = "not in the passages"
    finding: str = "not_said"
    quote: str = ""


def render(
    text: str,
    citations: Mapping[int, str] | None = None,
    notes: Sequence[Note] = (),
    links: Collection[str] = (),
) -> str:
    """HTML of `text`. `citations`: number → what it cites; `notes`: of claims that are not;
    `links`: addresses that stand in the documents."""
    env = {"citations": citations or {}, "notes": notes, "links": links}
    return str(_parser().render(_with_marks(text, notes), env))


def provisional(text: str) -> str:
    """HTML of an answer that is still being written: its markers are not verified, so not shown."""
    return render(_MARKER.sub("", text))


def addresses(texts: Iterable[str]) -> set[str]:
    """The web addresses that stand in texts."""
    return {found.rstrip(_BEHIND) for text in texts for found in _ADDRESS.findall(text)}


_ADDRESS = re.compile(r"https?://[^\s<>\"'“”‘’\[\]{}|\\^`]+")
_BEHIND = ".,;:!?)"  # punctuation behind an address, not of it


def last_block(text: str) -> int:
    """Where the last block of a text begins. What is before it no longer changes, whatever
    follows: a block ends where the next one has begun."""
    tokens = _parser().parse(text, {"citations": {}})
    tops = [t.map[0] for t in tokens if t.level == 0 and t.map is not None and t.nesting >= 0]
    if len(tops) < 2:
        return 0
    return sum(len(line) for line in text.splitlines(keepends=True)[: tops[-1]])


def _with_marks(text: str, notes: Sequence[Note]) -> str:
    """Marks stand inside a table's last cell, and behind a fence, which they would break, in a
    paragraph."""
    clean = text.replace(_MARK, "\ufffd")
    for number in sorted(range(len(notes)), key=lambda n: -notes[n].end):
        at = len(clean[: notes[number].end].rstrip(" |\n\t"))
        apart = "\n\n" if _ends_block(clean[:at]) else ""
        if at:
            clean = f"{clean[:at]}{apart}{_MARK}{number}{_MARK}{apart}{clean[at:]}"
    return clean


def _ends_block(text: str) -> bool:
    """Whether it ends with the closing line of a fence."""
    line = text[text.rfind("\n") + 1 :].strip()
    return line.startswith(_FENCES) and line.endswith(_FENCES)


@cache
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "linkify": False, "breaks": False})
    parser.enable(["table", "strikethrough"]).disable(["image"])
    parser.use(tasklists_plugin)
    formulas.use(parser)
    parser.inline.ruler.before("link", "citation", _citation)
    parser.inline.ruler.before("citation", "note", _note)
    # Characters at which plain text ends, so that the rules above are tried there.
    parser.inline.ruler.at("text", _text)
    parser.add_render_rule("citation", _render_citation)
    parser.add_render_rule("note", _render_note)
    parser.add_render_rule("link_open", _render_link)
    parser.add_render_rule("link_close", _render_link_end)
    parser.add_render_rule("text", _render_text)
    parser.add_render_rule("html_inline", _render_box)
    for cell in ("th_open", "td_open"):
        parser.add_render_rule(cell, _render_cell)
    for kind in _MATHS:
        parser.add_render_rule(kind, _render_math)
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


def _note(state: StateInline, silent: bool) -> bool:
    found = _NUMBERED_MARK.match(state.src, state.pos)
    if found is None:
        return False
    if not silent:
        token = state.push("note", "", 0)
        token.meta = {"number": int(found[1])}
    state.pos = found.end()
    return True


# ── render ────────────────────────────────────────────────────────────────────────────────────


def _render_citation(_: Any, tokens: Sequence[Token], i: int, __: Any, env: Any) -> str:
    number = tokens[i].meta["number"]
    label = escape(f"Source {number}: {env['citations'][number]}", quote=True)
    return (
        f'<button type="button" class="cite" data-cite="{number}" title="{label}" '
        f'aria-label="{label}">{number}</button>'
    )


def _render_note(_: Any, tokens: Sequence[Token], i: int, __: Any, env: Any) -> str:
    note = env["notes"][tokens[i].meta["number"]]
    title = f"“{note.quote}”" if note.quote else "No passage was found that says this"
    kind = "contradicted" if note.finding == "contradicted" else "unsupported"
    return (
        f'<span class="{kind}" role="note" title="{escape(title, quote=True)}">'
        f"{escape(note.words)}</span>"
    )


_MATHS = ("math_inline", "math_inline_double", "math_block")


def _render_link(_: Any, tokens: Sequence[Token], i: int, __: Any, env: Any) -> str:
    return _anchor(href) if (href := _href(tokens[i])) in env["links"] else ""


def _render_link_end(_: Any, tokens: Sequence[Token], i: int, __: Any, env: Any) -> str:
    """Behind a link that is none stands where it led, so that nothing is hidden."""
    depth, at = 1, i
    while depth:
        at -= 1
        depth -= {"link_open": 1, "link_close": -1}.get(tokens[at].type, 0)
    href = _href(tokens[at])
    if href in env["links"]:
        return "</a>"
    words = "".join(token.content for token in tokens[at + 1 : i])
    return "" if not href or words == href else f" ({escape(href)})"


def _href(link: Token) -> str:
    return str(link.attrGet("href") or "")


def _anchor(href: str) -> str:
    """No referrer, and no way back to the page that opened it."""
    return (
        f'<a href="{escape(href, quote=True)}" rel="noopener noreferrer nofollow" target="_blank">'
    )


def _render_text(_: Any, tokens: Sequence[Token], i: int, __: Any, env: Any) -> str:
    """Bare addresses of the documents are links."""
    text, parts, at = tokens[i].content, [], 0
    inside = sum({"link_open": 1, "link_close": -1}.get(t.type, 0) for t in tokens[:i])
    for found in _ADDRESS.finditer(text) if env["links"] and not inside else ():
        href = found[0].rstrip(_BEHIND)
        if href in env["links"]:
            parts.append(f"{escape(text[at : found.start()])}{_anchor(href)}{escape(href)}</a>")
            at = found.start() + len(href)
    return "".join([*parts, escape(text[at:])])


def _render_box(_: Any, tokens: Sequence[Token], i: int, *__: Any) -> str:
    """Of a task list; what a model writes as HTML is text, and comes not here."""
    done = 'checked="checked"' in tokens[i].content
    label = "done" if done else "to do"
    return f'<span class="task" role="img" aria-label="{label}">{"☑" if done else "☐"}</span>'


def _render_cell(_: Any, tokens: Sequence[Token], i: int, *__: Any) -> str:
    """The page's security policy takes no inline style."""
    style = str(tokens[i].attrGet("style") or "").removeprefix("text-align:")
    return f'<{tokens[i].tag} class="{style}">' if style else f"<{tokens[i].tag}>"


def _render_math(_: Any, tokens: Sequence[Token], i: int, *__: Any) -> str:
    block = tokens[i].type.startswith("math_block")
    return mathml(_NUMBERED_MARK.sub("", tokens[i].content).strip(), block=block)


def _render_fence(_: Any, tokens: Sequence[Token], i: int, __: Any, ___: Any) -> str:
    token = tokens[i]
    code = _NUMBERED_MARK.sub("", token.content)
    language = token.info.split(maxsplit=1)[0] if token.info.strip() else ""
    language = _NUMBERED_MARK.sub("", language)[:30]
    return code_block(code, language)


def _render_code(_: Any, tokens: Sequence[Token], i: int, *__: Any) -> str:
    return f"<code>{escape(_NUMBERED_MARK.sub('', tokens[i].content))}</code>"
