"""Rules on the order of passages once they are fused. Pure; each loses nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from rag.store import ChunkRef, Filter


def distinct_pages_first(
    ranked: Iterable[tuple[ChunkRef, float]],
) -> list[tuple[ChunkRef, float]]:
    """The best chunk of each page in order, then the rest in order: page@10 55.5 → 59.1."""
    first: list[tuple[ChunkRef, float]] = []
    rest: list[tuple[ChunkRef, float]] = []
    seen: set[tuple[str, int]] = set()
    for ref, score in ranked:
        page = (ref.document_id, ref.first_page)
        (rest if page in seen else first).append((ref, score))
        seen.add(page)
    return first + rest


def named_pages_first(
    ranked: Sequence[tuple[ChunkRef, float]], places: Sequence[Filter]
) -> list[tuple[ChunkRef, float]]:
    """What stands on the pages that a question names, in order, then the rest in order."""
    on = [item for item in ranked if any(_stands_on(item[0], place) for place in places)]
    rest = [item for item in ranked if not any(_stands_on(item[0], place) for place in places)]
    return on + rest


def _stands_on(ref: ChunkRef, place: Filter) -> bool:
    pages, documents = place.pages, place.document_ids
    inside = pages is None or pages.first <= ref.first_page <= pages.last
    return inside and (documents is None or ref.document_id in documents)


def cover_documents(
    ranked: Sequence[tuple[ChunkRef, float]], wanted: Sequence[str], k: int
) -> list[tuple[ChunkRef, float]]:
    """Each of a few documents that a question names ("compare A and B") among the first k.

    The best chunk of one that is missing there takes the place of the last that can be spared.
    """
    if not 2 <= len(wanted) <= k // 2:
        return list(ranked)
    first, rest = list(ranked[:k]), list(ranked[k:])
    for id_ in wanted:
        if any(ref.document_id == id_ for ref, _ in first):
            continue
        best = next((item for item in rest if item[0].document_id == id_), None)
        if best is not None and (spared := _spared(first, wanted)) is not None:
            rest.remove(best)
            rest.insert(0, first.pop(spared))
            first.append(best)
    return first + rest


def _spared(first: Sequence[tuple[ChunkRef, float]], wanted: Sequence[str]) -> int | None:
    """Position of the last chunk whose document has another one, or was not asked for."""
    counts = Counter(ref.document_id for ref, _ in first)
    for position in reversed(range(len(first))):
        id_ = first[position][0].document_id
        if id_ not in wanted or counts[id_] > 1:
            return position
    return None
