"""docs/dependencies.md names what pyproject.toml names, and nothing else."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PAGE = (ROOT / "docs" / "dependencies.md").read_text("utf-8")


def names(requirements: list[str]) -> set[str]:
    found = (re.match(r"[A-Za-z0-9._-]+", requirement) for requirement in requirements)
    return {re.sub(r"[-_.]+", "-", match[0]).lower() for match in found if match}


def rows(heading: str) -> list[list[str]]:
    """The cells of the table under a heading, without its head."""
    section = PAGE.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def check(heading: str, expected: set[str]) -> None:
    table = rows(heading)
    documented = [row[0] for row in table]
    assert sorted(documented) == sorted(set(documented)), "a package has two rows"
    assert expected - set(documented) == set(), "in pyproject.toml but not in the table"
    assert set(documented) - expected == set(), "in the table but not in pyproject.toml"
    assert all(len(row) == len(table[0]) and all(row) for row in table), "an empty cell"


def test_each_dependency_has_its_row() -> None:
    project = PROJECT["project"]
    extras = [item for extra in project["optional-dependencies"].values() for item in extra]
    check("Needed to run", names(project["dependencies"] + extras))


def test_each_development_dependency_has_its_row() -> None:
    groups = PROJECT["dependency-groups"]
    assert groups["starter"] == PROJECT["project"]["optional-dependencies"]["starter"]
    check("Needed to develop", names(groups["dev"]))


def test_each_dropped_package_has_its_row() -> None:
    overrides = PROJECT["tool"]["uv"]["override-dependencies"]
    check("Left out on purpose", names([line for line in overrides if "'never'" in line]))
