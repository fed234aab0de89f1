"""The verifier that reads: its model on both runtimes, and how its reading joins the words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.verifier.examples import evidence_of
from rag.compute.mlx_runtime import MLXThread
from rag.config import Settings
from rag.errors import ModelLoadFailed
from rag.models import registry
from rag.verification.base import ClaimText, Verdict
from rag.verification.evidence_windows import LIMIT, field_share, window
from rag.verifiers.adapter import BUNDLED, merged, packed, whole
from rag.verifiers.combined import CombinedVerifier
from rag.verifiers.entailment import Reading
from rag.verifiers.factory import open_reader, open_verifier
from rag.verifiers.mlx_reader import MlxReader
from rag.verifiers.onnx_reader import OnnxReader
from rag.verifiers.pairs import CLAIM_TOKENS, PAIR_TOKENS, PairTokenizer

BASE = registry.embedding_folder(Settings(embedding_model=registry.BUNDLED_EMBEDDING))
LEASE = (
    "The tenant pays the rent on the first of each month. The landlord keeps the roof in repair."
)
SHOP = "Name: Corner Café\nHours, Monday: 7:0-22:30\nWiFi: free\nBike parking: no\nStars: 4.5"


class Scripted:
    """An EntailmentReader that says what it is told to."""

    def __init__(self, *readings: Reading) -> None:
        self.readings = list(readings)
        self.texts: list[tuple[str, str]] = []

    def read(self, texts: Sequence[tuple[str, str]]) -> list[Reading]:
        self.texts += texts
        return [self.readings.pop(0) for _ in texts]


SURE = Reading(0.98, 0.01, 0.01)
DOUBTFUL = Reading(0.05, 0.05, 0.9)
AGAINST = Reading(0.05, 0.9, 0.05)


def verdict(text: str, passages: Sequence[str], *readings: Reading) -> Verdict:
    (found,) = CombinedVerifier(Scripted(*readings)).verify(
        [ClaimText(text)], evidence_of(passages), ""
    )
    return found


# ── words and reading together ────────────────────────────────────────────────────────────────


def test_a_quote_needs_no_reading() -> None:
    assert verdict("The landlord keeps the roof in repair.", [LEASE]).finding == "supported"


def test_what_words_contradict_no_reading_saves() -> None:
    found = verdict("The landlord does not keep the roof in repair.", [LEASE])
    assert found.finding == "contradicted"


@pytest.mark.parametrize(
    ("reading", "finding"), [(SURE, "supported"), (DOUBTFUL, "worded_differently")]
)
def test_a_paraphrase_is_what_the_reading_says(reading: Reading, finding: str) -> None:
    claim = "The roof is maintained by the landlord at his own cost and care."
    found = verdict(claim, [LEASE], reading)
    assert found.finding == finding
    assert [support.span.passage for support in found.places] == [0]


def test_a_reading_that_sees_a_contradiction_supports_nothing() -> None:
    """Also where the odds of support are high: the two are asked separately."""
    torn = Reading(0.6, 0.39, 0.01)
    claim = "The roof is maintained by the landlord at his own cost and care."
    assert verdict(claim, [LEASE], torn).finding != "supported"


def test_what_shares_no_word_is_never_cited() -> None:
    found = verdict("Penguins swim.", [LEASE], SURE)
    assert (found.finding, found.places) == ("not_said", ())


@pytest.mark.parametrize(("reading", "cited"), [(SURE, True), (AGAINST, False)])
def test_an_account_of_data_is_what_the_reading_says(reading: Reading, cited: bool) -> None:
    found = verdict("Guests of Corner Café can go online free of charge.", [SHOP], reading)
    assert (found.finding == "supported") == cited


def test_only_open_claims_are_read_and_in_order() -> None:
    reader = Scripted(SURE, DOUBTFUL)
    claims = [
        "The roof is maintained by the landlord.",
        "The landlord keeps the roof in repair.",
        "Pets are welcome in the roof garden of the tenant.",
    ]
    CombinedVerifier(reader).verify([ClaimText(c) for c in claims], evidence_of([LEASE]), "")
    assert [claim for claim, _ in reader.texts] == [claims[0], claims[2]]


def test_no_claims_and_no_passages() -> None:
    verifier = CombinedVerifier(Scripted(SURE))
    assert verifier.verify([], evidence_of([LEASE]), "") == []
    assert verifier.verify([ClaimText("A roof.")], evidence_of([]), "")[0].finding == "not_said"


# ── what is read ──────────────────────────────────────────────────────────────────────────────


def test_the_window_holds_the_places_and_what_stands_beside_them() -> None:
    filler = " ".join(f"Sentence {n} speaks of nothing at all." for n in range(200))
    text = f"{filler} The pump failed in May. It was replaced. {filler}"
    read = window("The pump was replaced in May.", evidence_of([text]))
    assert "The pump failed in May. It was replaced." in read.text
    assert len(read.text) <= LIMIT


@given(st.text(max_size=300), st.lists(st.text(max_size=400), max_size=4))
def test_any_text_has_a_window(claim: str, passages: list[str]) -> None:
    evidence = evidence_of(passages)
    read = window(claim, evidence)
    assert len(read.text) <= LIMIT
    assert -1 <= read.best < max(1, len(evidence.units))


def test_fields_and_rows_are_data_and_prose_is_not() -> None:
    table = "| Year | Revenue |\n|---|---|\n| 2023 | 41 |\n| 2024 | 43 |"
    assert field_share(evidence_of([SHOP])) == 1
    assert field_share(evidence_of([table])) > 0.5
    assert field_share(evidence_of([LEASE])) == 0
    assert field_share(evidence_of([])) == 0


# ── the model ─────────────────────────────────────────────────────────────────────────────────

PAIRS = (
    ("The landlord keeps the roof in repair.", LEASE),
    ("The tenant keeps the roof in repair.", LEASE),
    ("Revenue rose to 5 million euros.", "Der Umsatz stieg auf 5 Millionen Euro."),
    ("", LEASE),
    ("A claim of nothing.", ""),
    ("long " * 300, "evidence " * 600),
)


@pytest.fixture(scope="module")
def onnx_reader(tmp_path_factory: pytest.TempPathFactory) -> OnnxReader:
    return OnnxReader(BASE, BUNDLED, cache=tmp_path_factory.mktemp("onnx"), threads=2)


def test_both_runtimes_read_the_same(onnx_reader: OnnxReader) -> None:
    thread = MLXThread()
    try:
        by_mlx = MlxReader(BASE, BUNDLED, thread, batch=4).read(PAIRS)
    finally:
        thread.close()
    for ours, other in zip(onnx_reader.read(PAIRS), by_mlx, strict=True):
        assert ours.supported == pytest.approx(other.supported, abs=1e-3)
        assert ours.contradicted == pytest.approx(other.contradicted, abs=1e-3)


def test_it_tells_support_from_its_opposite(onnx_reader: OnnxReader) -> None:
    """The bundled weights, not what surrounds them."""
    text = "The committee approved the plan in March and rejected the budget in April."
    good, bad = onnx_reader.read(
        [("The committee approved the plan.", text), ("The committee rejected the plan.", text)]
    )
    assert good.supported > bad.supported


def test_readings_do_not_depend_on_their_company(onnx_reader: OnnxReader) -> None:
    alone = [onnx_reader.read([pair])[0] for pair in PAIRS]
    assert onnx_reader.read(PAIRS) == alone


def test_pairs_say_what_both_sides_share() -> None:
    tokenizer = PairTokenizer(BASE / "tokenizer.json")
    pair, long = tokenizer.pairs([("roof", "roof rent"), ("word " * 300, "text " * 600)])
    assert pair.claim == 3
    assert list(pair.kinds) == [0, 1, 1, 3, 2, 3]  # both end in [SEP]
    assert long.claim == CLAIM_TOKENS + 2
    assert len(long.ids) == PAIR_TOKENS


@given(
    st.dictionaries(
        st.sampled_from(["a.up", "b.down", "c.bias"]),
        st.lists(st.floats(-4, 4, width=32), min_size=2, max_size=6),
        min_size=1,
    )
)
def test_eight_bits_keep_a_matrix_to_half_a_step(values: Mapping[str, list[float]]) -> None:
    arrays = {name: np.array([row, row], dtype=np.float32) for name, row in values.items()}
    again = whole(packed(arrays))
    assert again.keys() == arrays.keys()
    for name, value in arrays.items():
        step = np.abs(value).max() / 127
        assert np.abs(again[name] - value).max() <= max(step * 0.51, 4e-3)


def test_weights_that_cannot_be_read_are_told_with_a_hint(tmp_path: Path) -> None:
    damaged = tmp_path / "verifier.safetensors"
    damaged.write_bytes(b"\x00" * 40)
    with pytest.raises(ModelLoadFailed, match=r"verifier\.safetensors") as caught:
        merged(BASE, damaged)
    assert "lexical" in caught.value.hint
    with pytest.raises(ModelLoadFailed):
        OnnxReader(BASE, tmp_path / "none", cache=tmp_path, threads=1).read(PAIRS)


def test_the_setting_chooses(tmp_path: Path) -> None:
    thread = MLXThread()
    try:
        lexical = open_verifier(Settings(verifier="lexical", cache=tmp_path), thread)
        reader = open_reader(Settings(cache=tmp_path), thread)
    finally:
        thread.close()
    assert not hasattr(lexical, "_reader")
    assert isinstance(reader, OnnxReader | MlxReader)
