"""Answers that begin with the passages' own sentences: each cited, before any model is asked."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from typing import Final

from rag.answering.best_quotes import EMBEDDED, chosen, quotes_text
from rag.answering.final_answer import pages_of
from rag.answering.question_match import QuestionMatch, match_question
from rag.answering.source import Source
from rag.events import Retrieved
from rag.verification.ground import Grounded, ground

_BETWEEN: Final = "\n\n"
_MARKER: Final = re.compile(r" ?\[\d+\]")


async def nearest(retrieved: Retrieved, source: Source) -> QuestionMatch:
    """The question and the sentences near it: what quotes, and the prompt of a weak model, are made
    of. Raises EmbeddingError."""
    embedder, calibration = await asyncio.gather(source.embedder(), source.calibration())
    return await match_question(
        retrieved.question, retrieved.search_text, retrieved.hits, embedder, EMBEDDED, calibration
    )


async def quoted(match: QuestionMatch, retrieved: Retrieved, source: Source) -> Grounded | None:
    """The one to three sentences that answer best, cited; None where there are none. No model is
    asked."""
    found = chosen(match)
    pages = await pages_of(retrieved.hits, source)
    # By their words: they are the passages' own.
    grounded = await asyncio.to_thread(
        ground, quotes_text(found), retrieved.hits, pages, retrieved.question
    )
    return grounded if grounded.citations else None


def verified(words: Grounded) -> bool:
    """Whether every claim of an answer has its citation, and there is one."""
    told = bool(words.claims) and all(claim.sources for claim in words.claims)
    return told and not words.refused


def quotes_first(quotes: Grounded, words: Grounded) -> Grounded:
    """The quotes, then the model's words if all of them are verified, say more and rest on a
    document that is quoted: what a weak model says of another one is no answer, however true. The
    numbers of the words' citations go on behind the quotes' (`ground(cited=)`)."""
    if not verified(words) or _plain(words.text) in _plain(quotes.text):
        return quotes
    if not _documents(quotes) & _documents(words):
        return quotes
    shift = len(quotes.text) + len(_BETWEEN)
    moved = (replace(one, start=one.start + shift, end=one.end + shift) for one in words.claims)
    text = f"{quotes.text}{_BETWEEN}{words.text}"
    return Grounded(text, (*quotes.claims, *moved), words.citations, False)


def _documents(grounded: Grounded) -> set[str]:
    """What its claims rest on."""
    numbers = {number for claim in grounded.claims for number in claim.sources}
    return {one.document.id for one in grounded.citations if one.number in numbers}


def unmarked(quotes: Grounded) -> str:
    """Their text as a conversation keeps it: without the markers of citations."""
    return _MARKER.sub("", quotes.text)


def _plain(text: str) -> str:
    """Words alone: without markers, emphasis and line ends."""
    return " ".join(re.findall(r"\w+", _MARKER.sub(" ", text).casefold()))
