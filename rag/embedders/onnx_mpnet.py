"""What MPNet has that BERT has not: other names of weights, and a learnt bias by distance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

# MPNet's names of weights, and BERT's.
NAMES: Final = (
    (".attention.attn.q.", ".attention.self.query."),
    (".attention.attn.k.", ".attention.self.key."),
    (".attention.attn.v.", ".attention.self.value."),
    (".attention.attn.o.", ".attention.output.dense."),
    (".attention.LayerNorm.", ".attention.output.LayerNorm."),
)
_BIAS: Final = "encoder.relative_attention_bias.weight"
_FARTHEST: Final = 128  # tokens; all that are farther share the last bucket


class Graph(Protocol):
    def node(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str: ...

    def constant(self, name: str, value: npt.NDArray[Any]) -> str: ...


def attention_bias(
    config: Mapping[str, Any], weights: Mapping[str, npt.NDArray[np.float32]], graph: Graph
) -> str:
    """What is added to the scores, shape (1, heads, tokens, tokens), as nodes of the graph."""
    longest = int(config["max_position_embeddings"])
    distances = np.arange(1 - longest, longest)
    by_distance = weights[_BIAS][buckets(distances, len(weights[_BIAS]))].T  # (heads, distances)
    zero = graph.constant("bias.zero", np.array(0, dtype=np.int64))
    one = graph.constant("bias.one", np.array(1, dtype=np.int64))
    first = graph.constant("bias.first", np.array([0], dtype=np.int64))
    second = graph.constant("bias.second", np.array([1], dtype=np.int64))
    middle = graph.constant("bias.middle", np.array(longest - 1, dtype=np.int64))
    length = graph.node("Squeeze", ["length", first], "bias.length")
    places = graph.node("Range", [zero, length, one], "bias.places")
    keys = graph.node("Unsqueeze", [places, first], "bias.keys")
    queries = graph.node("Unsqueeze", [places, second], "bias.queries")
    apart = graph.node("Add", [graph.node("Sub", [keys, queries], "bias.apart"), middle], "bias.at")
    table = graph.constant("bias.table", by_distance[None])
    return graph.node("Gather", [table, apart], "bias", axis=2)


def buckets(distances: npt.NDArray[np.int64], count: int) -> npt.NDArray[np.int64]:
    """T5's buckets of key minus query: half for each direction, of which half are exact and the
    rest grow by the logarithm."""
    half = count // 2
    exact = half // 2
    size = np.abs(distances)
    grown = np.log(np.maximum(size, 1) / exact) / np.log(_FARTHEST / exact) * (half - exact)
    far = np.minimum(exact + grown.astype(np.int64), half - 1)
    return np.where(size < exact, size, far) + np.where(distances > 0, half, 0)
