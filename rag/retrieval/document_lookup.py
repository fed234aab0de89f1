"""Which documents answer to a name that a user gives."""

from __future__ import annotations

import difflib
import fnmatch
from collections.abc import Sequence
from pathlib import Path

from rag.encoding import name_key
from rag.errors import DocumentNotFound
from rag.paths import located
from rag.types import Document


def find_documents(name: str, documents: Sequence[Document]) -> list[Document]:
    """By path, file name, stem, title or id first; else by glob; else by part of the file name.

    Raises DocumentNotFound, which names near misses.
    """
    wanted, path = name_key(name), name_key(str(located(Path(name))))

    def exact(d: Document) -> bool:
        texts = (d.id, d.name, d.path.stem, d.title)
        return name_key(str(d.path)) == path or wanted in set(map(name_key, texts))

    def matches(d: Document) -> bool:
        return any(fnmatch.fnmatch(name_key(text), wanted) for text in (d.name, str(d.path)))

    tests = (
        exact,
        matches,
        lambda d: d.id.startswith(wanted) if len(wanted) >= 4 else False,
        lambda d: wanted in name_key(d.name),
    )
    for test in tests:
        if found := [document for document in documents if test(document)]:
            return found
    near = difflib.get_close_matches(name, [d.name for d in documents], n=3, cutoff=0.5)
    hint = f"Did you mean {' or '.join(near)}?" if near else None
    raise DocumentNotFound(f"no document answers to {name!r}", hint=hint)
