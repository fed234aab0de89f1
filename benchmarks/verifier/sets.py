"""Public labelled sets as examples. Each is a folder of the files that its repository holds.

Which, and their licences: benchmarks/LOG.md. A folder that is missing is passed over.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.verifier.claims import wice
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
from rag.verification.segmentation import statements

_THREE: Final[Mapping[str, int]] = {
    "entailment": SUPPORTED, "E": SUPPORTED, "SUPPORTS": SUPPORTED, "0": SUPPORTED,
    "contradiction": CONTRADICTED, "C": CONTRADICTED, "REFUTES": CONTRADICTED, "2": CONTRADICTED,
    "neutral": NOT_SAID, "N": NOT_SAID, "NOT ENOUGH INFO": NOT_SAID, "1": NOT_SAID,
}  # fmt: skip


def public(folder: Path) -> Iterator[Example]:
    """Every set that is there."""
    for name, read in _SETS.items():
        if (folder / name).is_dir():
            yield from read(folder / name)


def _pair(name: str, group: str, premise: str, claim: str, label: int) -> Example:
    return Example(name, f"{name}-{group}", "", claim, premise[:900], label)


def _summedits(folder: Path) -> Iterator[Example]:
    """Summaries of which a sentence was edited: the sentences that the source's own one lacks."""
    for file in sorted(folder.glob("*.json")):
        rows = json.loads(file.read_text(encoding="utf-8"))
        for document, summaries in _by_document(rows).items():
            evidence = evidence_of([document])
            own = {s for row in summaries if row["edit_types"] == [] for s in _sentences(row)}
            seen: set[str] = set()
            for row in summaries:
                for sentence in _sentences(row):
                    if sentence not in seen:
                        seen.add(sentence)
                        good = sentence in own or row["label"] == 1
                        label = SUPPORTED if good else UNSUPPORTED
                        group = f"summedits-{document[:60]}"
                        yield example(sentence, evidence, label, set="summedits", group=group)


def _by_document(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        edited = not str(row["id"]).endswith("_og")
        each = {**row, "edit_types": row.get("edit_types") or (["edit"] if edited else [])}
        found.setdefault(row["doc"], []).append(each)
    return {doc: each for doc, each in found.items() if any(not r["edit_types"] for r in each)}


def _sentences(row: Mapping[str, Any]) -> list[str]:
    text = row["summary"]
    return [text[s.start : s.end] for s in statements(text)]


def _fm2(folder: Path) -> Iterator[Example]:
    for row in _lines(folder):
        passages = [piece["text"] for piece in row["gold_evidence"]]
        passages += [piece["text"] for piece in row["retrieved_evidence"][:3]]
        label, group = _THREE[row["label"]], f"fm2-{row['wikipedia_page']}"
        yield example(row["text"], evidence_of(passages), label, set="fm2", group=group)


def _symmetric(folder: Path) -> Iterator[Example]:
    for row in _lines(folder):
        label = _THREE[row["gold_label"]]
        yield _pair("symmetric", str(row["id"]), row["evidence"], row["claim"], label)


def _rte3fr(folder: Path) -> Iterator[Example]:
    for row in _tables(folder):
        premise = row["premise"]
        yield _pair("rte3fr", premise[:60], premise, row["hypothesis"], _THREE[row["label"]])


def _scone(folder: Path) -> Iterator[Example]:
    for row in _tables(folder, pattern="*.csv", delimiter=","):
        keys = next(k for k in row if k.startswith("sentence1")), "sentence2"
        if row.get("sentence2") and row.get("gold_label") in _THREE:
            label = _THREE[row["gold_label"]]
            label = UNSUPPORTED if label == NOT_SAID else label
            yield _pair("scone", row[keys[0]][:50], row[keys[0]], row[keys[1]], label)


def _conjnli(folder: Path) -> Iterator[Example]:
    for row in _tables(folder):
        label = _THREE[row["Label"]]
        yield _pair("conjnli", row["Premise"][:60], row["Premise"], row["Hypothesis"], label)


def _cad(folder: Path) -> Iterator[Example]:
    for row in _tables(folder):
        label = _THREE[row["gold_label"]]
        yield _pair("cad", row["sentence2"][:40], row["sentence1"], row["sentence2"], label)


def _med(folder: Path) -> Iterator[Example]:
    for row in _tables(folder):
        label = SUPPORTED if row["gold_label"] == "entailment" else UNSUPPORTED
        yield _pair("med", row["sentence1"][:60], row["sentence1"], row["sentence2"], label)


def _breaking(folder: Path) -> Iterator[Example]:
    for row in _lines(folder / "data"):
        label = _THREE[row["gold_label"]]
        yield _pair("breaking", row["sentence1"][:60], row["sentence1"], row["sentence2"], label)


def _factcg(folder: Path) -> Iterator[Example]:
    for file in sorted(folder.glob("*.json")):
        for line in file.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            if not row["text_a"].strip():
                continue
            label = SUPPORTED if row["orig_label"] == 1 else UNSUPPORTED
            evidence, group = evidence_of([row["text_a"]]), f"factcg-{row['text_b'][0][:40]}"
            yield example(row["text_b"][0], evidence, label, set="factcg", group=group)


def _infotabs(folder: Path) -> Iterator[Example]:
    for row in _tables(folder):
        table = json.loads((folder / "json" / f"{row['table_id']}.json").read_text("utf-8"))
        title = " ".join(table.pop("title", []))
        items = [f"- {key}: {'; '.join(values)}" for key, values in table.items()]
        evidence = evidence_of(["\n".join([f"- name: {title}", *items])])
        label, group = _THREE[row["label"]], f"infotabs-{row['table_id']}"
        yield example(row["hypothesis"], evidence, label, set="infotabs", group=group)


def _tabfact(folder: Path) -> Iterator[Example]:
    """Pairs of a true and a false statement of a table, the simple ones."""
    simple = set(json.loads((folder / "simple_ids.json").read_text("utf-8")))
    pairs = json.loads((folder / "all_positive_negative_pairs.json").read_text("utf-8"))
    for table, true, false in pairs:
        if table not in simple:
            continue
        rows = (folder / "all_csv" / table).read_text("utf-8").splitlines()
        cells = [[cell.strip() for cell in row.split("#")] for row in rows if row.strip()]
        text = "\n".join(f"| {' | '.join(row)} |" for row in cells)
        rule = "|" + "---|" * len(cells[0])
        evidence = evidence_of([text.replace("\n", f"\n{rule}\n", 1)])
        for claim, label in ((true, SUPPORTED), (false, CONTRADICTED)):
            yield example(claim, evidence, label, set="tabfact", group=f"tabfact-{table}")


def _expertqa(folder: Path) -> Iterator[Example]:
    """Claims of long answers with the text of the pages that they cite; what is supported in part
    is not supported."""
    seen: set[str] = set()
    for row in _lines(folder):
        for answer in row["answers"].values():
            for claim in answer["claims"]:
                said = strip_markers(claim["claim_string"]).text.strip()
                label = {"Complete": SUPPORTED}.get(claim["support"], UNSUPPORTED)
                known = claim["support"] in ("Complete", "Partial", "Incomplete")
                if not known or not claim["evidence"] or said in seen:
                    continue
                seen.add(said)
                texts = [text.partition("\n")[2].strip() for text in claim["evidence"]]
                group = f"expertqa-{row['question'][:80]}"
                yield example(said, evidence_of(texts), label, set="expertqa", group=group)


def _faithdial(folder: Path) -> Iterator[Example]:
    """Turns of conversations and the knowledge they were given, judged by people."""
    for file in sorted(folder.glob("*.csv")):
        for row in _tables(folder, pattern=file.name, delimiter=","):
            said = row.get(file.stem.partition("-")[0]) or row.get("response") or ""
            kinds = set((row.get("begin_label") or "").split(","))
            if not said or not kinds & {"entailment", "hallucination"}:
                continue
            label = UNSUPPORTED if "hallucination" in kinds else SUPPORTED
            evidence, group = evidence_of([row["knowledge"]]), f"faithdial-{row['knowledge'][:60]}"
            yield example(said, evidence, label, set="faithdial", group=group)


def _wice(folder: Path) -> Iterator[Example]:
    yield from wice(folder / "train.jsonl", name="wice-train")


def _lines(folder: Path) -> Iterator[dict[str, Any]]:
    for file in sorted(folder.glob("*.jsonl")):
        for line in file.read_text(encoding="utf-8").splitlines():
            yield json.loads(line)


def _tables(
    folder: Path, *, pattern: str = "*.tsv", delimiter: str = "\t"
) -> Iterator[dict[str, str]]:
    quoting = csv.QUOTE_MINIMAL if delimiter == "," else csv.QUOTE_NONE
    for file in sorted(folder.glob(pattern)):
        with file.open(encoding="utf-8-sig", newline="") as lines:
            yield from csv.DictReader(lines, delimiter=delimiter, quoting=quoting)


_SETS: Final[Mapping[str, Callable[[Path], Iterator[Example]]]] = {
    "summedits": _summedits, "fm2": _fm2, "symmetric": _symmetric, "rte3fr": _rte3fr,
    "scone": _scone, "conjnli": _conjnli, "cad": _cad, "med": _med, "breaking": _breaking,
    "factcg": _factcg, "infotabs": _infotabs, "tabfact": _tabfact, "wice": _wice,
    "expertqa": _expertqa, "faithdial": _faithdial,
}  # fmt: skip
