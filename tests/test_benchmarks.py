"""The benchmark tool: what it compares, and that each of its names leads somewhere."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from benchmarks import peers
from benchmarks.__main__ import BENCHMARKS
from benchmarks._corpus import ROWS_A_BLOCK, Corpus, Words, document_id
from benchmarks.compare import leaves, ratios, read
from rag.evaluation.questions import Question
from rag.terms import STOP_WORDS

ROOT = Path(__file__).resolve().parent.parent


def run_file(path: Path, benchmark: str, **results: object) -> Path:
    line = json.dumps({"benchmark": benchmark, "results": results})
    path.write_text(f"a table\n\n{line}\n", encoding="utf-8")
    return path


def test_the_figures_of_several_runs_come_together(tmp_path: Path) -> None:
    files = [run_file(tmp_path / f"{ms}.json", "scale", search={"ms": ms}) for ms in (2, 4)]
    assert read(files) == ("scale", {"search.ms": [2.0, 4.0]})


def test_every_number_has_a_path_and_nothing_else_has() -> None:
    found = dict(leaves({"a": [1, {"b": 2.5}], "same": True, "name": "x", "none": None}))
    assert found == {"a.0": 1.0, "a.1.b": 2.5}


def test_a_ratio_spans_all_pairs_of_runs() -> None:
    assert ratios([2.0, 4.0], [6.0]) == (2.0, 1.5, 3.0)
    assert ratios([0.0], [1.0]) is None


def test_runs_of_different_benchmarks_are_not_compared(tmp_path: Path) -> None:
    files = [run_file(tmp_path / f"{name}.json", name, ms=1) for name in ("scale", "serve")]
    with pytest.raises(SystemExit, match="scale, serve"):
        read(files)


def test_the_tool_names_every_benchmark_and_no_other() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    listed = {line.split()[0] for line in done.stdout.splitlines() if line.startswith("  ")}
    there = {name for name, (m, _) in BENCHMARKS.items() if find_spec(f"benchmarks.{m}")}
    assert there <= listed
    modules = {f.stem for f in (ROOT / "benchmarks").glob("[a-z]*.py")}
    assert modules <= {module for module, _ in BENCHMARKS.values()}


PEER = """
import sys
from benchmarks._peer import serve

class Echo:
    def __init__(self, model, store):
        print("libraries print")

    def ingest(self, pdfs):
        print(len(bytearray(20 << 20)))
        return len(pdfs)

    def search(self, question, k):
        if question == "crash":
            sys.exit("no more")
        return [("a.pdf", 1), ("a.pdf", 2)][:k]

serve(Echo, "psutil")
"""


def asked(question: str, page: int) -> Question:
    gold = frozenset({("a.pdf", page)})
    return Question(question, question, (), (), gold, True, "a.pdf", None, None)


def test_a_peer_is_asked_in_a_process_of_its_own(tmp_path: Path) -> None:
    questions = [asked("first", 1), asked("second", 2), asked("never", 3)]
    command = [sys.executable, "-c", PEER, "model", "store"]
    found = peers.run(command, tmp_path / "log", [tmp_path / "a.pdf"], questions)
    assert found.chunks == 1
    assert found.peak_mb > 1
    assert list(found.versions) == ["psutil"]
    assert (tmp_path / "log").read_text() == f"libraries print\n{20 << 20}\n"
    figures = peers.summed([found, found], questions)
    assert figures["page@1"] == pytest.approx(100 / 3)
    assert figures["page@5"] == pytest.approx(200 / 3)
    assert figures["mrr@10"] == pytest.approx(50)


def test_a_peer_that_ends_early_names_its_log(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PEER, "model", "store"]
    with pytest.raises(peers.PeerFailed, match="log"):
        peers.run(command, tmp_path / "log", [], [asked("crash", 1)])
    assert "no more" in (tmp_path / "log").read_text()


def test_a_block_of_the_made_up_corpus_follows_from_its_number() -> None:
    corpus = Corpus(rows=ROWS_A_BLOCK + 250, words=8, dimensions=16)
    assert corpus.blocks == 2
    last, again = corpus.block(1), Corpus(ROWS_A_BLOCK + 250, 8, 16).block(1)
    assert [len(addition.chunks) for addition in last] == [100, 100, 50]
    assert [addition.chunks for addition in last] == [addition.chunks for addition in again]
    assert (last[2].vectors == again[2].vectors).all()
    assert np.linalg.norm(last[2].vectors, axis=1) == pytest.approx(np.ones(50), abs=1e-5)
    assert last[2].document.id == document_id(ROWS_A_BLOCK + 249)


def test_made_up_words_are_as_common_as_those_of_english() -> None:
    texts = Words().draw(2000, 100, np.random.default_rng(0))
    counts = Counter(word for text in texts for word in text.split())
    ranked = [count / 200_000 for _, count in counts.most_common()]
    assert ranked[0] / ranked[9] == pytest.approx((10 + 2.7) / (1 + 2.7), rel=0.1)
    assert 0.15 < sum(counts[word] for word in STOP_WORDS) / 200_000 < 0.25
