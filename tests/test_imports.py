"""Imports point one way, and heavy libraries are loaded only by what uses them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("rag", "cli", "service")
HEAVY = {
    "lancedb", "mlx", "mlx_embeddings", "mlx_lm", "onnx", "onnxruntime", "openai", "pymupdf",
    "transformers", "vllm_mlx",
}  # fmt: skip
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
# From the ground up: a module may import from its own layer and from those below.
GROUND = {"rag.types", "rag.computation", "rag.errors", "rag.encoding"}
TOP = {"rag.pipeline"}


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(node: ast.AST, *, deep: bool) -> Iterator[str]:
    """Modules that are imported; `deep` looks into functions too. Not those for type checkers."""
    for child in ast.iter_child_nodes(node):
        match child:
            case ast.Import():
                yield from (alias.name for alias in child.names)
            case ast.ImportFrom(module=str(module)):
                yield module
                yield from (f"{module}.{alias.name}" for alias in child.names)
            case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                yield from (name for other in child.orelse for name in imports(other, deep=deep))
            case ast.FunctionDef() | ast.AsyncFunctionDef() if not deep:
                continue
            case _:
                yield from imports(child, deep=deep)


def imported(path: Path, *, deep: bool = True) -> set[str]:
    return set(imports(ast.parse(path.read_text(encoding="utf-8")), deep=deep))


def top(names: set[str]) -> set[str]:
    return {name.split(".")[0] for name in names}


def test_the_walk_sees_what_it_should() -> None:
    code = "import a\nif TYPE_CHECKING:\n import b\ndef f():\n from c import d\n"
    tree = ast.parse(code)
    assert set(imports(tree, deep=True)) == {"a", "c", "c.d"}
    assert set(imports(tree, deep=False)) == {"a"}


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_keeps_the_direction(path: Path) -> None:
    name, names = name_of(path), imported(path)
    if name.startswith("rag"):
        assert not top(names) & {"cli", "service"}, "rag knows neither cli nor service"
    if name.startswith("service"):
        assert "cli" not in top(names), "service does not know cli"
    if name in GROUND:
        above = {
            n for n in names if n.startswith("rag.") and ".".join(n.split(".")[:2]) not in GROUND
        }
        assert not above, "the ground imports nothing from above"
    if "lancedb" in top(names):
        assert name.startswith("rag.store"), "only the store knows LanceDB"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_heavy_libraries_wait_until_they_are_used(path: Path) -> None:
    assert not top(imported(path, deep=False)) & HEAVY


def test_only_flows_are_built_on_the_pipeline() -> None:
    """Whatever the pipeline is made of does not import it."""
    made_of, todo = set[str](), {"rag.pipeline"}
    known = {name_of(path): path for path in MODULES}
    while todo:
        name = todo.pop()
        made_of.add(name)
        todo |= {n for n in imported(known[name]) if n in known} - made_of
    assert len(made_of) > 10
    users = {name for name in made_of - TOP if "rag.pipeline" in imported(known[name])}
    assert users == set()
