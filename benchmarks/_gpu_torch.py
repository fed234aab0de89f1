"""PyTorch's BERT, the measure of benchmarks/gpu.py, in an environment that has torch."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from benchmarks._report import median


def rates(folder: Path, ids: Sequence[list[int]], dtype: str, repeats: int) -> dict[str, float]:
    """PyTorch's best of three batch sizes."""
    run = network(folder, dtype)
    seen: dict[int, list[float]] = {32: [], 256: [], 1024: []}
    for rows, found in seen.items():
        for _ in range(repeats + 1):  # the first warms up
            begun = time.perf_counter()
            for start in range(0, len(ids), rows):
                run(ids[start : start + rows])
            found.append(len(ids) / (time.perf_counter() - begun))
    return {"network": max(median(found[1:]) for found in seen.values())}


def network(folder: Path, dtype: str) -> Callable[[Sequence[list[int]]], np.ndarray]:
    """Token ids of one length → mean-pooled vectors on the host."""
    import torch
    from transformers import AutoModel

    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = AutoModel.from_pretrained(folder, dtype=getattr(torch, dtype)).to(device).eval()

    @torch.inference_mode()
    def run(ids: Sequence[list[int]]) -> np.ndarray:
        tokens = torch.from_numpy(np.array(ids)).to(device)
        states = model(tokens, attention_mask=torch.ones_like(tokens)).last_hidden_state
        return np.asarray(states.mean(dim=1, dtype=torch.float32).cpu().numpy())

    return run
