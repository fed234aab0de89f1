"""The documents that a question is limited to. Pure."""

from __future__ import annotations

from rag.options import Scope
from rag.retrieval.document_lookup import Lookup
from rag.retrieval.filters import matching
from rag.store import Snapshot
from rag.types import Document


def documents_of(scope: Scope, snapshot: Snapshot) -> tuple[Document, ...]:
    """Those of a scope, in order of their paths, each content once. Raises DocumentNotFound,
    InvalidQuestion."""
    known = list(snapshot.by_path.values())
    named = known
    if scope.documents:
        lookup = Lookup(known)
        named = list({d.path: d for name in scope.documents for d in lookup.find(name)}.values())
    found = matching(named, scope)
    ids = {document.id for document in found}
    unique = (snapshot.by_id[id_] for id_ in ids if id_ in snapshot.by_id)
    return tuple(sorted(unique, key=lambda document: document.path))
