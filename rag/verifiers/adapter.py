"""The weights of the bundled verifier: the bundled MiniLM with a low-rank adapter of our own.

`weights/verifier.safetensors` is what `benchmarks/train_verifier.py` keeps: for each matrix of the
encoder two thin ones in 8 bits, with a scale a row, and the small vectors in half precision.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from rag.errors import ModelLoadFailed

Weights = dict[str, npt.NDArray[np.float32]]
BUNDLED: Final = Path(__file__).with_name("weights") / "verifier.safetensors"


def merged(base: Path, adapter: Path) -> Weights:
    """The encoder of `base` (a MiniLM folder) with the adapter in it, shapes as BERT's.

    Raises ModelLoadFailed.
    """
    kept = whole(_read(adapter))
    found = _read(base / "model.safetensors")
    weights = {
        name.removeprefix("bert."): value.astype(np.float32) for name, value in found.items()
    }
    for name, value in kept.items():
        if name.endswith(".up"):
            matrix = name.removesuffix(".up")
            weights[f"{matrix}.weight"] = (
                weights[f"{matrix}.weight"] + value @ kept[f"{matrix}.down"]
            )
        elif not name.endswith(".down"):
            weights[name] = value
    return weights


def digest(adapter: Path) -> str:
    """Names what is derived from the file. Raises ModelLoadFailed."""
    try:
        return hashlib.sha256(adapter.read_bytes()).hexdigest()[:12]
    except OSError as error:
        raise _unreadable(adapter, error) from error


def _read(file: Path) -> dict[str, npt.NDArray[np.generic]]:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return load_file(file)
    except (OSError, SafetensorError) as error:
        raise _unreadable(file, error) from error


def _unreadable(file: Path, error: Exception) -> ModelLoadFailed:
    return ModelLoadFailed(
        f"{file}: the verifier's weights cannot be read: {error}",
        hint="Install the program again, or set verifier to lexical.",
    )


def packed(values: Mapping[str, npt.NDArray[np.float32]]) -> dict[str, npt.NDArray[np.generic]]:
    """Values as they are kept: matrices of the adapter in 8 bits, all else in half precision."""
    found: dict[str, npt.NDArray[np.generic]] = {}
    for name, value in values.items():
        if name.endswith((".up", ".down")):
            scale = np.abs(value).max(axis=1, keepdims=True) / 127
            scale[scale == 0] = 1
            found[name] = np.round(value / scale).astype(np.int8)
            found[f"{name}.scale"] = scale[:, 0].astype(np.float32)
        else:
            found[name] = value.astype(np.float16)
    return found


def whole(kept: Mapping[str, npt.NDArray[np.generic]]) -> Weights:
    """The inverse of `packed`, as near as 8 bits are."""
    found: Weights = {}
    for name, value in kept.items():
        if name.endswith(".scale"):
            continue
        scale = kept.get(f"{name}.scale")
        plain = value.astype(np.float32)
        found[name] = plain if scale is None else plain * scale.astype(np.float32)[:, None]
    return found
