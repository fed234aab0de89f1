"""Answers as HTML: tables, tasks, formulas, code, links; whole, and while they are written."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service import markdown
from service.growing import Growing
from service.maths import mathml

ADDRESS = "https://works.example/a?b=1"


def test_a_table_is_aligned_by_classes_that_the_policy_allows() -> None:
    html = markdown.render("a | b | c\n:--|:-:|--:\n1 | 2 | 3")
    assert '<td class="left">1</td>' in html
    assert '<td class="center">2</td>' in html
    assert '<td class="right">3</td>' in html
    assert "style=" not in html


def test_a_task_list() -> None:
    html = markdown.render("- [ ] sign\n- [x] pay [1]", {1: "lease"})
    assert html.count('role="img"') == 2
    assert 'aria-label="done"' in html
    assert 'data-cite="1"' in html
    assert "<input" not in html


@pytest.mark.parametrize("text", ["$x^2$", r"\(x^2\)", "$$\nx^2\n$$", "\\[\nx^2\n\\]", "$$x^2$$"])
def test_formulas_are_mathml(text: str) -> None:
    assert "<msup><mi>x</mi><mn>2</mn></msup>" in markdown.render(text)


@pytest.mark.parametrize(
    "text",
    [
        r"So \[x^2\] holds.",
        "So \\[\nx^2\n\\] holds.",
        "A claim:\n\\[\nx^2\n\\]",
        "A claim:\n$$\nx^2\n$$",
        "A claim:\n\n$$\nx^2\n$$",
        r"- of an item \[x^2\]",
        "- of an item\n  $$\n  x^2\n  $$",
        "a | b\n--|--\n1 | \\[x^2\\]",
        "> quoted\n> \\[\n> x^2\n> \\]",
        r"\[x^2\] [1]",
        r"$$x^2$$ which holds",
        "$$\nx^2\n$$ (1), which holds",
        r"**\(x^2\)**",
        "where $x^2$ and `code`",
    ],
)
def test_a_claim_that_ends_at_a_formula_keeps_its_note_and_its_words(text: str) -> None:
    html = markdown.render(text, {1: "lease"}, [markdown.Note(len(text))])
    assert "<msup><mi>x</mi><mn>2</mn></msup>" in html
    assert html.count('role="note"') == 1
    assert "\ue000" not in html
    for word in ("claim", "holds", "item", "(1)", "code"):
        assert (word in html) is (word in text)
    assert ("data-cite" in html) is ("[1]" in text)
    assert not re.search(r"[\[\]\\$]", re.sub(r"<[^>]*>", "", html))


@pytest.mark.parametrize("text", ["\\[\n" * 3000, "$$ x\n" * 2999, "\\[ " * 9000, "\\( x" * 9000])
def test_formulas_without_an_end_are_text(text: str) -> None:
    assert "\ue000" not in markdown.render(text, {}, [markdown.Note(len(text))])


@pytest.mark.parametrize("text", ["It costs $5 and $6.", "US$ 5 or $ 6 $", "`$x$`", "5$ to 6$"])
def test_money_and_code_are_no_formulas(text: str) -> None:
    assert "<math" not in markdown.render(text)


@pytest.mark.parametrize(
    "latex",
    [
        r"\text{<script>alert(1)</script>}",
        r"\text{<img src=x onerror=alert(1)>}",
        r"\href{javascript:alert(1)}{x}",
        r"\style{background:url(//e.example)}{x}",
        r"\class{doing}{x}",
        r'\color{"><img>}{y}',
        r"\text{<a href='//e.example'>x</a>}",
        r"\text{&lt;!DOCTYPE x>}",
        r"\frac{",
        "{" * 900,
        "x" * 3000,
        r"\begin{matrix}",
        r"\unicode{xyz}",
    ],
)
def test_hostile_formulas_are_text(latex: str) -> None:
    for html in (mathml(latex, block=True), markdown.render(f"${latex}$")):
        assert not re.search(r"<(script|img|a)\b", html)
        assert not re.search(r"<[^>]*\s(href|style|class|on\w+|mathcolor)=", html)


@given(st.text(r"\{}^_&$x1 fracbeginmatrixlefttext<>", max_size=60))
def test_any_formula_is_rendered_or_shown(latex: str) -> None:
    assert mathml(latex, block=False).startswith(("<math", "<code"))


@pytest.mark.parametrize(
    "text",
    [
        "[sources](https://evil.example/?q=secret)",
        "<https://evil.example/x>",
        "https://evil.example/x",
        "[x][1]\n\n[1]: https://evil.example",
        "[a *b*](//evil.example)",
        "[mail](mailto:a@evil.example)",
        f"[{ADDRESS}](https://evil.example/)",
    ],
)
def test_a_models_link_is_text_that_hides_nothing(text: str) -> None:
    html = markdown.render(text, {}, [], {ADDRESS})
    assert "evil.example" in html
    assert not re.search(r'href="[^"]*evil', html)


@pytest.mark.parametrize("text", [f"See {ADDRESS}.", f"[there]({ADDRESS})", f"<{ADDRESS}>"])
def test_a_link_of_the_documents_leads_there(text: str) -> None:
    links = markdown.addresses([f"The plan is at {ADDRESS}, and nowhere else."])
    assert links == {ADDRESS}
    html = markdown.render(text, {}, [], links)
    assert html.count("<a href=") == html.count("</a>") == 1
    assert 'rel="noopener noreferrer nofollow"' in html
    assert "<a" not in markdown.render(text)


def test_code_has_its_language_and_a_button() -> None:
    html = markdown.render('```python\nx = 1\n```\n\n```"><img src=x>\ny\n```')
    assert "<span>python</span>" in html
    assert html.count('class="copy-code"') == 2
    assert "<img" not in html


# ── while it is written ───────────────────────────────────────────────────────────────────────

BLOCKS = {
    "paragraphs": "\n\n".join(f"Part {n} is **bold** and goes on [1]. " * 5 for n in range(240)),
    "one list": "\n".join(f"- point {n} of the list, which goes on" for n in range(1200)),
    "one table": "a | b\n--|--\n" + "\n".join(f"row {n} | {n * n}" for n in range(2500)),
    "one block of code": "```python\n" + "\n".join(f"x{n} = {n}" for n in range(3500)) + "\n```",
    "one line": "word " * 9600,
    "blank lines in code": "```\n" + "\n\n".join(f"y{n}" for n in range(6000)) + "\n```",
}


@pytest.mark.parametrize("name", BLOCKS)
def test_a_stream_costs_as_much_as_its_length(name: str) -> None:
    text = BLOCKS[name]

    def told(part: str) -> int:
        growing, size = Growing(), 0
        for word in part.split(" "):
            if (html := growing.feed(f"{word} ")) is not None:
                size += len(html["html"]) + len(html["open"])
        return size

    whole = len(markdown.render(text))
    assert told(text) < 4 * whole
    assert told(text) < 3 * told(text[: len(text) // 2]) + 2000


def test_blocks_that_ended_are_those_of_the_whole() -> None:
    text = "# Head\n\nOne *two*.\n\n- a\n- b\n\n```\ncode\n\nmore\n```\n\n> quote\n\nEnd.\n\n"
    growing, html = Growing(), ""
    for piece in re.findall(r"\S+\s*", text * 3):
        if (told := growing.feed(piece)) is not None:
            html += told["html"]
    assert html
    assert markdown.provisional(text * 3).startswith(html.rstrip())


@pytest.mark.parametrize(
    "text",
    [
        "It is\n\n$$\nx + y\n$$",
        "It is\n\n$$x + y$$",
        "It is\n\n\\[\nx + y\n\\]",
        "It is \\[x + y\\]",
        "It is $x + y$",
        "It is $$x + y$$",
        "Run this:\n\n```\nmake all\n```",
        "Run this:\n\n~~~sh\nmake all\n~~~",
        "Run `make all`",
        "It was ~~never~~",
        "- one\n- `two`",
        "| a |\n| --- |\n| `b` |",
    ],
)
@pytest.mark.parametrize("behind", ["", "\n\nAnd more of it."])
def test_a_claim_has_its_note_whatever_it_ends_with(text: str, behind: str) -> None:
    plain = markdown.render(text + behind)
    noted = markdown.render(text + behind, notes=[markdown.Note(len(text), "not confirmed")])
    note = '<span class="unsupported" role="note" title="No passage was found that says this">'
    assert noted.count(note + "not confirmed</span>") == 1
    without = noted.replace(note + "not confirmed</span>", "").replace("<p></p>\n", "")
    assert without == plain


def test_a_display_formula_amid_a_line() -> None:
    html = markdown.render("So \\[x^2\\] holds, and \\[ is no formula.")
    assert html.count("<math") == 1
    assert "holds, and [ is no formula." in html
