"""Verifiers of one's own: published shapes at random, and what their labels mean."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from encoder_reference import write_random_encoder
from safetensors.numpy import load_file, save_file

from benchmarks.verifier.examples import evidence_of
from rag.compute.mlx_runtime import MLXThread
from rag.config import Settings
from rag.errors import ModelLoadFailed, ModelNotFound
from rag.models import registry
from rag.models.description import describe
from rag.verification.base import ClaimText
from rag.verifiers.classifier import ClassifierReader, Labels
from rag.verifiers.factory import open_verifier

NLI = {"0": "entailment", "1": "neutral", "2": "contradiction"}
PAIRS = (
    ("The landlord keeps the roof.", "The landlord keeps the roof in repair."),
    ("The tenant keeps the roof.", "The landlord keeps the roof in repair."),
    ("Pets are welcome.", "evidence " * 200),
    ("", "The roof."),
)
MODERN = {
    "model_type": "modernbert",
    "vocab_size": 30522,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "max_position_embeddings": 128,
    "global_attn_every_n_layers": 2,
    "local_attention": 16,
    "pad_token_id": 0,
    "classifier_pooling": "mean",
}


def finish_folder(folder: Path, config: dict[str, Any]) -> Path:
    (folder / "config.json").write_text(json.dumps(config))
    bundled = registry.embedding_folder(Settings(embedding_model=registry.BUNDLED_EMBEDDING))
    shutil.copy(bundled / "tokenizer.json", folder)
    return folder


def roberta(folder: Path, **own: Any) -> Path:
    folder.mkdir()
    write_random_encoder(folder, "roberta", prefix=True)
    rng, outputs = np.random.default_rng(5), len(own.get("id2label", NLI))
    head = {
        "classifier.dense.weight": rng.normal(0, 0.5, (32, 32)),
        "classifier.dense.bias": rng.normal(0, 0.5, 32),
        "classifier.out_proj.weight": rng.normal(0, 0.5, (outputs, 32)),
        "classifier.out_proj.bias": np.zeros(outputs),
    }
    weights = load_file(folder / "model.safetensors")
    weights |= {name: value.astype(np.float32) for name, value in head.items()}
    save_file(weights, folder / "model.safetensors")
    config = json.loads((folder / "config.json").read_text())
    shape = {"architectures": ["RobertaForSequenceClassification"], "id2label": NLI}
    return finish_folder(folder, config | shape | own)


def modernbert(folder: Path, kind: str, **own: Any) -> Path:
    folder.mkdir()
    rng, outputs = np.random.default_rng(6), len(own.get("id2label", NLI))
    shapes: dict[str, tuple[int, ...]] = {
        "model.embeddings.tok_embeddings.weight": (30522, 16),
        "model.embeddings.norm.weight": (16,),
        "model.final_norm.weight": (16,),
        "head.dense.weight": (16, 16),
        "head.norm.weight": (16,),
        "classifier.weight": (outputs, 16),
        "classifier.bias": (outputs,),
    }
    for layer in range(2):
        at = f"model.layers.{layer}."
        shapes |= {
            f"{at}attn.Wqkv.weight": (48, 16),
            f"{at}attn.Wo.weight": (16, 16),
            f"{at}mlp.Wi.weight": (48, 16),
            f"{at}mlp.Wo.weight": (16, 24),
            f"{at}mlp_norm.weight": (16,),
        }
        if layer:
            shapes[f"{at}attn_norm.weight"] = (16,)
    weights = {name: rng.normal(0, 0.6, shape) for name, shape in shapes.items()}
    save_file(
        {name: value.astype(np.float32) for name, value in weights.items()},
        folder / "model.safetensors",
    )
    shape = {"architectures": [f"ModernBertFor{kind}Classification"], "id2label": NLI}
    return finish_folder(folder, MODERN | shape | own)


def opened(folder: Path, thread: MLXThread) -> ClassifierReader:
    return ClassifierReader(registry.Model("own", folder, ""), thread)


@pytest.mark.parametrize("shape", ["roberta", "modernbert", "tokens"])
def test_each_shape_reads_each_pair_as_if_alone(
    shape: str, tmp_path: Path, mlx_thread: MLXThread, on_gpu: bool
) -> None:
    folder = tmp_path / "own"
    if shape == "roberta":
        roberta(folder)
    else:
        modernbert(folder, "Token" if shape == "tokens" else "Sequence")
    reader = opened(folder, mlx_thread)
    together = reader.read(PAIRS)
    alone = [reader.read([pair])[0] for pair in PAIRS]
    for one, other in zip(together, alone, strict=True):
        assert one.supported == pytest.approx(other.supported, abs=1e-2 if on_gpu else 1e-4)
        assert one.supported + one.contradicted + one.not_said == pytest.approx(1, abs=1e-6)
    assert together[0].supported != together[1].supported  # it reads the claim


def test_it_is_used_by_its_folder(tmp_path: Path, mlx_thread: MLXThread) -> None:
    verifier = open_verifier(Settings(verifier=str(roberta(tmp_path / "own"))), mlx_thread)
    claims = [ClaimText("The landlord keeps the roof in repair."), ClaimText("Pets are welcome.")]
    found = verifier.verify(claims, evidence_of(["The landlord keeps the roof in repair."]), "")
    assert found[0].finding == "supported"  # a quote, whatever random weights say
    assert found[1].places == ()  # no word of it is there


@pytest.mark.parametrize(
    ("names", "supported", "contradicted"),
    [
        (["contradiction", "entailment", "neutral"], (1,), (0,)),
        (["ENTAILMENT", "NEUTRAL", "CONTRADICTION"], (0,), (2,)),
        (["not_entailment", "entailment"], (1,), ()),
        (["LABEL_0", "LABEL_1"], (1,), ()),
        (["SUPPORTS", "REFUTES", "NOT ENOUGH INFO"], (0,), (1,)),
        (["hallucinated", "consistent"], (1,), ()),
        (["score"], (0,), ()),
    ],
)
def test_labels_by_their_names(
    names: list[str], supported: tuple[int, ...], contradicted: tuple[int, ...]
) -> None:
    config = {"id2label": {str(i): name for i, name in enumerate(names)}}
    found = Labels.of(config, "own")
    assert (found.count, found.supported, found.contradicted) == (
        len(names),
        supported,
        contradicted,
    )


def test_labels_are_in_the_order_of_their_numbers() -> None:
    names = {str(i): f"other {i}" for i in range(12)} | {"10": "entailment"}
    assert Labels.of({"id2label": names}, "own").supported == (10,)


def test_a_claim_is_as_good_as_its_worst_token() -> None:
    labels = Labels.of({"architectures": ["ModernBertForTokenClassification"]}, "own")
    good, bad = [4.0, -4.0], [-4.0, 4.0]
    assert labels.reading(np.array([good, good, good])).supported > 0.99
    assert labels.reading(np.array([good, bad, good])).supported < 0.01


@pytest.mark.parametrize(
    ("own", "message"),
    [
        ({"architectures": ["T5ForConditionalGeneration"]}, "T5ForConditionalGeneration"),
        ({"architectures": []}, "of no kind"),
        ({"id2label": {"0": "joy", "1": "anger"}}, "joy, anger"),
        ({"id2label": dict(enumerate(["entailment", "x", "y", "z"]))}, "3 outputs and 4 labels"),
        ({"num_hidden_layers": 3}, "cannot be used"),
    ],
)
def test_what_is_no_verifier_is_refused(
    own: dict[str, Any], message: str, tmp_path: Path, mlx_thread: MLXThread
) -> None:
    folder = roberta(tmp_path / "own")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | own))
    with pytest.raises(ModelLoadFailed, match=message) as caught:
        opened(folder, mlx_thread).read(PAIRS)
    assert "verifier" in caught.value.hint


def test_a_name_that_is_no_model(mlx_thread: MLXThread) -> None:
    with pytest.raises(ModelNotFound) as caught:
        open_verifier(Settings(verifier="nowhere"), mlx_thread)
    assert "lexical" in caught.value.hint


def test_rag_models_tells_a_verifier_from_a_reranker(tmp_path: Path) -> None:
    assert describe(roberta(tmp_path / "nli")).role == "verifier"
    assert describe(roberta(tmp_path / "rank", id2label={"0": "LABEL_0"})).role == "reranker"
    assert describe(modernbert(tmp_path / "tokens", "Token")).role == "verifier"
