"""How much an embedder's vectors are worth in an index, measured on the index's own passages."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from rag.calibration import (
    Calibration,
    Likeness,
    bare_words,
    known_by_tokens,
    likeness,
)
from rag.embedders.base import Embedder, Vectors
from rag.store import StoreWriter
from rag.types import Document
from rag.verification.segmentation import statements

# Of each of the most frequent languages: about half a second on a CPU.
SENTENCES: Final = 32
DOCUMENTS: Final = 16
LANGUAGES: Final = 3
_LETTERS: Final = 30  # that a sentence has at least, twelve signs in Chinese
# Measured again when the index has grown or shrunk by a quarter.
_CHANGED: Final = 0.25
# Passages of wholly other matters than most documents.
_ELSEWHERE: Final = (
    "Whisk the eggs with sugar until pale, fold in the flour and bake for forty minutes.",
    "The visitors scored twice in the second half and kept their place in the league.",
    "Water the seedlings in the evening and keep slugs away with crushed shells.",
    "The violin enters alone, two octaves above the cellos, and the theme returns in minor.",
    "Trains to the coast leave every half hour; bicycles travel free at weekends.",
    "Her grandmother had sailed from the island as a child and never saw it again.",
    "Glaciers carve valleys as the ice drags stones across the bedrock.",
    "Tighten the bolts crosswise and check the pressure of the tyres when they are cold.",
)


@dataclass(frozen=True, slots=True)
class _Passage:
    document_id: str
    text: str
    vector: Vectors


async def calibrate(store: StoreWriter, embedder: Embedder) -> None:
    """Measure and keep it, unless that was done for as many passages of this embedder.

    Raises EmbeddingError.
    """
    chunks = await store.count_chunks()
    known = await store.calibration()
    if known is not None and abs(known.chunks - chunks) <= _CHANGED * known.chunks:
        return
    documents = list((await store.snapshot()).by_id.values())
    counts = Counter[str]()
    for document in documents:
        counts[document.language] += document.chunks
    found: dict[str, Likeness] = {}
    for language, _ in counts.most_common(LANGUAGES):
        some = [document for document in documents if document.language == language]
        if (measured := await _measured(store, embedder, some)) is not None:
            found[language] = measured
    store.set_calibration(Calibration(embedder.id, chunks, found))


async def _measured(
    store: StoreWriter, embedder: Embedder, documents: Sequence[Document]
) -> Likeness | None:
    chance = random.Random(0)
    chosen = chance.sample(sorted(documents, key=lambda d: d.id), min(DOCUMENTS, len(documents)))
    passages = [
        _Passage(document.id, text, vector)
        for document in chosen
        for text, vector in await store.sample(document.id, 2 * SENTENCES, chance)
    ]
    asked = await asyncio.to_thread(_sentences, passages, chance)
    if not asked:
        return None
    texts = [bare_words(passage.text) for passage, _ in asked]
    by_tokens = known_by_tokens(texts, await asyncio.to_thread(embedder.count_tokens, texts))
    queries = np.array(await asyncio.gather(*(embedder.embed_query(s) for _, s in asked)))
    own = np.array([q @ p.vector for q, (p, _) in zip(queries, asked, strict=True)])
    elsewhere = queries @ (await embedder.embed_documents(_ELSEWHERE)).T
    cosines = queries @ np.array([passage.vector for passage in passages]).T
    ids = np.array([passage.document_id for passage in passages])
    other = np.array([ids != passage.document_id for passage, _ in asked])
    return likeness(own, cosines[other], elsewhere.ravel(), by_tokens)


def _sentences(passages: Sequence[_Passage], chance: random.Random) -> list[tuple[_Passage, str]]:
    """One sentence each of up to SENTENCES passages, from as many documents as there are."""
    order = list(passages)
    chance.shuffle(order)
    turn = Counter[str]()
    places = {}
    for passage in order:
        places[id(passage)] = turn[passage.document_id]
        turn[passage.document_id] += 1
    found: list[tuple[_Passage, str]] = []
    for passage in sorted(order, key=lambda p: places[id(p)]):
        spans = (passage.text[s.start : s.end] for s in statements(passage.text))
        # One that is nearly all of its passage would be nearer to it than a question can be.
        long = [s for s in spans if _size(s) >= _LETTERS and len(s) <= len(passage.text) / 2]
        if long:
            found.append((passage, chance.choice(long)))
        if len(found) == SENTENCES:
            break
    return found


def _size(text: str) -> float:
    """Letters; a Chinese or Japanese sign counts as two and a half."""
    return sum(2.5 if "\u3040" <= char <= "\u9fff" else 1 for char in text if char.isalpha())
