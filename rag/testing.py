"""An embedder and an engine without models, for tests of this program and of programs on top of it.

Both keep the whole contract of their Protocol, so what passes with them tests the rest for real.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager
from itertools import cycle

import numpy as np

from rag.compute import mlx_runtime
from rag.embedders.base import Vectors
from rag.engines.thought_format import PLAIN, ThoughtFormat
from rag.engines.thought_stream import Decoded, TokenLimits, without_thoughts
from rag.engines.thoughts import ThoughtFilter
from rag.errors import PromptTooLong
from rag.types import Finish, Message, Piece


@contextmanager
def pretended_mac(gib: int) -> Iterator[None]:
    """In the block this machine is taken for an Apple silicon Mac with so much memory: defaults,
    limits and messages are its, and models load in its form. MLX computes where it does."""
    mlx_runtime.pretend(mlx_runtime.Pretence("metal", gib << 30))
    try:
        yield
    finally:
        mlx_runtime.pretend(None)


_WORD = re.compile(r"\w+")
_PIECE = re.compile(r"\s*\S+|\s+\Z")  # words, each with the space before it

Answerer = Callable[[Sequence[Message]], str]
Cut = Callable[[str], Sequence[str]]


class FakeEmbedder:
    """Hashed bags of words: texts with words in common are near each other. A token is a word.

    An Embedder. `calls` counts calls, `embedded` the documents in them.
    """

    def __init__(self, *, dimensions: int = 64, max_tokens: int = 256, id: str = "fake") -> None:
        self.dimensions = dimensions
        self.max_tokens = max_tokens
        self.id = f"{id}@{dimensions}"
        self.calls = 0
        self.embedded = 0

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(_WORD.findall(text)) for text in texts]

    async def embed_documents(self, texts: Sequence[str]) -> Vectors:
        self.calls += 1
        self.embedded += len(texts)
        vectors = [self._vector(text) for text in texts]
        return np.array(vectors, dtype=np.float32).reshape(-1, self.dimensions)

    async def embed_query(self, text: str) -> Vectors:
        self.calls += 1
        return self._vector(text)

    async def close(self) -> None:
        pass

    def _words(self, text: str) -> list[str]:
        return _WORD.findall(text.lower())[: self.max_tokens]

    def _vector(self, text: str) -> Vectors:
        # The empty word keeps the sum from being zero, whatever the text.
        total = np.sum([self._direction(word) for word in ["", *self._words(text)]], axis=0)
        unit: Vectors = (total / np.linalg.norm(total)).astype(np.float32)
        return unit

    def _direction(self, word: str) -> Vectors:
        """A random unit vector that belongs to the word."""
        seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:8], "little")
        direction = np.random.default_rng(seed).standard_normal(self.dimensions)
        unit: Vectors = (direction / np.linalg.norm(direction)).astype(np.float32)
        return unit


def echo(messages: Sequence[Message]) -> str:
    """The newest message, said back."""
    return messages[-1].content


def words(text: str) -> list[str]:
    """The words of a text, each with the space before it."""
    return _PIECE.findall(text)


class FakeEngine:
    """Answers from a script (over and over), or by a function of the messages; echoes by default.

    A token is a piece, and a piece a word, or what `cut` makes of the answer. With `thoughts` the
    script is what a reasoning model writes, whose thoughts go apart (`inside`: the closing tag of
    thoughts that its prompt opens). `calls` holds the messages of each call, `closed` counts the
    answers that nobody heard to their end, and `active` those being given. `delay_s` passes before
    each piece. Without a `fingerprint` it counts as capable, and nothing is measured.
    """

    def __init__(
        self,
        answers: str | Iterable[str] | Answerer = echo,
        *,
        delay_s: float = 0.0,
        context_tokens: int = 4096,
        model: str = "fake",
        cut: Cut = words,
        thoughts: ThoughtFormat = PLAIN,
        inside: str = "",
        thinking_tokens: int = 0,
        fingerprint: str = "",
    ) -> None:
        self.model = model
        self.fingerprint = fingerprint
        self.context_tokens = context_tokens
        self.thinking_tokens = thinking_tokens
        self.calls: list[tuple[Message, ...]] = []
        self.closed = 0
        self.active = 0
        self._delay_s = delay_s
        self._cut = cut
        self._thoughts, self._inside = thoughts, inside
        self._answer = answers if callable(answers) else _scripted(answers)

    def count_tokens(self, messages: Sequence[Message]) -> int:
        return sum(len(message.content.split()) for message in messages)

    async def stream(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        temperature: float,  # noqa: ARG002 - no chance here
        schema: Mapping[str, object] | None = None,  # noqa: ARG002 - a script is what it is
    ) -> AsyncGenerator[Piece]:
        self.calls.append(tuple(messages))
        prompt = self.count_tokens(messages)
        limits = TokenLimits(max_tokens, self.thinking_tokens)
        if prompt + limits.total > self.context_tokens:
            raise PromptTooLong(f"{prompt} + {limits.total} tokens; {self.context_tokens} fit")
        written = list(self._cut(self._answer(messages)))
        thoughts = ThoughtFilter(self._thoughts, inside=self._inside)
        self.active += 1
        finished = False
        try:
            decoded = self._decoded(written, prompt, limits.total)
            async with aclosing(without_thoughts(decoded, thoughts, limits)) as pieces:
                async for piece in pieces:
                    finished = piece.finish is not None
                    yield piece
        finally:
            self.active -= 1
            self.closed += not finished

    async def _decoded(
        self, written: Sequence[str], prompt: int, limit: int
    ) -> AsyncGenerator[Decoded]:
        for count, piece in enumerate(written[:limit], start=1):
            await asyncio.sleep(self._delay_s)
            yield Decoded(piece, _finish(prompt, count, count))
        yield Decoded("", _finish(prompt, len(written), limit), done=True)

    async def close(self) -> None:
        pass


def _scripted(answers: str | Iterable[str]) -> Answerer:
    script = cycle([answers] if isinstance(answers, str) else answers)
    return lambda _: next(script)


def _finish(prompt: int, words: int, limit: int) -> Finish:
    return Finish(
        reason="stop" if words <= limit else "length",
        prompt_tokens=prompt,
        cached_tokens=0,
        completion_tokens=min(words, limit),
    )
