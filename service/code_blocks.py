"""Code as HTML: highlighted, with its language and a button that copies it."""

from __future__ import annotations

from html import escape
from typing import Any


def code_block(code: str, language: str) -> str:
    return (
        f'<div class="codebox"><div class="codebar"><span>{escape(language)}</span>'
        '<button type="button" class="copy-code">Copy</button></div>'
        f'<pre class="code" tabindex="0"><code>{_highlighted(code, language)}</code></pre></div>\n'
    )


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


def stylesheet() -> str:
    """The style sheet of highlighted code, light and dark."""
    from pygments.formatters import HtmlFormatter

    light: Any = HtmlFormatter(style="default")
    dark: Any = HtmlFormatter(style="github-dark")
    rules = (light.get_style_defs(".code"), dark.get_style_defs('[data-theme="dark"] .code'))
    return "\n".join(map(str, rules))
