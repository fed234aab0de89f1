"""The Hugging Face hub: its cache on this machine, and bounded attempts to download from it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from concurrent.futures import Future
from fnmatch import fnmatch
from pathlib import Path

from rag.errors import ModelNotFound

# What mlx-lm and mlx-embeddings read; keeps out PyTorch, ONNX and GGUF copies of the weights.
_PATTERNS = ["*.json", "*.safetensors", "*.txt", "*.jinja", "*.model", "*.tiktoken", "README.md"]
_REACH_S = 10.0


def is_complete(folder: Path) -> bool:
    """Whether the folder holds a config and all the weights that its index names."""
    if not (folder / "config.json").is_file():
        return False
    index = folder / "model.safetensors.index.json"
    if not index.is_file():
        return any(folder.glob("*.safetensors"))
    shards = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
    return all((folder / shard).is_file() for shard in shards)


def cached(name: str) -> Path | None:
    """The model's newest complete snapshot in the cache; None where there is none."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        folder = Path(snapshot_download(name, local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError):
        return None
    return folder if is_complete(folder) else None


def cached_names() -> list[str]:
    """The ids of all models in the cache, whole or not."""
    from huggingface_hub import constants

    found = Path(constants.HF_HUB_CACHE).glob("models--*--*")
    return sorted(entry.name.removeprefix("models--").replace("--", "/", 1) for entry in found)


def download(name: str, notify: Callable[[str], None]) -> Path | None:
    """The model's snapshot, fetched; None if no hub answers within 10 s. Raises ModelNotFound when
    the hub does not give us this model, or broke off.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    size = _offered(name)
    if size is None:
        return None
    notify(f"Downloading {name} ({size / 1e9:.1f} GB, once)" if size else f"Downloading {name}")
    try:
        folder = Path(snapshot_download(name, allow_patterns=_PATTERNS))
    except (_http_error(), LocalEntryNotFoundError, OSError) as error:
        raise ModelNotFound(
            f"the download of {name} broke off: {error}",
            hint="Run it again; it goes on where it stopped.",
        ) from error
    if not is_complete(folder):
        raise ModelNotFound(f"{name} has no *.safetensors", hint="Name another model.")
    return folder


def _offered(name: str) -> int | None:
    """Bytes that the hub would send, 0 where it does not say; None if it does not answer in time.
    Raises ModelNotFound if it refuses the model."""
    from huggingface_hub.errors import OfflineModeIsEnabled, RepositoryNotFoundError

    answer: Future[int] = Future()
    # Resolving a name can hang where no timeout reaches, so the thread may be left behind.
    threading.Thread(target=_ask, args=(name, answer), daemon=True).start()
    try:
        return answer.result(timeout=_REACH_S)
    except RepositoryNotFoundError as error:
        raise ModelNotFound(
            f"the model hub did not send {name}: it has no such model, or wants a login",
            hint="Check the id; for a gated model, run: hf auth login",
        ) from error
    except (_http_error(), OfflineModeIsEnabled, OSError, TimeoutError):
        return None


def _ask(name: str, answer: Future[int]) -> None:
    from huggingface_hub import HfApi

    try:
        files = HfApi().model_info(name, timeout=_REACH_S, files_metadata=True).siblings or []
        total = sum(file.size or 0 for file in files if _wanted(file.rfilename))
    except Exception as error:  # noqa: BLE001 - handed over to the thread that asked
        answer.set_exception(error)
    else:
        answer.set_result(total)


def _wanted(file: str) -> bool:
    return any(fnmatch(file, pattern) for pattern in _PATTERNS)


def _http_error() -> type[Exception]:
    """Base of all that the hub's HTTP client raises; which client that is changes by release."""
    from huggingface_hub.errors import HfHubHTTPError

    return next(base for base in HfHubHTTPError.__mro__ if base.__name__ == "HTTPError")
