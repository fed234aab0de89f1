"""The labelled claims of ../shared/eval/claims as examples: responses, WiCE, BEGIN."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks._claim_sources import passages_of
from benchmarks.verifier.examples import (
    CONTRADICTED,
    NOT_SAID,
    SUPPORTED,
    UNSUPPORTED,
    Example,
    evidence_of,
    example,
)
from rag.verification.citation_markers import strip_markers
from rag.verification.refusal_detection import is_pleasantry, is_refusal
from rag.verification.segmentation import statements


def group_number(group: str) -> int:
    """From 0 to 999: what a group is held out by."""
    return int(hashlib.sha256(group.encode()).hexdigest()[:8], 16) % 1000


def responses(file: Path) -> Iterator[Example]:
    """RAGTruth: the sentences of each response; false where one touches a labelled span."""
    for line in file.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        evidence = evidence_of(passages_of(row["source"]))
        for response in row["responses"]:
            text = response["response"]
            for found in statements(text):
                said = text[found.start : found.end]
                claim = strip_markers(said).text.replace("*", "").replace("`", "").strip()
                if is_refusal(said) or is_pleasantry(said) or said.endswith("?") or not claim:
                    continue
                label = _label(found.start, found.end, response["labels"])
                group = f"{file.stem}-{row['source_id']}"
                yield example(claim, evidence, label, set=file.stem, group=group)


def _label(start: int, end: int, spans: list[Mapping[str, Any]]) -> int:
    kinds = {s["label_type"] for s in spans if s["start"] < end and start < s["end"]}
    if not kinds:
        return SUPPORTED
    conflict = {"Conflict" in kind for kind in kinds}
    return UNSUPPORTED if len(conflict) > 1 else CONTRADICTED if conflict == {True} else NOT_SAID


def wice(file: Path, *, name: str = "wice") -> Iterator[Example]:
    """WiCE: what is supported in part is not supported. The sentences that annotators chose are
    read too, in an example of their own."""
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines()):
        row = json.loads(line)
        group = f"{name}-{number}"
        supported = row["label"] == "supported"
        label = SUPPORTED if supported else UNSUPPORTED
        if row["label"] == "not_supported":
            label = NOT_SAID
        texts: list[str] = row["evidence"]
        yield example(row["claim"], evidence_of(["\n\n".join(texts)]), label, set=name, group=group)
        chosen = row["supporting_sentences"]
        ids = chosen[0] if chosen and isinstance(chosen[0], list) else chosen
        if ids and row["label"] != "not_supported":
            text = " ".join(texts[i] for i in sorted(ids) if i < len(texts))[:900]
            yield Example(f"{name}-chosen", group, "", row["claim"], text, label)


def begin(file: Path) -> Iterator[Example]:
    """BEGIN: a turn of a conversation and the knowledge it was given."""
    with file.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE):
            if row["begin_label"].startswith("Generic"):
                continue
            label = SUPPORTED if row["begin_label"].startswith("Fully") else UNSUPPORTED
            evidence = evidence_of([row["knowledge"]])
            group = f"begin-{row['knowledge'][:60]}"
            yield example(row["response"], evidence, label, set="begin", group=group)
