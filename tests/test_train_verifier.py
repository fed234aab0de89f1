"""The parts of `benchmarks train-verifier` that need no GPU."""

from __future__ import annotations

import json
import lzma
import pickle
from pathlib import Path

import numpy as np

from benchmarks.train_verifier import all_examples, keep, pack
from benchmarks.verifier.examples import CONTRADICTED, SUPPORTED
from benchmarks.verifier.frames import examples, frames
from benchmarks.verifier.weigh import fitted
from rag.verifiers.adapter import whole

LEASE = "The tenant pays a deposit of 900 euros by 3 March 2024. The landlord repairs the roof."


def test_a_pack_holds_every_example(tmp_path: Path) -> None:
    claims, sets = tmp_path / "claims", tmp_path / "sets"
    (sets / "texts").mkdir(parents=True)
    claims.mkdir()
    response = {"response": "The landlord repairs the roof. He paints it.", "labels": []}
    row = {"source_id": 1, "source": LEASE, "responses": [response]}
    (claims / "ragtruth_qa.jsonl").write_text(json.dumps(row))
    wice = {"label": "not_supported", "claim": "It rains.", "evidence": [LEASE]}
    (claims / "wice_dev.jsonl").write_text(json.dumps({**wice, "supporting_sentences": []}))
    (claims / "begin_wow.tsv").write_text("knowledge\tresponse\tbegin_label\n")
    (sets / "texts" / "lease.en.txt").write_text(f"{LEASE}\n" * 3)
    (tmp_path / "tables.json").write_text("[]")
    found = list(all_examples(claims, sets, tmp_path / "tables.json"))
    assert {"ragtruth_qa", "wice", "altered", "frames"} <= {one.set for one in found}
    altered = [one for one in found if one.set == "altered"]
    assert any(one.label == CONTRADICTED for one in altered)
    pack(found, tmp_path / "out")
    blob, meta = pickle.loads(lzma.decompress((tmp_path / "out" / "tokens.pkl.xz").read_bytes()))
    assert len(blob["label"]) == len(meta["sets"]) == len(found)
    base = np.load(tmp_path / "out" / "base.npz")
    words = base["embeddings.word_embeddings.weight"]
    assert max(blob["cl"].max(), blob["ev"].max()) < len(words)


def test_frames_are_true_and_false_in_all_five_languages() -> None:
    import random

    found = list(examples(frames(), 1, random.Random(1)))
    assert {one.label for one in found} >= {SUPPORTED, CONTRADICTED}


def test_what_is_kept_can_be_read_again(tmp_path: Path) -> None:
    value = np.linspace(-1, 1, 12, dtype=np.float16).reshape(3, 4)
    np.savez(tmp_path / "w.npz", **{"head.up": value, "head.bias": value[0]})
    keep(tmp_path / "w.npz", tmp_path / "w.safetensors")
    from safetensors.numpy import load_file

    again = whole(load_file(tmp_path / "w.safetensors"))
    np.testing.assert_allclose(again["head.up"], value, atol=5e-3)


def test_the_regression_finds_the_weights_that_made_the_data() -> None:
    rng = np.random.default_rng(3)
    x = np.column_stack([rng.normal(size=(20_000, 2)), np.ones(20_000)])
    true = np.array([2.0, -1.0, 0.5])
    good = rng.random(20_000) < 1 / (1 + np.exp(-(x @ true)))
    np.testing.assert_allclose(fitted(x, good, np.ones(20_000)), true, atol=0.1)
