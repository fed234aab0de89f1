"""Questions drafted from one's own documents by the chat model, for a person to review.

A draft is kept only if its answer stands on the page word for word, and if the model, shown that
passage alone, gives this answer back: a question that its own page cannot answer measures nothing.
Whether retrieval finds the page is written down (`rank`) but does not decide: a set of questions
that retrieval already answers could not show where it fails.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import asdict, dataclass

from rag.engines.base import Engine
from rag.evaluation.metrics import ANSWER_WORDS, DEPTH, holds_answer, normalised
from rag.pipeline import Pipeline
from rag.terms import STOP_WORDS
from rag.types import Document, Message, StoredChunk

# Passages tried for each draft that is wanted, before giving up: small models often miss.
TRIES = 6
MIN_TOKENS = 40  # a passage shorter than this rarely holds a fact with its context
MIN_TERMS = 3  # of a question, so that it can be understood without its page
REPLY_TOKENS = 128

ASK_FOR_QUESTION = """\
Read the passage. Write one question about a fact in it: a name, a date, a number or a place. \
The question must be clear to somebody who does not see the passage. Then write the answer, \
copied from the passage, at most eight words.

Passage ({title}):
{text}"""
ASK_FOR_ANSWER = """\
Passage ({title}):
{text}

Question: {question}
Answer in a few words, copied from the passage."""
REPLY_SCHEMA = {
    "type": "object",
    "properties": {
        "question": {"type": "string", "maxLength": 200},
        "answer": {"type": "string", "maxLength": 80},
    },
    "required": ["question", "answer"],
    "additionalProperties": False,
}
# A question that points at its own page cannot be asked of a whole collection.
_POINTING = re.compile(
    r"\b(?:the|this|that) (?:passage|text|excerpt|paragraph|section|page|table|document|author)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Draft:
    """A drafted question, in the format of question sets. `rank`: where the page came among the
    first ten passages when the question was asked of the whole collection, None if not there."""

    id: str
    question: str
    answers: tuple[str, ...]
    doc: str
    pages: tuple[int, ...]
    rank: int | None
    answerable: bool = True
    review: bool = True

    def to_json(self) -> dict[str, object]:
        return asdict(self)


async def draft_questions(
    pipeline: Pipeline, wanted: int, *, seed: int = 0, min_tokens: int = MIN_TOKENS
) -> AsyncGenerator[Draft | None]:
    """Up to `wanted` drafts, spread over the documents; fewer where the model finds no more.

    None stands for a passage that gave no usable draft, so that callers can show progress.
    """
    found, asked = 0, set[str]()
    passages = await _passages(pipeline, seed, min_tokens)
    async with pipeline.runtime.lease() as engine:
        for document, chunk in passages[: wanted * TRIES]:
            draft = await _draft(pipeline, engine, document, chunk)
            if draft is None or draft.question in asked:
                yield None
                continue
            asked.add(draft.question)
            yield draft
            found += 1
            if found == wanted:
                return


async def _draft(
    pipeline: Pipeline, engine: Engine, document: Document, chunk: StoredChunk
) -> Draft | None:
    shown = {"title": chunk.header or document.title, "text": chunk.text}
    reply = await _generate(engine, ASK_FOR_QUESTION.format(**shown), REPLY_SCHEMA)
    if (pair := parse_reply(reply, chunk.text)) is None:
        return None
    question, answer = pair
    check = await _generate(engine, ASK_FOR_ANSWER.format(**shown, question=question))
    if not holds_answer(check, [normalised(answer)]):
        return None
    hits = (await pipeline.search(question, k=DEPTH)).hits
    pages = [(hit.document.name, hit.chunk.first_page) for hit in hits]
    place = (document.name, chunk.first_page)
    digest = hashlib.sha256(f"{place}{question}".encode()).hexdigest()[:12]
    return Draft(
        id=f"draft-{digest}",
        question=question,
        answers=(answer,),
        doc=document.name,
        pages=(chunk.first_page,),
        rank=pages.index(place) + 1 if place in pages else None,
    )


def parse_reply(reply: str, passage: str) -> tuple[str, str] | None:
    """Question and answer of a model's reply; None unless the answer stands in the passage, the
    question makes sense without it, and does not give the answer away."""
    try:
        fields = json.loads(reply)
        question, answer = str(fields["question"]).strip(), str(fields["answer"]).strip(" .\n")
    except (ValueError, KeyError, TypeError):  # cut off, or an engine that knows no schemas
        return None
    words = normalised(answer)
    usable = (
        0 < len(words.split()) <= ANSWER_WORDS
        and holds_answer(passage, [words])
        and not holds_answer(question, [words])
        and len(set(normalised(question).split()) - STOP_WORDS) >= MIN_TERMS
        and not _POINTING.search(question)
    )
    return (question, answer) if usable else None


async def _generate(engine: Engine, prompt: str, schema: Mapping[str, object] | None = None) -> str:
    text = ""
    stream = engine.stream(
        [Message("user", prompt)], max_tokens=REPLY_TOKENS, temperature=0.0, schema=schema
    )
    async with aclosing(stream) as pieces:
        async for piece in pieces:
            text = ("" if piece.restart else text) + piece.text
    return text


async def _passages(
    pipeline: Pipeline, seed: int, min_tokens: int
) -> list[tuple[Document, StoredChunk]]:
    """Passages in the order to try: one of each document, then a second of each, and so on."""
    store, generator = await pipeline.store(), random.Random(seed)
    documents = list((await store.snapshot()).by_id.values())
    generator.shuffle(documents)
    piles = []
    for document in documents:
        chunks = [c for c in await store.chunks(document.id) if c.tokens >= min_tokens]
        chunks = [c for c in chunks if c.kind != "heading"]
        piles.append([(document, c) for c in generator.sample(chunks, len(chunks))])
    return list(_dealt(piles))


def _dealt(
    piles: Sequence[Sequence[tuple[Document, StoredChunk]]],
) -> Iterator[tuple[Document, StoredChunk]]:
    for turn in range(max(map(len, piles), default=0)):
        yield from (pile[turn] for pile in piles if turn < len(pile))
