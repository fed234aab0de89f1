"""A short name for the content of a model's weights, found in milliseconds."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from rag.errors import ModelLoadFailed

_SAMPLE = 4096  # bytes read at the beginning and in the middle of each tensor


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files that mlx-embeddings loads. Raises ModelLoadFailed without any."""
    files = sorted(folder.rglob("model*.safetensors")) or sorted(folder.glob("weight*.safetensors"))
    if not files:
        raise ModelLoadFailed(
            f"{folder} holds no *.safetensors", hint="Fetch the model in safetensors format."
        )
    return files


def fingerprint(folder: Path, *, extra: str = "") -> str:
    """Ten hex digits that follow from every tensor's name, shape and samples of its content.

    Any training or quantisation changes it; the folder, the files' times and the way the tensors
    are split into files do not.
    """
    digest = hashlib.sha256(extra.encode())
    samples = [sample for file in weight_files(folder) for sample in _samples(file)]
    for name, sample in sorted(samples):
        digest.update(name.encode() + b"\0" + sample)
    return digest.hexdigest()[:10]


def weight_count(folder: Path) -> int:
    """How many numbers the folder's tensors hold."""
    total = 0
    for file in weight_files(folder):
        with file.open("rb") as stream:
            _, tensors = _header(stream, file)
        total += sum(math.prod(tensor["shape"]) for tensor in tensors.values())
    return total


def _samples(file: Path) -> Iterator[tuple[str, bytes]]:
    with file.open("rb") as stream:
        base, tensors = _header(stream, file)
        for name, tensor in tensors.items():
            yield name, _sample(stream, base, tensor)


def _header(stream: BinaryIO, file: Path) -> tuple[int, dict[str, Any]]:
    """Where the tensors' bytes begin, and what is said of each tensor."""
    try:
        length = int.from_bytes(stream.read(8), "little")
        # Never more than the file holds: the length of a file that is something else is huge.
        header = json.loads(stream.read(min(length, file.stat().st_size)))
    except ValueError as error:
        raise ModelLoadFailed(
            f"{file} is no safetensors file", hint="Fetch the model again."
        ) from error
    return 8 + length, {n: tensor for n, tensor in header.items() if n != "__metadata__"}


def _sample(stream: BinaryIO, base: int, tensor: dict[str, Any]) -> bytes:
    start, end = tensor["data_offsets"]
    sample = f"{tensor['dtype']} {tensor['shape']} ".encode()
    for offset in (start, (start + end) // 2):
        stream.seek(base + offset)
        sample += stream.read(min(_SAMPLE, end - offset))
    return sample
