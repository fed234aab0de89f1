"""Texts to token ids, with the model's own tokenizer and without the model."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rag.embedders.model_config import ModelConfig
from rag.errors import ModelLoadFailed

if TYPE_CHECKING:
    from tokenizers import Tokenizer

Ids = list[int]


def open_tokenizer(file: Path) -> Tokenizer:
    """A model's tokenizer.json. Raises ModelLoadFailed."""
    from tokenizers import Tokenizer

    if not file.is_file():
        raise ModelLoadFailed(f"{file} is missing", hint="Fetch the model with its fast tokenizer.")
    tokenizer = Tokenizer.from_file(str(file))
    # The file may ask for both (MiniLM's cuts at 128 tokens and pads to them): we do our own.
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def count(tokenizer: Tokenizer, texts: Sequence[str]) -> list[int]:
    """Tokens of each text, special ones not included."""
    encodings = tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
    return [len(encoding.ids) for encoding in encodings]


class Tokens:
    """The tokenizer of one model; read from its file at first use."""

    def __init__(self, model_config: ModelConfig) -> None:
        self._model_config = model_config

    def count(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, special ones not included."""
        return count(self._tokenizer, texts)

    def encode(self, texts: Sequence[str], *, prompt: str = "") -> list[Ids]:
        """Ids of each text with its special tokens, cut to the model's limit."""
        prompted = [prompt + text for text in texts] if prompt else list(texts)
        encodings = self._tokenizer.encode_batch_fast(prompted, add_special_tokens=True)
        return [self._cut(encoding.ids) for encoding in encodings]

    def _cut(self, ids: Ids) -> Ids:
        limit = self._model_config.max_tokens
        if len(ids) <= limit:
            return ids
        closing = self._specials[1]
        return ids[: limit - closing] + ids[len(ids) - closing :]

    @functools.cached_property
    def _specials(self) -> tuple[int, int]:
        mask = self._tokenizer.encode("a").special_tokens_mask
        return mask.index(0), mask[::-1].index(0)

    @functools.cached_property
    def _tokenizer(self) -> Tokenizer:
        return open_tokenizer(self._model_config.tokenizer_file)
