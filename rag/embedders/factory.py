"""Which model embeds, under which id, and what runs it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from rag.compute import mlx_runtime
from rag.compute.mlx_runtime import MLXThread
from rag.config import Settings
from rag.embedders.base import Embedder
from rag.embedders.model_config import ModelConfig, read_model_config
from rag.embedders.model_embedder import ModelEmbedder
from rag.errors import ConfigError, ModelLoadFailed
from rag.models import registry
from rag.models.embedding_use import MLX_TYPES

# ModelConfig.content of the bundled model, which need not be here to be compared with.
BUNDLED_CONTENT = "cdc96a8370"


async def open_embedder(
    settings: Settings, thread: MLXThread, *, notify: registry.Notify = registry.silent
) -> Embedder:
    """The configured model, its weights not yet loaded. The caller closes it.

    Raises ModelNotFound, ModelLoadFailed, ConfigError.
    """
    return await asyncio.to_thread(open_model, settings, thread, notify)


def open_model(
    settings: Settings, thread: MLXThread, notify: registry.Notify = registry.silent
) -> ModelEmbedder:
    """The configured embedder, weights not loaded. Blocks for a moment, or for a download."""
    model_config = embedding_config(settings, notify)
    if _wants_onnx(settings, model_config, thread):
        from rag.embedders.onnx_embedder import ONNXEmbedder

        return ONNXEmbedder(model_config, cache=settings.cache / "onnx", threads=settings.workers)
    from rag.embedders.mlx_embedder import MLXEmbedder

    return MLXEmbedder(model_config, thread)


def embedding_config(settings: Settings, notify: registry.Notify = registry.silent) -> ModelConfig:
    """How the configured model is used. Raises ModelNotFound, ModelLoadFailed, ConfigError."""
    model = registry.embedding_model(settings, notify)
    published = "" if _is_folder(model) else model.name
    model_config = read_model_config(
        model.folder, model.name, settings.embedding_dimensions, hub_id=published
    )
    if model.name == registry.BUNDLED_EMBEDDING:
        return model_config
    # A copy of the bundled model is the bundled model, wherever it came from.
    if model_config.content == BUNDLED_CONTENT:
        return replace(model_config, name=registry.BUNDLED_EMBEDDING)
    if _is_folder(model):
        # What a folder is called says nothing about what is in it.
        return replace(model_config, name=f"{model_config.model_type}-{model_config.size}")
    return model_config


def _is_folder(model: registry.Model) -> bool:
    return Path(model.name).expanduser().absolute() == model.folder


def _wants_onnx(settings: Settings, model_config: ModelConfig, thread: MLXThread) -> bool:
    """Measured on two cores with MiniLM: ONNX Runtime embeds six times as fast as MLX on a CPU.

    Raises ConfigError, ModelLoadFailed where neither can.
    """
    from rag.embedders import onnx_bert

    obstacles = {"onnx": onnx_bert.obstacle(model_config), "mlx": _mlx_obstacle(model_config)}
    wanted = settings.embedding_backend
    if all(obstacles.values()):
        raise ModelLoadFailed(
            f"{model_config.name} {obstacles['onnx']}, and {obstacles['mlx']}",
            hint="Name another embedding model, or another copy of it.",
        )
    if wanted != "auto":
        if obstacles[wanted]:
            raise ConfigError(
                f"embedding_backend is {wanted}, but {model_config.name} {obstacles[wanted]}",
                hint="Set embedding_backend to auto.",
            )
        return wanted == "onnx"
    if obstacles["onnx"] or obstacles["mlx"]:
        return obstacles["onnx"] is None
    return thread.executor.submit(mlx_runtime.device).result() == "cpu"


def _mlx_obstacle(model_config: ModelConfig) -> str | None:
    if model_config.model_type not in MLX_TYPES:
        return f"is of type {model_config.model_type}, which mlx-embeddings does not know"
    return None
