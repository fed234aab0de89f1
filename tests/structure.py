"""Modules and what they import, read as text: what the guards in test_structure_*.py share."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SHIPPED = ("rag", "cli", "service")
PACKAGES = (*SHIPPED, "benchmarks")


def name_of(path: Path, root: Path = ROOT) -> str:
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES: Mapping[str, Path] = {
    name_of(path): path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))
}


@cache
def source(name: str) -> str:
    return MODULES[name].read_text(encoding="utf-8")


@cache
def tree(name: str) -> ast.Module:
    return ast.parse(source(name))


def imports(node: ast.AST, *, deep: bool = True) -> Iterator[str]:
    """Everything that is imported, also for type checkers alone; `deep` looks into functions too.

    `from a import b` yields both "a" and "a.b": b may be a module. Relative imports are not used
    here (ruff's TID insists).
    """
    for child in ast.iter_child_nodes(node):
        match child:
            case ast.Import():
                yield from (alias.name for alias in child.names)
            case ast.ImportFrom(module=str(module)):
                yield module
                yield from (f"{module}.{alias.name}" for alias in child.names)
            case ast.If(test=ast.Name(id="TYPE_CHECKING")) if not deep:
                yield from (name for other in child.orelse for name in imports(other, deep=deep))
            case ast.FunctionDef() | ast.AsyncFunctionDef() if not deep:
                continue
            case _:
                yield from imports(child, deep=deep)


def modules_imported(code: ast.Module, known: Iterable[str]) -> set[str]:
    """Those of `known` that the code names.

    `from a import b` is a.b where that is a module, else a.
    `import a` alone asks for nothing of a's `__init__` and does not count.
    """
    modules, found = set(known), set()
    for node in ast.walk(code):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if "." in alias.name} & modules
        elif isinstance(node, ast.ImportFrom) and node.module:
            parts = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= parts & modules
            if parts - modules:
                found |= {node.module} & modules
    return found


@cache
def graph() -> Mapping[str, frozenset[str]]:
    """Module → modules of ours that it imports anywhere: in functions and for type checkers too."""
    return {name: frozenset(modules_imported(tree(name), MODULES) - {name}) for name in MODULES}


def functions(
    code: ast.Module, prefix: str
) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Every function and method with its dotted name, those inside others too."""

    def walk(node: ast.AST, above: str) -> Iterator[tuple[str, ast.FunctionDef]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                name = f"{above}.{child.name}"
                if not isinstance(child, ast.ClassDef):
                    yield name, child
                yield from walk(child, name)
            else:
                yield from walk(child, above)

    yield from walk(code, prefix)


def circles(edges: Mapping[str, Iterable[str]]) -> list[list[str]]:
    """Nodes that reach each other, sorted: Tarjan's strongly connected components."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in edges.get(node, ()):
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            at = stack.index(node)
            group, stack[at:] = stack[at:], []
            if len(group) > 1:
                found.append(sorted(group))

    for node in edges:
        if node not in index:
            visit(node)
    return sorted(found)
