"""Trains the verifier on packed examples. Runs where PyTorch and a GPU are; needs no rag.

    python -m benchmarks.verifier.fit PACK OUT NAME [key=value …]

PACK holds tokens.pkl.xz and base.npz (train_verifier.py pack), and soft.npz where a larger model
has read them (teacher.py); OUT receives NAME.npz (weights) and
NAME-logits.npz (held-out examples).
"""

from __future__ import annotations

import json
import math
import queue
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F  # noqa: N812 - its usual name

from benchmarks.verifier.model import Verifier
from benchmarks.verifier.packed import DEVELOPMENT, NOT_SAID, SUPPORTED, UNSUPPORTED, Pack

# How often an epoch reads each set: few and labelled by people, often.
TIMES = {
    "ragtruth_qa": 4, "ragtruth_summary": 4, "ragtruth_data2txt": 4, "wice": 4, "wice-chosen": 3,
    "begin": 1.5, "fused": 1.5, "tatqa": 2, "conjnli": 0.7, "breaking": 0.4, "scone": 0.7,
    "med": 0.7, "summedits": 1.5, "factcg": 1.5, "fm2": 1.5, "expertqa": 3,
}  # fmt: skip


@dataclass
class Settings:
    rank: int | None = 104
    lr: float = 1e-3
    seconds: float = 200.0
    epochs: float = 3.0
    share: float = 1.0  # of the training groups
    without: str = ""  # sets, comma-separated
    only: str = ""
    all: int = 0  # 1: the held-out groups of the development halves are trained on too
    dropout: float = 0.1
    ema: float = 0.998
    tokens: int = 49_152
    seed: int = 1
    soft: float = 0.5  # how much of an example's label is what the larger model says of it
    times: dict[str, float] = field(default_factory=lambda: dict(TIMES))


def weights_of(pack: Pack, chosen: np.ndarray) -> np.ndarray:
    """Supported and other examples count the same within each set."""
    weights = np.ones(len(pack.label), np.float32)
    for name in np.unique(pack.sets[chosen]):
        inside = chosen & (pack.sets == name)
        good = (pack.label[inside] == SUPPORTED).mean()
        for mask, share in ((pack.label == SUPPORTED, good), (pack.label != SUPPORTED, 1 - good)):
            if share:
                weights[inside & mask] = np.clip(0.5 / share, 0.4, 5.0)
    return weights


def batches(length: np.ndarray, order: np.ndarray, budget: int, rng: Any) -> list[np.ndarray]:
    """Of like length, in random order."""
    found: list[np.ndarray] = []
    for part in np.array_split(order, max(1, len(order) // 20_000)):
        part = part[np.argsort(length[part] + rng.random(len(part)))]
        start = 0
        while start < len(part):
            stop = start + max(1, budget // int(length[part[min(len(part) - 1, start + 64)]] + 8))
            while (int(length[part[min(stop, len(part)) - 1]]) + 8) * (stop - start) > budget * 1.2:
                stop -= 8
            found.append(part[start:stop])
            start = stop
    rng.shuffle(found)
    return found


def loss_of(
    logits: torch.Tensor, label: torch.Tensor, soft: torch.Tensor, weight: torch.Tensor
) -> torch.Tensor:
    """Cross entropy; of what is only known not to be supported, of the two others together.

    `soft` (texts, 4) are a larger model's probabilities, and how much they count.
    """
    logs = F.log_softmax(logits.float(), 1)
    known = -logs.gather(1, label.clamp(max=2)[:, None])[:, 0]
    other = -torch.logsumexp(logs[:, 1:], 1)
    hard = torch.where(label == UNSUPPORTED, other, known)
    taught = -(soft[:, :3] * logs).sum(1)
    each = torch.lerp(hard, taught, soft[:, 3])
    return (each * weight).sum() / weight.sum()


def epoch_order(pack: Pack, chosen: np.ndarray, times: dict[str, float], rng: Any) -> np.ndarray:
    parts = []
    for name in np.unique(pack.sets[chosen]):
        own = np.flatnonzero(chosen & (pack.sets == name))
        count = times.get(str(name), 1.0)
        parts += [own] * int(count)
        parts.append(rng.permutation(own)[: int(len(own) * (count - int(count)))])
    return rng.permutation(np.concatenate(parts))


def chosen_by(pack: Pack, settings: Settings) -> np.ndarray:
    chosen = ~pack.held_out()
    if settings.all:
        chosen |= np.isin(pack.sets, DEVELOPMENT)
    if settings.without:
        chosen &= ~np.isin(pack.sets, settings.without.split(","))
    if settings.only:
        chosen &= np.isin(pack.sets, settings.only.split(","))
    if settings.share < 1:  # groups differ from those of the split: another digit decides
        chosen &= (pack.groups * 7919 % 1000) < settings.share * 1000
    return chosen


def fit(pack: Pack, settings: Settings) -> Verifier:
    rng = np.random.default_rng(settings.seed)
    torch.manual_seed(settings.seed)
    np.random.seed(settings.seed)
    model = Verifier(pack.base, settings.rank).place("cuda").train()
    chosen = chosen_by(pack, settings)
    weight = weights_of(pack, chosen)
    order = epoch_order(pack, chosen, settings.times, rng)
    per_epoch = len(batches(pack.length, order, settings.tokens, rng))
    total = int(per_epoch * settings.epochs)
    optimizer = _optimizer(model, settings)
    mean = [p.detach().clone() for p in model.parameters()]
    begun, step = time.time(), 0
    print(f"{int(chosen.sum())} examples, {len(order)} an epoch, {total} steps", flush=True)
    done = False
    while not done:
        todo = batches(pack.length, order, settings.tokens, rng)
        parts = _fed(pack, todo, weight, settings.soft)
        for _ in todo:
            passed = max(step / total, (time.time() - begun) / settings.seconds)
            if passed >= 1:
                done = True
                break
            _set_rate(optimizer, settings.lr, step, passed)
            loss = _learn(model, optimizer, parts.get(), settings.dropout)
            step += 1
            with torch.no_grad():  # the mean of late weights generalises better than the last
                share = min(settings.ema, (1 + step) / (10 + step))
                torch._foreach_lerp_(mean, list(model.parameters()), 1 - share)
            if step % 200 == 0:
                print(f"step {step} loss {loss.item():.3f} {time.time() - begun:.0f} s", flush=True)
        order = epoch_order(pack, chosen, settings.times, rng)
    with torch.no_grad():
        for value, kept in zip(model.parameters(), mean, strict=True):
            value.copy_(kept)
    print(f"trained {time.time() - begun:.0f} s, {step} steps", flush=True)
    return model.eval()


def _learn(
    model: Verifier,
    optimizer: torch.optim.Optimizer,
    batch: tuple[torch.Tensor, ...],
    dropout: float,
) -> torch.Tensor:
    ids, claims, label, soft, each = (x.cuda(non_blocking=True) for x in batch)
    with torch.autocast("cuda", torch.bfloat16):
        logits = model(ids, claims, dropout)
    loss = loss_of(logits, label, soft, each)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return loss.detach()


def _optimizer(model: Verifier, settings: Settings) -> torch.optim.Optimizer:
    decay = [p for p in model.parameters() if p.ndim > 1]
    rest = [p for p in model.parameters() if p.ndim <= 1]
    return torch.optim.AdamW(
        [{"params": decay, "weight_decay": 0.01}, {"params": rest, "weight_decay": 0.0}],
        lr=settings.lr, betas=(0.9, 0.98), fused=True,
    )  # fmt: skip


def _set_rate(optimizer: torch.optim.Optimizer, most: float, step: int, passed: float) -> None:
    """A warm-up, then a cosine down to nothing."""
    rate = most * min(1.0, (step + 1) / 150) * (0.5 + 0.5 * math.cos(math.pi * passed))
    for group in optimizer.param_groups:
        group["lr"] = rate


def _fed(
    pack: Pack, todo: list[np.ndarray], weight: np.ndarray, soft: float
) -> queue.Queue[tuple[torch.Tensor, ...]]:
    """A queue that a thread fills."""
    parts: queue.Queue[tuple[torch.Tensor, ...]] = queue.Queue(8)
    threading.Thread(target=_feed, args=(pack, todo, weight, soft, parts), daemon=True).start()
    return parts


def _feed(pack: Pack, todo: list[np.ndarray], weight: np.ndarray, share: float, parts: Any) -> None:
    """Batches, made while the GPU computes; now and then a claim with another text."""
    rng = np.random.default_rng(len(todo))
    for part in todo:
        label = pack.label[part].copy()
        evidence = pack.blob["evi"][part].astype(np.int64)
        other = rng.permutation(evidence)
        strange = (label == SUPPORTED) & (rng.random(len(part)) < 0.03) & (other != evidence)
        label[strange] = NOT_SAID
        ids, claims = pack.batch(part, np.where(strange, other, evidence))
        soft = pack.soft_of(part, share, strange)
        each = (label, soft, weight[part])
        parts.put((ids, claims, *(torch.from_numpy(x) for x in each)))


@torch.no_grad()
def logits_of(model: Verifier, pack: Pack, rows: np.ndarray) -> np.ndarray:
    found = np.zeros((len(rows), 3), np.float32)
    order = np.argsort(pack.length[rows])
    for start in range(0, len(rows), 256):
        part = order[start : start + 256]
        ids, claims = (x.cuda() for x in pack.batch(rows[part]))
        with torch.autocast("cuda", torch.bfloat16):
            found[part] = model(ids, claims, 0.0).float().cpu().numpy()
    return found


def auroc(score: np.ndarray, good: np.ndarray) -> float:
    rank = score.argsort().argsort() + 1.0
    n, m = int(good.sum()), int((~good).sum())
    return float((rank[good].sum() - n * (n + 1) / 2) / (n * m)) if n and m else math.nan


def report(pack: Pack, rows: np.ndarray, logits: np.ndarray, name: str) -> dict[str, Any]:
    shown: dict[str, Any] = {"name": name}
    score = logits[:, 0] - np.logaddexp(logits[:, 1], logits[:, 2])
    for each in np.unique(pack.sets[rows]):
        own = pack.sets[rows] == each
        good = pack.label[rows][own] == SUPPORTED
        rates = [(s, (score[own][good] >= s).mean() + (score[own][~good] < s).mean())
                 for s in np.quantile(score[own], np.linspace(0.02, 0.98, 49))]  # fmt: skip
        best = max((rate for _, rate in rates), default=0.0) / 2
        shown[str(each)] = [int(own.sum()), round(auroc(score[own], good), 3), round(best, 3)]
    return shown


def main() -> None:
    folder, out, name = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    values: dict[str, Any] = {}
    for pair in sys.argv[4:]:
        key, _, value = pair.partition("=")
        values[key] = json.loads(value) if value[:1].isdigit() or value == "null" else value
    settings = Settings(**values)
    pack = Pack(folder)
    model = fit(pack, settings)
    rows = np.flatnonzero(pack.held_out())
    logits = logits_of(model, pack, rows)
    print(json.dumps(report(pack, rows, logits, name)), flush=True)
    keep = settings.rank or 104
    state = model.state(pack.base, keep)
    if settings.rank is None:
        small = Verifier(pack.base, keep).place("cuda").eval()
        small.load(state)
        logits = logits_of(small, pack, rows)
        print(json.dumps(report(pack, rows, logits, f"{name} as rank {keep}")), flush=True)
    half = {key: value.astype(np.float16) for key, value in state.items()}
    np.savez(out / f"{name}.npz", **half)
    np.savez(out / f"{name}-logits.npz", rows=rows, logits=logits)


if __name__ == "__main__":
    main()
