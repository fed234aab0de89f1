"""How a token is chosen, request by request, inside a batch that has one (greedy) sampler.

Each is a logits processor of mlx-lm: (tokens so far, logits (1, vocabulary)) → logits.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from rag.errors import InvalidSchema

if TYPE_CHECKING:
    import mlx.core as mx
    from llguidance import LLMatcher, LLTokenizer
    from mlx_lm.tokenizer_utils import TokenizerWrapper

    Processor = Callable[[mx.array, mx.array], mx.array]


def at(temperature: float) -> Processor:
    """A sample at this temperature: Gumbel noise makes the greatest logit one. 0 is greedy.

    Give each request of a batch one of these: mlx-lm trips over a batch where only some have any.
    """
    import mlx.core as mx

    def perturb(_: mx.array, logits: mx.array) -> mx.array:
        return logits / temperature + mx.random.gumbel(logits.shape)

    return perturb if temperature > 0 else _as_it_is


def _as_it_is(_: mx.array, logits: mx.array) -> mx.array:
    return logits


class EndToken:
    """Ends an answer, once that is `due`: by the token that ends all answers of the model, so that
    the prefix cache keeps what was read."""

    def __init__(self, end: int) -> None:
        self.due = False
        self._end = end

    def __call__(self, _: mx.array, logits: mx.array) -> mx.array:
        import mlx.core as mx

        if not self.due:
            return logits
        return mx.where(mx.arange(logits.shape[-1]) == self._end, mx.zeros_like(logits), -mx.inf)

    def ask(self) -> None:
        self.due = True


class JSONGrammar:
    """Holds answers to a JSON schema, in the tokens of one tokenizer."""

    def __init__(self, tokenizer: TokenizerWrapper) -> None:
        self._tokenizer = tokenizer
        self._ends = sorted(tokenizer.eos_token_ids)

    @functools.cached_property
    def _vocabulary(self) -> LLTokenizer:
        """About half a second for 50,000 tokens, so made once and only when needed."""
        import llguidance.hf

        return llguidance.hf.from_tokenizer(self._tokenizer._tokenizer, eos_token=self._ends)

    def processor(self, schema: Mapping[str, object]) -> Processor:
        """Allows only tokens that go on to JSON that fits. Raises InvalidSchema."""
        from llguidance import LLMatcher

        matcher = LLMatcher(self._vocabulary, grammar(schema))
        if matcher.is_error():
            raise _unenforceable(matcher.get_error())
        return _Mask(matcher, self._ends)


def grammar(schema: Mapping[str, object]) -> str:
    """JSON that fits the schema, as a grammar of llguidance. Raises InvalidSchema."""
    from llguidance import LLMatcher

    # Without white space of its own choice a small model cannot fill the answer with it.
    try:
        made = LLMatcher.grammar_from_json_schema(dict(schema), {"whitespace_flexible": False})
    except (TypeError, ValueError) as error:
        raise _unenforceable(str(error)) from error
    if fault := LLMatcher.validate_grammar(made):
        raise _unenforceable(fault)
    return made


class _Mask:
    """A logits processor with the state of one answer. Plain MLX: runs on every device."""

    def __init__(self, matcher: LLMatcher, ends: list[int]) -> None:
        self._matcher = matcher
        self._ends = ends
        self._seen: int | None = None  # tokens at the last call; at the first they are the prompt's

    def __call__(self, tokens: mx.array, logits: mx.array) -> mx.array:
        import mlx.core as mx
        import numpy as np

        if self._seen is not None and not self._matcher.is_stopped():
            self._matcher.consume_tokens(np.array(tokens[self._seen :]).tolist())
        self._seen = tokens.size
        allowed = np.zeros(logits.shape[-1], dtype=bool)
        if self._matcher.is_stopped():  # the JSON is complete
            allowed[self._ends] = True
        else:
            bits = np.frombuffer(self._matcher.compute_bitmask(), dtype=np.uint8)
            listed = np.unpackbits(bits, bitorder="little")[: allowed.size]
            allowed[: listed.size] = listed
        return mx.where(mx.array(allowed), logits, -mx.inf)


def _unenforceable(reason: str) -> InvalidSchema:
    return InvalidSchema(f"the answer cannot be held to this JSON schema: {reason}")
