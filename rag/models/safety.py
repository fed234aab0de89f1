"""What a model's folder must not ask of us: to run its code, or to open pickled weights.

Loading a model reads data and nothing else. mlx-lm before 0.32.2 ran the Python file that a
config's `model_file` names (CVE-2026-5843), and a pickle (*.bin, *.pt) runs whatever it likes when
it is opened. So both are refused here, for every role, before a library sees the folder.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from rag.errors import ModelLoadFailed

_MODEL_TYPE = re.compile(r"[\w.-]{1,64}", re.ASCII)
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")
# Longer ones are no configuration: the largest that is known (with a quantisation map of every
# layer) has some 300 kB.
_LONGEST = 16 << 20


def read_config(folder: Path) -> dict[str, Any]:
    """The object in the folder's config.json. Raises ModelLoadFailed where it is none."""
    file = folder / "config.json"
    try:
        if file.stat().st_size > _LONGEST:
            raise ValueError(f"it has {file.stat().st_size:,} bytes")
        config = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(config, dict):
            raise ValueError("it holds no object")
    except (OSError, ValueError, RecursionError) as error:
        raise ModelLoadFailed(
            f"{file} cannot be read: {error}", hint="Fetch the model again, or name another one."
        ) from error
    return config


def check(folder: Path, name: str) -> None:
    """Raises ModelLoadFailed for a folder that would have its own code run, or that has nothing but
    pickled weights."""
    config = read_config(folder)
    nested = [value for value in config.values() if isinstance(value, dict)]
    for part in (config, *nested):
        if (file := part.get("model_file")) is not None:
            raise ModelLoadFailed(
                f"{name} wants to run code of its own ({str(file)[:80]!r}), which is never done",
                hint="Name a model that mlx-lm knows without code of the model's own.",
            )
    kind = config.get("model_type", "")
    if not isinstance(kind, str) or (kind and not _MODEL_TYPE.fullmatch(kind)):
        raise ModelLoadFailed(
            f"{name} says that it is of type {str(kind)[:80]!r}, which is no name of a type",
            hint="Fetch the model again, or name another one.",
        )
    if not any(folder.rglob("*.safetensors")) and (found := pickles(folder)):
        raise ModelLoadFailed(
            f"{name} has its weights as a pickle ({found[0].name}), which is never opened, "
            "because it could run any code",
            hint="Name a copy with *.safetensors; nearly every model has one.",
        )


def pickles(folder: Path) -> list[Path]:
    """The files of a folder that look like pickled weights."""
    return sorted(file for pattern in _PICKLES for file in folder.glob(pattern))
