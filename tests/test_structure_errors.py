"""rag/errors.py is what its drawing shows."""

from __future__ import annotations

import inspect
import re

import pytest

from rag import errors
from rag.errors import RagError


def drawn(text: str) -> dict[str, str]:
    """Error → the one above it, from a tree drawn with ├── and └──."""
    parents, path = dict[str, str](), list[str]()
    start = text.index("RagError\n")
    for line in text[start:].split("\n\n")[0].splitlines():
        found = re.match(r"^([│ ├└─]*)(\w+)", line)
        assert found, f"not a line of a tree: {line!r}"
        depth = len(found[1]) // 4
        path[depth:] = [found[2]]
        parents[found[2]] = path[depth - 1] if depth else ""
    return parents


def defined() -> dict[str, str]:
    classes = [c for _, c in inspect.getmembers(errors, inspect.isclass) if issubclass(c, RagError)]
    return {
        c.__name__: "" if c is RagError else c.__bases__[0].__name__
        for c in classes
        if c.__module__ == errors.__name__
    }


def test_the_drawing_is_the_tree() -> None:
    assert drawn(errors.__doc__ or "") == defined()


def test_a_drawing_is_read_as_it_looks() -> None:
    text = "RagError\n├── A   a word\n│   ├── B  a\n│   └── C  b\n└── D\n    └── E  c\n\nmore"
    expected = {"RagError": "", "A": "RagError", "B": "A", "C": "A", "D": "RagError", "E": "D"}
    assert drawn(text) == expected


@pytest.mark.parametrize("name", sorted(defined()))
def test_every_error_says_what_it_means(name: str) -> None:
    assert (getattr(errors, name).__doc__ or "").strip()
