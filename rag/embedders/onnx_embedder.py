"""BERT-family models on a CPU, by ONNX Runtime: the same vectors as MLX's, several times faster."""

from __future__ import annotations

import asyncio
import functools
import hashlib
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from rag.compute.cpu_cores import cores
from rag.embedders import onnx_bert
from rag.embedders.base import Vectors
from rag.embedders.fingerprint import weight_files
from rag.embedders.model_config import ModelConfig
from rag.embedders.model_embedder import ModelEmbedder, by_length
from rag.embedders.tokenizer import Ids
from rag.errors import EmbeddingError, ModelLoadFailed

# Tokens computed at once. More is no faster: 256 tokens fill the matrix kernels of one core.
_BUDGET = 512


class ONNXEmbedder(ModelEmbedder):
    """One single-threaded session that several threads run at once, each on texts of its own.

    That scales with the cores where threads inside one product do not, and no sum is ever split
    among threads: the vectors are the same in every run. The graph is written to `cache` once.
    """

    def __init__(
        self, model_config: ModelConfig, *, cache: Path, threads: int | None = None
    ) -> None:
        super().__init__(model_config)
        self._file = cache / f"{_key(model_config)}.onnx"
        self._threads = threads or cores()
        self._workers = ThreadPoolExecutor(self._threads, thread_name_prefix="embed")
        # A question does not queue behind the documents of an ingest, nor what the glossary adds
        # to it behind the question.
        self._urgent = ThreadPoolExecutor(2, thread_name_prefix="embed-query")
        self._lock = threading.Lock()
        self._opened: Any = None

    async def close(self) -> None:
        """Drop what has not begun, wait for what has."""
        for executor in (self._urgent, self._workers):
            await asyncio.to_thread(executor.shutdown, cancel_futures=True)
        self._opened = None

    async def _pooled(self, ids: Sequence[Ids]) -> Vectors:
        vectors = np.empty((len(ids), self.model_config.size), dtype=np.float32)
        batches = list(by_length(ids, budget=_BUDGET))
        for batch, states in zip(
            batches, await self._run_all(ids, batches, self._pool), strict=True
        ):
            vectors[batch] = states
        return vectors

    async def _pooled_query(self, ids: Ids) -> Vectors:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._urgent, self._pool, [ids])

    async def _run_all(
        self,
        ids: Sequence[Ids],
        batches: Sequence[Sequence[int]],
        function: Callable[[list[Ids]], Vectors],
    ) -> list[Vectors]:
        loop = asyncio.get_running_loop()
        work = [
            loop.run_in_executor(self._workers, function, [ids[index] for index in batch])
            for batch in batches
        ]
        try:
            return await asyncio.gather(*work)
        finally:  # one failed, or nobody waits any more: leave the rest undone
            for future in work:
                future.cancel()

    # ── on a worker thread ────────────────────────────────────────────────────────────────────

    def _pool(self, ids: list[Ids]) -> Vectors:
        states = self._run(ids)
        match self.model_config.pooling:
            case "cls":
                return states[:, 0]
            case "lasttoken":
                return states[:, -1]
            case "mean":
                return np.asarray(states.mean(axis=1), dtype=np.float32)

    def _run(self, ids: list[Ids]) -> Vectors:
        """States of texts of one length, shape (texts, tokens, hidden)."""
        session = self._session()
        from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

        try:
            states: Vectors = session.run(None, {"ids": np.array(ids, dtype=np.int64)})[0]
        except (ort_errors.Fail, ort_errors.RuntimeException) as error:
            raise EmbeddingError(
                f"ONNX Runtime failed on a batch: {error}",
                hint="Close programs that take memory, or set embedding_backend to mlx.",
            ) from error
        return states

    def _session(self) -> Any:
        with self._lock:
            if self._opened is None:
                self._opened = self._open()
            return self._opened

    def _open(self) -> Any:
        if not self._file.is_file():
            onnx_bert.write_graph(self.model_config, self._file)
        import onnxruntime
        from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.enable_mem_pattern = False  # plans for each new shape, kept for ever
        make = functools.partial(onnxruntime.InferenceSession, self._file, options)
        try:
            return make(providers=["CPUExecutionProvider"])
        except (ort_errors.Fail, ort_errors.InvalidProtobuf, ort_errors.InvalidGraph) as error:
            raise ModelLoadFailed(
                f"ONNX Runtime cannot load {self._file}: {error}",
                hint="Delete the file: it is written again from the model's weights.",
            ) from error


def _key(model_config: ModelConfig) -> str:
    """Names a graph in the cache: by content, and by the state of the files it was made from."""
    seen = hashlib.sha256(f"{onnx_bert.VERSION} {model_config.content}".encode())
    for file in weight_files(model_config.folder):
        status = file.stat()
        seen.update(f" {status.st_size} {status.st_mtime_ns}".encode())
    return f"{model_config.model_type}-{model_config.size}-{seen.hexdigest()[:16]}"
