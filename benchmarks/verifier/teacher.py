"""A larger model that reads the same claims, for what the bundled one could learn from it.

    python -m benchmarks.verifier.teacher MODEL PACK OUT [seconds=380]

MODEL is a folder that transformers opens as a causal language model; PACK holds texts.pkl.xz
(train_verifier.py pack). The model is fitted to the examples that are not held out, a head of three
classes on its last token, and reads all of them: OUT/soft.npz has their log odds, which fit.py
takes as a part of each label where it lies in its PACK. Prints the AUROC on held-out examples.
Runs where PyTorch, transformers and a GPU are; needs no rag.
"""

from __future__ import annotations

import json
import lzma
import math
import pickle
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 - its usual name
from transformers import AutoModel, AutoTokenizer

from benchmarks.verifier.fit import auroc, loss_of, weights_of
from benchmarks.verifier.packed import NOT_SAID, SUPPORTED, Pack

# Examples of a set that are read at most, drawn by chance: those that people labelled, all.
MOST = {
    "altered": 3000, "fused": 1500, "frames": 1000, "infotabs": 1500, "tabfact": 1000, "cad": 1500,
    "conjnli": 700, "breaking": 500, "med": 500, "scone": 500,
    "summedits": 4000, "factcg": 2000, "begin": 1000, "faithdial": 1000, "symmetric": 700,
}  # fmt: skip
RATE, WARM_UP, EPOCHS = 1.2e-5, 40, 1.6
TOKENS, READ_TOKENS, LONGEST = (
    18_000,
    60_000,
    420,
)  # of a batch, of one that is only read, of a text


class Teacher(nn.Module):
    def __init__(self, folder: str) -> None:
        super().__init__()
        self.model = AutoModel.from_pretrained(folder, dtype=torch.float32)
        self.model.gradient_checkpointing_enable()
        self.head = nn.Linear(self.model.config.hidden_size, 3)
        nn.init.normal_(self.head.weight, std=0.02)

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Logits (texts, 3) of `ids` (texts, tokens), padded on the left."""
        found = self.model(input_ids=ids, attention_mask=mask, use_cache=False)
        return self.head(found.last_hidden_state[:, -1].float())


class Texts:
    """The examples' texts as the teacher's tokens."""

    def __init__(self, folder: str, texts: list[tuple[str, str]], device: str) -> None:
        tokenizer = AutoTokenizer.from_pretrained(folder)
        asked = [
            f"Text:\n{evidence}\n\nClaim: {claim}\n\nIs the claim supported by the text?"
            for claim, evidence in texts
        ]
        self.ids = [ids[-LONGEST:] for ids in tokenizer(asked, add_special_tokens=False).input_ids]
        self.length = np.array([len(ids) for ids in self.ids])
        self.padding = tokenizer.pad_token_id or 0
        self.device = device

    def batches(self, rows: np.ndarray, tokens: int) -> list[np.ndarray]:
        """Of like length, at most so many tokens each."""
        found: list[np.ndarray] = []
        for part in np.array_split(rows, max(1, len(rows) // 6000)):
            part = part[np.argsort(self.length[part])]
            start = 0
            while start < len(part):
                stop = start + 1
                while stop < len(part) and self.length[part[stop]] * (stop + 1 - start) <= tokens:
                    stop += 1
                found.append(part[start:stop])
                start = stop
        return found

    def padded(self, rows: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        width = max(len(self.ids[i]) for i in rows)
        ids = np.full((len(rows), width), self.padding)
        for line, i in enumerate(rows):
            ids[line, width - len(self.ids[i]) :] = self.ids[i]
        mask = np.arange(width)[None] >= width - self.length[rows][:, None]
        return torch.from_numpy(ids).to(self.device), torch.from_numpy(mask.astype(np.int64)).to(
            self.device
        )


def chosen(pack: Pack) -> np.ndarray:
    """The rows that are read."""
    rng = np.random.default_rng(11)
    parts = []
    for name in np.unique(pack.sets):
        own = np.flatnonzero(pack.sets == name)
        parts.append(rng.permutation(own)[: MOST.get(str(name), len(own))])
    return np.sort(np.concatenate(parts))


def fit(teacher: Teacher, texts: Texts, pack: Pack, rows: np.ndarray, seconds: float) -> None:
    """`texts` has the rows of `pack` that `rows` names, in this order."""
    train = np.flatnonzero(~pack.held_out()[rows])
    weight = weights_of(pack, np.isin(np.arange(len(pack.sets)), rows[train]))[rows]
    rng = np.random.default_rng(1)
    optimizer = torch.optim.AdamW(teacher.parameters(), lr=RATE, betas=(0.9, 0.98))
    begun, step, done = time.time(), 0, False
    while not done:
        todo = texts.batches(rng.permutation(train), TOKENS)
        rng.shuffle(todo)
        for part in todo:
            passed = max(step / (len(todo) * EPOCHS), (time.time() - begun) / seconds)
            if done := passed >= 1:
                break
            for group in optimizer.param_groups:
                late = 0.5 + 0.5 * math.cos(math.pi * passed)
                group["lr"] = RATE * min(1.0, (step + 1) / WARM_UP) * late
            loss = _step(teacher, optimizer, texts, part, pack.label[rows[part]], weight[part])
            step += 1
            if step % 50 == 0:
                print(f"step {step} loss {loss:.3f} {time.time() - begun:.0f} s", flush=True)


def _step(
    teacher: Teacher, optimizer: Any, texts: Texts, part: np.ndarray, label: Any, weight: Any
) -> float:
    with torch.autocast(texts.device, torch.bfloat16):
        logits = teacher(*texts.padded(part))
    given = [torch.from_numpy(x).to(texts.device) for x in (label, weight)]
    loss = loss_of(logits, given[0], torch.zeros(len(part), 4, device=texts.device), given[1])
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    # Now and then a gradient is no number in bfloat16; a step by it would end the training.
    if torch.isfinite(torch.nn.utils.clip_grad_norm_(teacher.parameters(), 1.0)):
        optimizer.step()
    return float(loss.detach())


@torch.no_grad()
def read(teacher: Teacher, texts: Texts) -> np.ndarray:
    """Logits (texts, 3) of all."""
    found = np.zeros((len(texts.ids), 3), np.float32)
    for part in texts.batches(np.arange(len(texts.ids)), READ_TOKENS):
        with torch.autocast(texts.device, torch.bfloat16):
            found[part] = teacher(*texts.padded(part)).float().cpu().numpy()
    return found


def main() -> None:
    folder, packed, out = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    seconds = float(sys.argv[4].partition("=")[2]) if len(sys.argv) > 4 else 380.0
    device = "cuda" if torch.cuda.is_available() else "cpu"
    pack = Pack(packed)
    rows = chosen(pack)
    everything = pickle.loads(lzma.decompress((packed / "texts.pkl.xz").read_bytes()))
    texts = Texts(folder, [everything[i] for i in rows], device)
    teacher = Teacher(folder).to(device).train()
    fit(teacher, texts, pack, rows, seconds)
    logits = read(teacher.eval(), texts)
    held = pack.held_out()[rows]
    score = logits[:, SUPPORTED] - np.logaddexp(logits[:, 1], logits[:, NOT_SAID])
    shown = {}
    for name in np.unique(pack.sets[rows[held]]):
        own = held & (pack.sets[rows] == name)
        good = pack.label[rows[own]] == SUPPORTED
        shown[str(name)] = [int(own.sum()), round(auroc(score[own], good), 3)]
    print(json.dumps(shown), flush=True)
    chances = F.softmax(torch.from_numpy(logits), 1).numpy()
    np.savez(out / "soft.npz", rows=rows, chances=chances)


if __name__ == "__main__":
    main()
