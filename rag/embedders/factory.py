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
from rag.errors import ConfigError
from rag.models import registry


async def open_embedder(settings: Settings, thread: MLXThread) -> Embedder:
    """The configured model, its weights not yet loaded. The caller closes it.

    Raises ModelNotFound, ModelLoadFailed, ConfigError.
    """
    return await asyncio.to_thread(open_model, settings, thread)


def open_model(settings: Settings, thread: MLXThread) -> ModelEmbedder:
    """The configured embedder, weights not loaded. Blocks for a moment, or for a download."""
    recipe = embedding_recipe(settings)
    if _wants_onnx(settings, recipe, thread):
        from rag.embedders.onnx_embedder import ONNXEmbedder

        return ONNXEmbedder(recipe, cache=settings.cache / "onnx", threads=settings.workers)
    from rag.embedders.mlx_embedder import MLXEmbedder

    return MLXEmbedder(recipe, thread)


def embedding_recipe(settings: Settings) -> Recipe:
    """How the configured model is used. Raises ModelNotFound, ModelLoadFailed, ConfigError."""
    model = registry.embedding_model(settings)
    recipe = read_recipe(model.folder, model.name, settings.embedding_dimensions)
    if model.name == registry.BUNDLED_EMBEDDING:
        return recipe
    # A copy of the bundled model is the bundled model, wherever it came from.
    bundled = settings.model_copy(update={"embedding_model": registry.BUNDLED_EMBEDDING})
    original = embedding_recipe(bundled)
    if original.content == recipe.content:
        return replace(recipe, name=original.name)
    if _is_folder(model):
        # What a folder is called says nothing about what is in it.
        return replace(recipe, name=f"{recipe.model_type}-{recipe.size}")
    return recipe


def _is_folder(model: registry.Model) -> bool:
    return Path(model.name).expanduser().absolute() == model.folder


def _wants_onnx(settings: Settings, recipe: Recipe, thread: MLXThread) -> bool:
    """Measured on two cores with MiniLM: ONNX Runtime embeds six times as fast as MLX on a CPU."""
    if settings.embedding_backend == "mlx":
        return False
    from rag.embedders import onnx_bert

    obstacle = onnx_bert.obstacle(recipe)
    if settings.embedding_backend == "onnx":
        if obstacle:
            raise ConfigError(
                f"embedding_backend is onnx, but {recipe.name} {obstacle}",
                hint="Set embedding_backend to auto.",
            )
        return True
    return obstacle is None and thread.executor.submit(mlx_runtime.device).result() == "cpu"
