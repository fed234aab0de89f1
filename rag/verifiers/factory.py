"""Which verifier checks answers, and what runs it."""

from __future__ import annotations

from pathlib import Path

from rag.compute import mlx_runtime
from rag.compute.cpu_cores import cores
from rag.compute.mlx_runtime import MLXThread
from rag.config import Settings
from rag.models import registry
from rag.verification.base import Verifier
from rag.verification.lexical import LexicalVerifier
from rag.verifiers.adapter import BUNDLED
from rag.verifiers.combined import READING, CombinedVerifier
from rag.verifiers.entailment import EntailmentReader


def open_verifier(settings: Settings, thread: MLXThread) -> Verifier:
    """The verifier of the settings, its weights not yet loaded. Not on the MLX thread.

    Raises ModelNotFound, ModelLoadFailed.
    """
    if settings.verifier == "lexical":
        return LexicalVerifier()
    if settings.verifier == "auto":
        return CombinedVerifier(open_reader(settings, thread))
    from rag.verifiers.classifier import ClassifierReader

    model = thread.executor.submit(registry.verifier_model, settings).result()
    return CombinedVerifier(ClassifierReader(model, thread), READING, READING)


def open_reader(settings: Settings, thread: MLXThread, adapter: Path = BUNDLED) -> EntailmentReader:
    """The bundled model that reads: ONNX Runtime on a CPU, MLX on a GPU. Raises ModelNotFound."""
    bundled = settings.model_copy(update={"embedding_model": registry.BUNDLED_EMBEDDING})
    base = registry.embedding_folder(bundled)
    if thread.executor.submit(mlx_runtime.device).result() == "cpu":
        from rag.verifiers.onnx_reader import OnnxReader

        threads = settings.workers or cores()
        return OnnxReader(base, adapter, cache=settings.cache / "onnx", threads=threads)
    from rag.verifiers.mlx_reader import MlxReader

    return MlxReader(base, adapter, thread)
