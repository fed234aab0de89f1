"""The bundled verifier on a CPU, by ONNX Runtime: one pair at a time, so nothing is padded."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from rag.embedders.onnx_bert import BertGraph, save
from rag.errors import ModelError, ModelLoadFailed
from rag.verifiers.adapter import digest, merged
from rag.verifiers.entailment import Logits, Reading
from rag.verifiers.pairs import Pair, PairTokenizer


class OnnxReader:
    """An EntailmentReader. The graph is written to `cache` once; `base` is MiniLM's folder."""

    def __init__(self, base: Path, adapter: Path, *, cache: Path, threads: int) -> None:
        self._base = base
        self._adapter = adapter
        self._cache = cache
        self._threads = threads
        self._lock = threading.Lock()
        self._loaded: tuple[PairTokenizer, Any] | None = None

    def read(self, texts: Sequence[tuple[str, str]]) -> list[Reading]:
        tokenizer, session = self._load()
        pairs = tokenizer.pairs(texts)
        # The longest first: the last to end is then a short one.
        order = sorted(range(len(pairs)), key=lambda index: -len(pairs[index].ids))
        with ThreadPoolExecutor(min(self._threads, max(1, len(pairs)))) as workers:
            found = list(workers.map(lambda index: _logits(session, pairs[index]), order))
        readings = dict(zip(order, map(Reading.of, found), strict=True))
        return [readings[index] for index in range(len(pairs))]

    def _load(self) -> tuple[PairTokenizer, Any]:
        with self._lock:
            if self._loaded is None:
                file = self._cache / f"verifier-{digest(self._adapter)}.onnx"
                if not file.is_file():
                    config = json.loads((self._base / "config.json").read_text(encoding="utf-8"))
                    save(_Graph(config, merged(self._base, self._adapter)).model(), file)
                tokenizer = PairTokenizer(self._base / "tokenizer.json")
                self._loaded = tokenizer, _session(file)
            return self._loaded


def _session(file: Path) -> Any:
    import onnxruntime
    from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.enable_mem_pattern = False  # plans for each new shape, kept for ever
    try:
        return onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    except (ort_errors.Fail, ort_errors.InvalidProtobuf, ort_errors.InvalidGraph) as error:
        raise ModelLoadFailed(
            f"ONNX Runtime cannot load {file}: {error}",
            hint="Delete the file: it is written again.",
        ) from error


def _logits(session: Any, pair: Pair) -> Logits:
    from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

    inputs = {
        "ids": pair.ids[None],
        "kinds": pair.kinds[None],
        "claim": np.array([pair.claim], dtype=np.int64),
    }
    try:
        found: Logits = session.run(None, inputs)[0][0, 0]
    except (ort_errors.Fail, ort_errors.RuntimeException) as error:
        raise ModelError(
            f"the verifier failed on a claim: {error}",
            hint="Close programs that take memory, or set verifier to lexical.",
        ) from error
    return found


class _Graph(BertGraph):
    """ "ids", "kinds" (1, tokens) and "claim" (1,) → "logits" (1, 1, 3)."""

    def model(self) -> Any:
        from onnx import helper

        x = self._encoded()
        inner = self._times(x, "pool")
        bias = self.constant("pool.b", self._weights["pool.bias"])
        inner = self.node("BiasGelu", [inner, bias], "pooled", domain="com.microsoft")
        zero = self.constant("none", np.zeros(1, dtype=np.int64))
        one = self.constant("one", np.ones(1, dtype=np.int64))
        said = self.node("Slice", [inner, zero, "claim", one], "said")
        most = self.node("ReduceMax", [said], "most", axes=[1], keepdims=1)
        self._nodes.append(helper.make_node("Gather", [x, "first"], ["begin"], axis=1))
        self.constant("first", np.zeros(1, dtype=np.int64))
        both = self.node("Concat", ["begin", most], "both", axis=2)
        head = self._times(both, "head")
        shift = self.constant("head.b", self._weights["head.bias"])
        self.node("Add", [head, shift], "logits")
        shape: list[str | int] = [1, "tokens"]
        return self._finished({"ids": shape, "kinds": shape, "claim": [1]}, {"logits": [1, 1, 3]})

    def _embeddings(self) -> str:
        words = self.node("Gather", [self._weight("embeddings.word_embeddings"), "ids"], "words")
        kinds = self.node("Gather", [self.constant("types", self._weights["types"]), "kinds"], "k")
        length = self.node("Shape", ["ids"], "length", start=1, end=2)
        zero = self.constant("zero", np.zeros(1, dtype=np.int64))
        table = self.constant("table", self._weights["embeddings.position_embeddings.weight"])
        places = self.node("Slice", [table, zero, length], "places")
        placed = self.node("Add", [words, places], "placed")
        return self._normalised(self.node("Add", [placed, kinds], "embedded"), "embeddings.")
