"""The verifier in PyTorch: the bundled encoder with an adapter, read over a claim and its evidence.

Besides its piece, each token is told which side it stands on and whether the other side has it
too: what differs between claim and evidence is what matters, and a small model is slow to find it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 - its usual name

LAYERS, HEADS, SIZE, POOL = 6, 12, 384, 128
_MATRICES = {
    "attention.self.query": (SIZE, SIZE),
    "attention.self.key": (SIZE, SIZE),
    "attention.self.value": (SIZE, SIZE),
    "attention.output.dense": (SIZE, SIZE),
    "intermediate.dense": (4 * SIZE, SIZE),
    "output.dense": (SIZE, 4 * SIZE),
}
_NORMS = ("attention.output.LayerNorm", "output.LayerNorm")


def adapted() -> list[str]:
    """Names of the matrices that the adapter changes."""
    return [f"encoder.layer.{i}.{name}" for i in range(LAYERS) for name in _MATRICES]


class Verifier(nn.Module):
    """`rank`: of the changes to each matrix; None trains the whole matrices (embeddings never)."""

    def __init__(self, base: Mapping[str, np.ndarray], rank: int | None) -> None:
        super().__init__()
        self.rank = rank
        self.fixed: dict[str, torch.Tensor] = {}
        self.p = nn.ParameterDict()
        for name in ("word_embeddings", "position_embeddings"):
            self._fix(f"embeddings.{name}.weight", base)
        types = base["embeddings.token_type_embeddings.weight"]
        self._train("types", np.repeat(types[:1], 4, axis=0))
        norms = [f"encoder.layer.{i}.{n}" for i in range(LAYERS) for n in _NORMS]
        for name in ("embeddings.LayerNorm", *norms):
            self._train(f"{name}.weight", base[f"{name}.weight"])
            self._train(f"{name}.bias", base[f"{name}.bias"])
        for name in adapted():
            self._train(f"{name}.bias", base[f"{name}.bias"])
            weight = base[f"{name}.weight"]
            if rank is None:
                self._train(f"{name}.weight", weight)
            else:
                self._fix(f"{name}.weight", base)
                out, into = weight.shape
                self._train(f"{name}.down", np.random.randn(rank, into) / math.sqrt(into))
                self._train(f"{name}.up", np.zeros((out, rank)))
        self._train("pool.weight", np.random.randn(POOL, SIZE) / math.sqrt(SIZE))
        self._train("pool.bias", np.zeros(POOL))
        self._train("head.weight", np.random.randn(3, SIZE + POOL) * 0.02)
        self._train("head.bias", np.zeros(3))

    def _key(self, name: str) -> str:
        return name.replace(".", "/")

    def _fix(self, name: str, base: Mapping[str, np.ndarray]) -> None:
        self.fixed[name] = torch.tensor(base[name], dtype=torch.float32)

    def _train(self, name: str, value: np.ndarray) -> None:
        self.p[self._key(name)] = nn.Parameter(torch.tensor(np.asarray(value, np.float32)))

    def __getitem__(self, name: str) -> torch.Tensor:
        return self.p[self._key(name)]

    def place(self, device: str) -> Verifier:
        self.fixed = {name: value.to(device) for name, value in self.fixed.items()}
        return self.to(device)

    def weight(self, name: str) -> torch.Tensor:
        if self.rank is None:
            return self[f"{name}.weight"]
        return self.fixed[f"{name}.weight"] + self[f"{name}.up"] @ self[f"{name}.down"]

    def forward(self, ids: torch.Tensor, claims: torch.Tensor, dropout: float) -> torch.Tensor:
        """Logits (texts, 3). `ids` (texts, tokens), 0 where padded; `claims` counts the tokens of
        [CLS] claim [SEP]."""
        own, place = ids > 0, torch.arange(ids.shape[1], device=ids.device)
        said = place[None] < claims[:, None]
        same = (ids[:, :, None] == ids[:, None, :]) & own[:, None] & own[:, :, None]
        seen = (same & (said[:, :, None] != said[:, None, :])).any(-1)
        kinds = (~said).long() * 2 + seen.long()
        x = self.fixed["embeddings.word_embeddings.weight"][ids]
        x = x + self.fixed["embeddings.position_embeddings.weight"][: ids.shape[1]]
        x = self._norm(x + self["types"][kinds], "embeddings.LayerNorm")
        x = F.dropout(x, dropout, self.training)
        mask = own[:, None, None, :]
        for i in range(LAYERS):
            x = self._layer(x, mask, f"encoder.layer.{i}.", dropout)
        tokens = F.gelu(F.linear(x, self["pool.weight"], self["pool.bias"])).float()
        pooled = tokens.masked_fill(~(said & own)[:, :, None], -1e4).amax(1)
        both = torch.cat([x[:, 0].float(), pooled], 1)
        return F.linear(
            F.dropout(both, dropout, self.training), self["head.weight"], self["head.bias"]
        )

    def _layer(self, x: torch.Tensor, mask: torch.Tensor, at: str, dropout: float) -> torch.Tensor:
        def times(value: torch.Tensor, name: str) -> torch.Tensor:
            return F.linear(value, self.weight(at + name), self[f"{at}{name}.bias"])

        shape = (x.shape[0], x.shape[1], HEADS, SIZE // HEADS)
        q, k, v = (
            times(x, f"attention.self.{part}").view(shape).transpose(1, 2)
            for part in ("query", "key", "value")
        )
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask).transpose(1, 2)
        y = times(y.reshape(x.shape), "attention.output.dense")
        x = self._norm(x + F.dropout(y, dropout, self.training), f"{at}attention.output.LayerNorm")
        y = times(F.gelu(times(x, "intermediate.dense")), "output.dense")
        return self._norm(x + F.dropout(y, dropout, self.training), f"{at}output.LayerNorm")

    def _norm(self, x: torch.Tensor, name: str) -> torch.Tensor:
        return F.layer_norm(x, (SIZE,), self[f"{name}.weight"], self[f"{name}.bias"], 1e-12)

    def state(self, base: Mapping[str, np.ndarray], rank: int) -> dict[str, np.ndarray]:
        """What is kept: the trained values, changes of whole matrices as their best low rank."""
        found = {k.replace("/", "."): v.detach().float().cpu() for k, v in self.p.items()}
        if self.rank is None:
            for name in adapted():
                change = found.pop(f"{name}.weight") - torch.tensor(base[f"{name}.weight"])
                u, s, v = torch.linalg.svd(change.float(), full_matrices=False)
                root = s[:rank].sqrt()
                found[f"{name}.up"] = u[:, :rank] * root
                found[f"{name}.down"] = root[:, None] * v[:rank]
        return {name: np.asarray(value, np.float32) for name, value in found.items()}

    def load(self, state: Mapping[str, Any]) -> None:
        """Takes a kept state over (into a model of the same rank)."""
        with torch.no_grad():
            for name, value in state.items():
                self[name].copy_(torch.as_tensor(value))
