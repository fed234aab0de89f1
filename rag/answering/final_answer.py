"""The finished answer: what was grounded, or a refusal that offers the nearest quotes."""

from __future__ import annotations

from collections.abc import Iterable

from rag.answering.answerability import Answerability
from rag.answering.map_reduce import Pages
from rag.answering.prompting import Prompt
from rag.answering.refusal_message import NOT_SAID, refusal_text
from rag.events import Retrieved
from rag.types import Answer, Hit, Page
from rag.verification.ground import Grounded


def refused(
    retrieved: Retrieved,
    prompt: Prompt,
    grounded: Grounded,
    answerability: Answerability,
    *,
    taken_back: bool,
) -> Grounded:
    """A refusal that offers the nearest quotes, where the model refuses or is taken back."""
    if not (grounded.refused or taken_back):
        return grounded
    said = grounded.text if grounded.refused else NOT_SAID
    text = refusal_text(retrieved.search_text, prompt.hits, answerability.nearest, said=said)
    return Grounded(text, grounded.claims if grounded.refused else (), (), True)


def finished(
    retrieved: Retrieved,
    hits: tuple[Hit, ...],
    grounded: Grounded,
    quotes: Grounded | None = None,
) -> Answer:
    """The answer as it is told, with the passages that it may rest on. No model is named in it."""
    cited = {citation.chunk_id for citation in grounded.citations}
    known = {hit.chunk.id for hit in hits}
    hits += tuple(h for h in retrieved.hits if h.chunk.id in cited - known)
    return Answer(
        question=retrieved.question,
        search_text=retrieved.search_text,
        text=grounded.text,
        claims=grounded.claims,
        citations=grounded.citations,
        hits=hits,
        refused=grounded.refused,
        finish=None,
        model="",
        quoted=0 if quotes is None or grounded.refused else len(quotes.text),
    )


def nothing_supported(grounded: Grounded) -> bool:
    return bool(grounded.claims) and not any(claim.sources for claim in grounded.claims)


def refusal(retrieved: Retrieved, answerability: Answerability) -> Answer:
    """The answer that no model was asked for."""
    text = refusal_text(retrieved.search_text, retrieved.hits, answerability.nearest)
    return Answer(
        retrieved.question, retrieved.search_text, text, (), (), retrieved.hits, True, None, ""
    )


async def pages_of(hits: Iterable[Hit], source: Pages) -> dict[tuple[str, int], Page]:
    """The full pages that passages stand on, by document id and page number."""
    wanted: dict[str, set[int]] = {}
    for hit in hits:
        numbers = range(hit.chunk.first_page, hit.chunk.last_page + 1)
        wanted.setdefault(hit.document.id, set()).update(numbers)
    return {
        (id_, page.number): page
        for id_, numbers in wanted.items()
        for page in await source.pages(id_, sorted(numbers))
    }
