"""`benchmarks support`: every form of labelled claims is read, its figures counted."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks._claim_sets import pairs, responses, wice
from benchmarks.support import Judged, pair_figures, sentence_figures

ROOT = Path(__file__).resolve().parent.parent
LEASE = "The tenant pays a deposit of two months' rent. The landlord repairs the roof."


def lines(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def response(text: str, *labels: str) -> dict[str, Any]:
    spans = [{"start": text.index(one), "end": text.index(one) + len(one)} for one in labels]
    return {"response": text, "model": "m", "labels": spans}


@pytest.mark.parametrize(
    "source",
    [
        LEASE,
        {"question": "Who repairs?", "passages": f"passage 1:{LEASE}\n\npassage 2:Other."},
        {"question": "Who repairs?", "passages": [LEASE, {"text": "Other."}]},
        {"Lease": {"roof_repairs": "landlord", "Pets": False, "note": None, "text": [LEASE]}},
    ],
)
def test_a_source_of_any_form_becomes_passages(source: object, tmp_path: Path) -> None:
    text = "Here is what it says: The landlord repairs the roof. The tenant paints the walls."
    row = {"source_id": 3, "source": source, "responses": [response(text, "the walls")]}
    (found,) = responses(lines(tmp_path / "x.jsonl", row))
    assert LEASE in "\n".join(found.passages)
    assert [one.good for one in found.claims] == [True, False]
    assert any("landlord" in unit.text for unit in found.evidence().units)


@pytest.mark.parametrize(
    "passages", [LEASE, [LEASE], [{"text": LEASE, "page": 3}], {"text": LEASE}]
)
def test_a_pairs_passages_may_be_strings_or_objects(passages: object, tmp_path: Path) -> None:
    row = {"id": 1, "lang": "en", "kind": "roles", "claim": "c", "passages": passages}
    (found,) = pairs(lines(tmp_path / "x.jsonl", {**row, "question": None, "supported": False}))
    assert found.passages == (LEASE,)
    assert found.question == ""
    assert not found.claims[0].good


def test_a_part_of_a_claim_is_not_the_claim(tmp_path: Path) -> None:
    rows = [
        {"claim": "c", "evidence": [LEASE], "label": label, "meta": {"id": "1"}}
        for label in ("supported", "partially_supported", "not_supported")
    ]
    found = wice(lines(tmp_path / "x.jsonl", *rows))
    assert [source.claims[0].good for source in found] == [True, False, False]


def test_the_figures_are_those_of_the_verdicts(tmp_path: Path) -> None:
    text = "The landlord repairs the roof. The tenant repairs it. The tenant pays. He sings."
    row = {"source": LEASE, "responses": [response(text, "The tenant repairs", "He sings")]}
    (source,) = responses(lines(tmp_path / "x.jsonl", row))
    findings = ["supported", "contradicted", "not_said", "worded_differently"]
    found = [Judged(source, one, f) for one, f in zip(source.claims, findings, strict=True)]
    figures = {name: value and value.value for name, value in sentence_figures(found).items()}
    assert figures["good_kept"] == 50  # "The tenant pays." is not
    assert figures["cited_free_of_label"] == 100
    assert figures["flagged_precision"] == 50
    assert figures["balanced_accuracy"] == 75
    assert figures["balanced_accuracy_flagged"] == 50
    told = {name: value and value.value for name, value in pair_figures(found).items()}
    assert (told["false_caught"], told["false_flagged"], told["true_kept"]) == (100, 50, 50)


def test_the_command_prints_its_tables_and_one_line_of_json(tmp_path: Path) -> None:
    answers = {"source": LEASE, "responses": [response("The landlord repairs the roof.")]}
    pair = {"id": "a", "lang": "en", "kind": "roles", "passages": [LEASE], "question": ""}
    claims = {True: "The landlord repairs the roof.", False: "The landlord never repairs the roof."}
    files = {
        "--responses": lines(tmp_path / "ragtruth_qa.jsonl", answers),
        "--wice": lines(
            tmp_path / "w.jsonl", {"claim": LEASE, "evidence": [LEASE], "label": "supported"}
        ),
        "--pairs": lines(
            tmp_path / "p.jsonl", *({**pair, "claim": c, "supported": s} for s, c in claims.items())
        ),
    }
    options = [part for name, path in files.items() for part in (name, str(path))]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "support", *options, "--verifier", "lexical"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    results = json.loads(done.stdout.splitlines()[-1])["results"]
    assert results["ragtruth_qa"]["good_kept"]["value"] == 100
    assert results["pairs"]["false_caught"]["value"] == 100
    assert results["pairs"]["by_kind"]["roles"]["true_kept"]["value"] == 100
