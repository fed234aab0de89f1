"""What the evidence says of a claim, read by the bundled verifier."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

Logits = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Reading:
    """Probabilities that sum to 1."""

    supported: float
    contradicted: float
    not_said: float

    @classmethod
    def of(cls, logits: Logits) -> Reading:
        """Of three numbers in this order."""
        odds = np.exp(logits.astype(np.float64) - float(logits.max()))
        return cls(*(float(share) for share in odds / odds.sum()))

    @property
    def log_odds(self) -> float:
        """That the claim is supported, kept finite."""
        return float(np.log(max(self.supported, 1e-9) / max(1 - self.supported, 1e-9)))


class EntailmentReader(Protocol):
    """Reads pairs of a claim and its evidence. Loaded when first asked."""

    def read(self, texts: Sequence[tuple[str, str]]) -> list[Reading]:
        """One reading a pair, in order. Raises ModelLoadFailed, EngineError."""
