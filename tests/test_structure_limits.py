"""Modules and functions stay short enough to be read at once."""

from __future__ import annotations

import ast
import statistics
from collections.abc import Iterator, Mapping

from structure import MODULES, ROOT, functions, source, tree

MODULE_LINES = 300
FUNCTION_LINES = 40
MEDIAN_FUNCTION_LINES = 10
# What may be longer, why, and how long it may get.
LONGER: Mapping[str, tuple[int, str]] = {
    "benchmarks.gpu": (310, "one table's measurements, which share their models"),
    "cli.ask.ask": (55, "a command's options are its parameters: 16 of them"),
    "cli.ingest.ingest": (55, "the same: 10 of them, with their help texts"),
    "cli.show.show": (45, "the same, and what the help page says"),
    "service.app.create_app": (50, "the service put together, line by line"),
}


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    assert function.end_lineno is not None
    return function.end_lineno - function.lineno + 1


def lengths() -> Iterator[tuple[str, int]]:
    for name in MODULES:
        yield from ((inside, length(node)) for inside, node in functions(tree(name), name))


def over(measured: Mapping[str, int], limit: int) -> dict[str, int]:
    return {
        name: lines for name, lines in measured.items() if lines > LONGER.get(name, (limit,))[0]
    }


def test_no_module_is_too_long() -> None:
    measured = {name: source(name).count("\n") for name in MODULES}
    assert len(measured) > 100
    assert over(measured, MODULE_LINES) == {}


def test_no_function_is_too_long() -> None:
    measured = dict(lengths())
    assert len(measured) > 500
    assert over(measured, FUNCTION_LINES) == {}
    assert statistics.median(measured.values()) <= MEDIAN_FUNCTION_LINES


def test_no_script_of_the_page_is_too_long() -> None:
    scripts = sorted((ROOT / "service" / "web").rglob("*.js"))
    assert scripts
    assert [path.name for path in scripts if path.read_text().count("\n") > MODULE_LINES] == []


def test_no_exception_is_left_over() -> None:
    modules = {name: source(name).count("\n") for name in MODULES}
    long = {name for name, lines in modules.items() if lines > MODULE_LINES}
    long |= {name for name, lines in lengths() if lines > FUNCTION_LINES}
    assert LONGER.keys() - long == set(), "short enough now: take it out of LONGER"


def test_a_long_function_is_found_wherever_it_stands() -> None:
    body = "\n".join(" " * 8 + "a = 1" for _ in range(FUNCTION_LINES))
    code = f"class A:\n    async def f():\n{body}\n    if x:\n        def g(): ...\n"
    measured = {name: length(node) for name, node in functions(ast.parse(code), "m")}
    assert measured == {"m.A.f": FUNCTION_LINES + 1, "m.A.g": 1}
    assert over(measured, FUNCTION_LINES) == {"m.A.f": FUNCTION_LINES + 1}
