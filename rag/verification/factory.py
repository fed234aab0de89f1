"""Verifiers by their names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from rag.verification.base import Verifier
from rag.verification.lexical import LexicalVerifier

VERIFIERS: Final[Mapping[str, Callable[[], Verifier]]] = MappingProxyType(
    {"auto": LexicalVerifier, "lexical": LexicalVerifier}
)


def verifier(name: str = "auto") -> Verifier:
    """The verifier of that name. Raises KeyError."""
    return VERIFIERS[name]()
