"""Imports point one way, over all packages, and there is no circle."""

from __future__ import annotations

import ast
from collections.abc import Mapping

import pytest
from structure import MODULES, circles, graph, modules_imported

# From the ground up. A unit (a folder of rag/, a module beside these, or another package) imports
# from itself and from the rows below its own, never from its own row or above. A new unit has to be
# placed here: as low as what it imports allows. Imports in functions and for type checkers count.
LAYERS: tuple[tuple[str, ...], ...] = (
    # words and data that all share; what knows nothing of documents
    ("rag.common_words", "rag.computation", "rag.encoding"),
    ("rag.errors", "rag.types", "rag.terms", "rag.options", "rag.jsonable", "rag.paths",
     "rag.worker_process", "rag.process_memory", "rag.compute"),
    ("rag.disk",),
    ("rag.calibration", "rag.config", "rag.events", "rag.quotes", "rag.sessions"),
    # adapters of libraries, and the verification of text, which needs none
    ("rag.models", "rag.readers", "rag.verification"),
    ("rag.embedders", "rag.engines", "rag.page_image", "rag.arithmetic"),
    ("rag.store", "rag.testing"),
    # the parts of the two flows
    ("rag.collection", "rag.ingest", "rag.rerankers"),
    ("rag.verifiers",),
    ("rag.retrieval", "rag.runtime"),
    ("rag.answering",),
    # the flows put together, here or in a running service; and what is built on them
    ("rag.backend", "rag.client", "rag.pipeline"),
    ("rag.api",),
    ("rag.evaluation", "rag.maintenance", "rag.self_test"),
    ("rag",),
    # those who use it
    ("cli", "service"),
    ("benchmarks",),
)  # fmt: skip
# `cli serve` and `cli mcp` start the service: the one arrow between two of a row.
ARROWS = {("cli.serve", "service")}


def unit(module: str) -> str:
    """rag.store.reader → rag.store; cli.ask → cli; rag → rag (the public face)."""
    parts = module.split(".")
    return ".".join(parts[: 2 if parts[0] == "rag" else 1])


def upward(edges: Mapping[str, frozenset[str]], layers: tuple[tuple[str, ...], ...]) -> list[str]:
    """Each import that does not go down, as "a → b"."""
    row = {name: number for number, names in enumerate(layers) for name in names}
    return sorted(
        f"{module} → {other}"
        for module, others in edges.items()
        for other in others
        if unit(module) != unit(other)
        and row[unit(other)] >= row[unit(module)]
        and (module, unit(other)) not in ARROWS
    )


def test_every_unit_has_its_layer() -> None:
    units, placed = {unit(name) for name in MODULES}, [name for row in LAYERS for name in row]
    assert len(placed) == len(set(placed)), "a unit stands in two layers"
    assert units - set(placed) == set(), "new: give it a row of LAYERS, as low as its imports allow"
    assert set(placed) - units == set(), "gone: take it out of LAYERS"


def test_imports_go_down() -> None:
    assert upward(graph(), LAYERS) == []


def test_no_exception_is_left_over() -> None:
    used = {(module, unit(other)) for module, others in graph().items() for other in others}
    assert ARROWS - used == set(), "no longer needed: take it out of ARROWS"


def test_modules_import_each_other_in_no_circle() -> None:
    assert circles(graph()) == []


@pytest.mark.parametrize(
    "code",
    [
        "from rag.store import reader",
        "from rag.store.reader import Store",
        "import rag.store.reader",
        "def f():\n from rag.store.reader import Store",
        "if TYPE_CHECKING:\n from rag.store.reader import Store",
        "class A:\n async def f(self):\n  try:\n   import rag.store.reader as r\n  finally: ...",
    ],
)
def test_an_import_is_seen_wherever_it_stands(code: str) -> None:
    known = ["rag", "rag.store", "rag.store.reader"]
    assert modules_imported(ast.parse(code), known) == {"rag.store.reader"}
    edges = {"rag.types": frozenset({"rag.store.reader"})}
    assert upward(edges, LAYERS) == ["rag.types → rag.store.reader"]


def test_a_circle_is_found() -> None:
    edges = {"a": ["b"], "b": ["c"], "c": ["b", "d"], "d": [], "e": ["e", "a"]}
    assert circles(edges) == [["b", "c"]]
