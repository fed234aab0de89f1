"""Which documents answer to a name that a user gives."""

from __future__ import annotations

import difflib
import fnmatch
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

from rag.encoding import name_key
from rag.errors import DocumentNotFound
from rag.paths import located
from rag.types import Document


class Lookup:
    """Documents by the names that users give them. Made once for any number of names."""

    def __init__(self, documents: Sequence[Document]) -> None:
        self._documents = documents
        self._exact: dict[str, list[Document]] = defaultdict(list)
        for document in documents:
            texts = (
                str(document.path), document.id, document.name, document.path.stem, document.title
            )  # fmt: skip
            for key in set(map(name_key, texts)):
                self._exact[key].append(document)

    def find(self, name: str) -> list[Document]:
        """By path, file name, stem, title or id first; else by glob; else by part of the file name.

        Raises DocumentNotFound, which names near misses.
        """
        wanted, path = name_key(name), name_key(str(located(Path(name))))
        if found := [*self._exact.get(path, ()), *self._exact.get(wanted, ())]:
            return list({id(document): document for document in found}.values())

        def matches(d: Document) -> bool:
            return any(fnmatch.fnmatch(name_key(text), wanted) for text in (d.name, str(d.path)))

        tests: tuple[Callable[[Document], bool], ...] = (
            matches,
            lambda d: d.id.startswith(wanted) if len(wanted) >= 4 else False,
            lambda d: wanted in name_key(d.name),
        )
        for test in tests:
            if found := [document for document in self._documents if test(document)]:
                return found
        near = difflib.get_close_matches(name, [d.name for d in self._documents], n=3, cutoff=0.5)
        hint = f"Did you mean {' or '.join(near)}?" if near else None
        raise DocumentNotFound(f"no document answers to {name!r}", hint=hint)
