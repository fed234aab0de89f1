"""The packed examples that train_verifier.py writes, as batches. Needs PyTorch; no rag."""

from __future__ import annotations

import lzma
import pickle
from pathlib import Path

import numpy as np
import torch

CLS, SEP = 101, 102
CLAIM, LENGTH = 96, 288  # tokens at most
SUPPORTED, NOT_SAID, UNSUPPORTED = 0, 2, 3
DEVELOPMENT = ("ragtruth_qa", "ragtruth_summary", "ragtruth_data2txt", "wice", "wice-chosen",
               "begin", "expertqa")  # fmt: skip


class Pack:
    """All examples: claims and evidence as tokens, labels, sets, groups."""

    def __init__(self, folder: Path) -> None:
        self.blob, self.meta = pickle.loads(
            lzma.decompress((folder / "tokens.pkl.xz").read_bytes())
        )
        self.base = dict(np.load(folder / "base.npz"))
        self.base = {k: v.astype(np.float32) for k, v in self.base.items()}
        self.sets = np.array(self.meta["sets"])
        self.groups = np.array(self.meta["groups"])
        self.label = self.blob["label"].astype(np.int64)
        # What a larger model says of an example, as probabilities; nan where it was not asked.
        self.soft = np.full((len(self.label), 3), np.nan, np.float32)
        if (folder / "soft.npz").is_file():
            read = np.load(folder / "soft.npz")
            self.soft[read["rows"]] = read["chances"]
        self.cl = np.concatenate([[0], np.cumsum(self.blob["cll"], dtype=np.int64)])
        self.ev = np.concatenate([[0], np.cumsum(self.blob["evl"], dtype=np.int64)])
        self.special = self.meta["cls"], self.meta["sep"]
        claims = np.minimum(self.blob["cll"], CLAIM).astype(np.int64)
        self.length = np.minimum(claims + self.blob["evl"][self.blob["evi"]] + 3, LENGTH)

    def held_out(self) -> np.ndarray:
        development = np.isin(self.sets, DEVELOPMENT)
        return np.where(development, self.groups % 4 == 0, self.groups % 25 == 0)

    def soft_of(self, rows: np.ndarray, share: float, without: np.ndarray) -> np.ndarray:
        """Shape (rows, 4): the larger model's probabilities, and how much they count: `share`, or
        nothing where it was not asked or `without` says so."""
        soft = self.soft[rows]
        asked = ~np.isnan(soft[:, :1]) & ~without[:, None]
        return np.concatenate([np.nan_to_num(soft), asked * share], 1).astype(np.float32)

    def batch(
        self, rows: np.ndarray, evidence: np.ndarray | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Padded ids of [CLS] claim [SEP] evidence [SEP], and the tokens up to the first [SEP]."""
        cls, sep = self.special
        j = self.blob["evi"][rows].astype(np.int64) if evidence is None else evidence
        claims = np.minimum(self.cl[rows + 1] - self.cl[rows], CLAIM)
        texts = np.minimum(self.ev[j + 1] - self.ev[j], LENGTH - 3 - claims)
        width = int((claims + texts).max()) + 3
        width += -width % 8
        place = np.arange(width)[None]
        c, t = claims[:, None], texts[:, None]
        ids = np.zeros((len(rows), width), np.int64)
        said = (place >= 1) & (place <= c)
        told = (place >= c + 2) & (place < c + 2 + t)
        ids[said] = self.blob["cl"][(self.cl[rows][:, None] + place - 1)[said]]
        ids[told] = self.blob["ev"][(self.ev[j][:, None] + place - c - 2)[told]]
        ids[:, 0] = cls
        ids[(place == c + 1) | (place == c + 2 + t)] = sep
        return torch.from_numpy(ids).pin_memory(), torch.from_numpy(claims + 2).pin_memory()
