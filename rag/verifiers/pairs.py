"""A claim and what is read for it, as tokens: [CLS] claim [SEP] evidence [SEP].

Each token is told which side it stands on and whether the other side has it too: what differs
between claim and evidence is what matters, and a small model is slow to find it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

CLAIM_TOKENS: Final = 96
PAIR_TOKENS: Final = 288  # as in training
_CLS, _SEP = 101, 102

Ids = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Pair:
    """`ids` and `kinds` have shape (tokens,); the first `claim` tokens are [CLS] claim [SEP].

    A kind is 2 for evidence and 0 for the claim, and 1 more where the other side has the token.
    """

    ids: Ids
    kinds: Ids
    claim: int


class PairTokenizer:
    """Cuts pairs by the model's own tokenizer. Raises OSError where its file cannot be read."""

    def __init__(self, file: Path) -> None:
        from tokenizers import Tokenizer

        self._tokenizer = Tokenizer.from_str(file.read_text(encoding="utf-8"))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()

    def pairs(self, texts: Sequence[tuple[str, str]]) -> list[Pair]:
        claims = self._ids([claim for claim, _ in texts])
        evidence = self._ids([text for _, text in texts])
        return [_pair(said, told) for said, told in zip(claims, evidence, strict=True)]

    def _ids(self, texts: Sequence[str]) -> list[list[int]]:
        found = self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        return [encoding.ids for encoding in found]


def _pair(claim: list[int], evidence: list[int]) -> Pair:
    said = [_CLS, *claim[:CLAIM_TOKENS], _SEP]
    told = [*evidence[: PAIR_TOKENS - len(said) - 1], _SEP]
    ids = np.array([*said, *told], dtype=np.int64)
    shared = np.concatenate([np.isin(said, told), np.isin(told, said)])
    side = np.repeat([0, 2], [len(said), len(told)])
    return Pair(ids, side + shared, len(said))
