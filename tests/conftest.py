"""What several test files share: settings in a temporary home, and the thread that runs MLX."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rag.compute import mlx_runtime
from rag.compute.mlx_runtime import MLXThread
from rag.config import Settings
from rag.models import registry

# Before any test file imports MLX, so that the tests run with the BLAS that users get.
mlx_runtime.prepare()


@pytest.fixture(scope="session")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Imported models of the whole test session: an import costs seconds."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def settings(tmp_path: Path, shared_cache: Path) -> Settings:
    """Defaults, with a home of the test's own and the shared cache of models."""
    return Settings(home=tmp_path / "home", cache=shared_cache)


@pytest.fixture(scope="session")
def mlx_thread() -> Iterator[MLXThread]:
    """One thread for all MLX work of the test process, as in the product."""
    thread = MLXThread()
    yield thread
    thread.close()


@pytest.fixture(scope="session")
def on_gpu(mlx_thread: MLXThread) -> bool:
    """Whether MLX computes on a GPU here: much faster, and rounded sooner."""
    return mlx_thread.executor.submit(mlx_runtime.device).result() != "cpu"


@pytest.fixture(scope="session")
def chat_folder(shared_cache: Path, mlx_thread: MLXThread) -> Path:
    """The bundled chat model as a folder, imported once for all tests."""
    bundled = Settings(cache=shared_cache, chat_model=registry.BUNDLED_CHAT)
    return mlx_thread.executor.submit(registry.chat_model, bundled).result().folder
