"""Which model embeds, under which id, and what runs it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from rag.compute import mlx_runtime
from rag.compute.mlx_runtime import MLXThread
from rag.config import Settings
from rag.embedders.base import Embedder
from rag.embedders.model_config import Recipe, read_recipe
from rag.embedders.model_embedder import ModelEmbedder
from rag.errors import ConfigError, ModelLoadFailed
from rag.models import registry
from rag.models.embedding_use import MLX_TYPES

# Recipe.content of the bundled model, which need not be here to be compared with.
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
    recipe = embedding_recipe(settings, notify)
    if _wants_onnx(settings, recipe, thread):
        from rag.embedders.onnx_embedder import ONNXEmbedder

        return ONNXEmbedder(recipe, cache=settings.cache / "onnx", threads=settings.workers)
    from rag.embedders.mlx_embedder import MLXEmbedder

    return MLXEmbedder(recipe, thread)


def embedding_recipe(settings: Settings, notify: registry.Notify = registry.silent) -> Recipe:
    """How the configured model is used. Raises ModelNotFound, ModelLoadFailed, ConfigError."""
    model = registry.embedding_model(settings, notify)
    published = "" if _is_folder(model) else model.name
    recipe = read_recipe(model.folder, model.name, settings.embedding_dimensions, hub_id=published)
    if model.name == registry.BUNDLED_EMBEDDING:
        return recipe
    # A copy of the bundled model is the bundled model, wherever it came from.
    if recipe.content == BUNDLED_CONTENT:
        return replace(recipe, name=registry.BUNDLED_EMBEDDING)
    if _is_folder(model):
        # What a folder is called says nothing about what is in it.
        return replace(recipe, name=f"{recipe.model_type}-{recipe.size}")
    return recipe


def _is_folder(model: registry.Model) -> bool:
    return Path(model.name).expanduser().absolute() == model.folder


def _wants_onnx(settings: Settings, recipe: Recipe, thread: MLXThread) -> bool:
    """Measured on two cores with MiniLM: ONNX Runtime embeds six times as fast as MLX on a CPU.

    Raises ConfigError, ModelLoadFailed where neither can.
    """
    from rag.embedders import onnx_bert

    obstacles = {"onnx": onnx_bert.obstacle(recipe), "mlx": _mlx_obstacle(recipe)}
    wanted = settings.embedding_backend
    if all(obstacles.values()):
        raise ModelLoadFailed(
            f"{recipe.name} {obstacles['onnx']}, and {obstacles['mlx']}",
            hint="Name another embedding model, or another copy of it.",
        )
    if wanted != "auto":
        if obstacles[wanted]:
            raise ConfigError(
                f"embedding_backend is {wanted}, but {recipe.name} {obstacles[wanted]}",
                hint="Set embedding_backend to auto.",
            )
        return wanted == "onnx"
    if obstacles["onnx"] or obstacles["mlx"]:
        return obstacles["onnx"] is None
    return thread.executor.submit(mlx_runtime.device).result() == "cpu"


def _mlx_obstacle(recipe: Recipe) -> str | None:
    if recipe.model_type not in MLX_TYPES:
        return f"is of type {recipe.model_type}, which mlx-embeddings does not know"
    return None
