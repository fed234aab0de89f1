"""What reads question and passage together: a cross-encoder, as one more list."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from store_factory import addition

from rag.compute.mlx_runtime import MLXThread
from rag.config import Settings
from rag.errors import EngineError, ModelLoadFailed, ModelNotFound
from rag.models import listing, registry
from rag.pipeline import open_pipeline
from rag.rerankers.base import Reranker, reranked
from rag.rerankers.cross_encoder import CrossEncoder
from rag.retrieval.fusion import RetrievalPlan
from rag.retrieval.retrieve import SearchText, retrieve
from rag.runtime import Runtime
from rag.store import ChunkRef, Filter, StoreWriter
from rag.testing import FakeEmbedder

PAGES = ["The keeper's goats ate the barometer.", "Lamp oil is ordered in March.", "Nobody came."]


async def in_order(question: str, pages: list[str], reranker: Reranker) -> list[tuple[str, float]]:
    """The pages as `reranked` ranks them, with their scores."""
    places = [ChunkRef(i, "d", i, 1) for i in range(len(pages))]
    found = await reranked(question, places, pages, reranker)
    return [(pages[item.ref.row], item.score) for item in found]


# ── as lists of the plan ──────────────────────────────────────────────────────────────────────


class Shortest:
    """A Reranker that prefers short passages, and notes how many it was given."""

    given = 0

    async def scores(self, text: str, passages: list[str]) -> list[float]:
        self.given = len(passages)
        return [-float(len(passage)) for passage in passages]


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[StoreWriter]:
    embedder = FakeEmbedder()
    store = await StoreWriter.create(tmp_path / "c", embedder.id, embedder.dimensions, "fake")
    vectors = await embedder.embed_documents([f"log\n{page}" for page in PAGES])
    await store.commit([addition("log", PAGES, list(vectors))])
    await store.optimize()
    yield store
    store.close()


async def test_a_reranker_is_one_more_list_of_the_first_candidates(store: StoreWriter) -> None:
    plan = RetrievalPlan(weights={"dense": 1.0, "cross_encoder": 9.0}, rerank=2)
    shortest, searched = Shortest(), await SearchText.of("goats lamp", FakeEmbedder(), plan)
    hits = await retrieve(
        searched, store, k=3, where=Filter(), plan=plan,
        rerankers={"cross_encoder": shortest, "not in the plan": Shortest()},
    )  # fmt: skip
    assert shortest.given == 2
    assert {"cross_encoder": 1}.items() <= hits[0].ranks.items()
    assert len(hits) == 3
    assert sum("cross_encoder" in hit.ranks for hit in hits) == 2
    lengths = [len(hit.chunk.content) for hit in hits[:2]]
    assert lengths == sorted(lengths)


def test_settings_add_lists_to_the_plan(settings: Settings) -> None:
    with_one = settings.model_copy(update={"reranker": "some/model"})
    added = RetrievalPlan.of(with_one).weights.keys() - RetrievalPlan.of(settings).weights.keys()
    assert added == {"cross_encoder"}
    assert RetrievalPlan.of(settings).weights == RetrievalPlan().weights


def test_a_configured_reranker_is_listed(tiny: Path) -> None:
    rows = listing.list_models(Settings(reranker=str(tiny)))
    assert [(row.role, row.state) for row in rows if row.name == str(tiny)] == [
        ("reranker", "folder")
    ]


# ── a cross-encoder: tiny, random, real ───────────────────────────────────────────────────────

TINY: dict[str, Any] = {
    "model_type": "bert",
    "architectures": ["BertForSequenceClassification"],
    "vocab_size": 30522,
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 64,
    "hidden_act": "gelu",
}


def weights(outputs: int) -> dict[str, np.ndarray]:
    """All that BertForSequenceClassification has, at random."""
    random, hidden, inner = np.random.default_rng(0), TINY["hidden_size"], TINY["intermediate_size"]
    layer = "bert.encoder.layer.0"
    linear = {
        f"{layer}.attention.self.query": (hidden, hidden),
        f"{layer}.attention.self.key": (hidden, hidden),
        f"{layer}.attention.self.value": (hidden, hidden),
        f"{layer}.attention.output.dense": (hidden, hidden),
        f"{layer}.intermediate.dense": (inner, hidden),
        f"{layer}.output.dense": (hidden, inner),
        "bert.pooler.dense": (hidden, hidden),
        "classifier": (outputs, hidden),
    }
    tables = {"word": TINY["vocab_size"], "position": 64, "token_type": 2}
    found = {f"{name}.weight": random.normal(size=shape) for name, shape in linear.items()}
    found |= {f"{name}.bias": np.zeros(shape[0]) for name, shape in linear.items()}
    for name, rows in tables.items():
        found[f"bert.embeddings.{name}_embeddings.weight"] = random.normal(size=(rows, hidden))
    for place in ("bert.embeddings", f"{layer}.attention.output", f"{layer}.output"):
        found[f"{place}.LayerNorm.weight"] = np.ones(hidden)
        found[f"{place}.LayerNorm.bias"] = np.zeros(hidden)
    return {name: value.astype(np.float32) for name, value in found.items()}


def write_model(folder: Path, outputs: int = 1, *, without: str = "") -> Path:
    from safetensors.numpy import save_file

    folder.mkdir()
    kept = {name: value for name, value in weights(outputs).items() if name != without}
    save_file(kept, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(TINY))
    bundled = registry.embedding_folder(Settings())
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(bundled / name, folder)
    return folder


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
async def cross_encoder(tiny: Path, mlx_thread: MLXThread) -> AsyncIterator[CrossEncoder]:
    opened = await CrossEncoder.open(Settings(reranker=str(tiny)), mlx_thread)
    yield opened
    await opened.close()


async def test_a_cross_encoder_scores_each_pair_as_if_alone(
    cross_encoder: CrossEncoder, on_gpu: bool
) -> None:
    passages = [*PAGES, "goats " * 100, *(f"page {number}" for number in range(8))]
    together = await cross_encoder.scores("the goats", passages)
    alone = [(await cross_encoder.scores("the goats", [passage]))[0] for passage in passages]
    assert together == pytest.approx(alone, abs=1e-2 if on_gpu else 1e-3)  # TF32
    assert len({round(score, 3) for score in together}) > 6  # it reads the passages
    other = await cross_encoder.scores("lamp oil", passages)
    assert np.abs(np.subtract(together, other)).max() > 1e-2  # and the question


async def test_passages_come_in_the_order_of_its_scores(cross_encoder: CrossEncoder) -> None:
    scores = await cross_encoder.scores("goats", PAGES)
    found = await in_order("goats", PAGES, cross_encoder)
    expected = [PAGES[index] for index in np.argsort(scores)[::-1]]
    assert [text for text, _ in found] == expected


async def test_a_search_uses_the_configured_models(
    tiny: Path, settings: Settings, store: StoreWriter, tmp_path: Path
) -> None:
    chosen = Settings(
        home=tmp_path, cache=settings.cache, reranker=str(tiny), embedding_model="fake"
    )
    store.directory.rename(tmp_path / "moved")
    chosen.collection_dir.parent.mkdir(parents=True)
    (tmp_path / "moved").rename(chosen.collection_dir)
    runtime = Runtime(chosen, embedder=FakeEmbedder())
    async with open_pipeline(chosen, runtime) as pipeline:
        hits = (await pipeline.search("goats")).hits
        scores = await (await runtime.reranker()).scores("goats", [h.chunk.content for h in hits])
    by_rank = sorted(range(len(hits)), key=lambda index: hits[index].ranks["cross_encoder"])
    assert by_rank == sorted(range(len(hits)), key=lambda index: -scores[index])
    await runtime.close()


@pytest.mark.parametrize(
    ("outputs", "without", "message"),
    [
        (3, "", "3 outputs"),
        (1, "classifier.weight", "0 outputs"),
        (1, "bert.encoder.layer.0.output.dense.bias", "output.dense.bias"),
    ],
)
async def test_a_model_that_cannot_rank_is_refused(
    outputs: int, without: str, message: str, tmp_path: Path, mlx_thread: MLXThread
) -> None:
    folder = write_model(tmp_path / "odd", outputs, without=without)
    with pytest.raises(ModelLoadFailed, match=message):
        await CrossEncoder.open(Settings(reranker=str(folder)), mlx_thread)


async def test_a_name_that_is_no_model(mlx_thread: MLXThread) -> None:
    with pytest.raises(ModelNotFound, match="no such folder"):
        await CrossEncoder.open(Settings(reranker="nowhere"), mlx_thread)


async def test_a_closed_one_says_so(tiny: Path, mlx_thread: MLXThread) -> None:
    opened = await CrossEncoder.open(Settings(reranker=str(tiny)), mlx_thread)
    await opened.close()
    with pytest.raises(EngineError, match="closed"):
        await opened.scores("goats", PAGES)
