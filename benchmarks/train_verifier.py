"""Makes the weights of the bundled verifier (rag/verifiers/weights/verifier.safetensors).

    uv run python -m benchmarks train-verifier pack OUT --claims DIR --sets DIR --tables FILE
    python -m benchmarks.verifier.fit OUT OUT check       # where PyTorch and a GPU are; no rag
    uv run python -m benchmarks train-verifier keep OUT/check.npz check.safetensors
    uv run python -m benchmarks train-verifier weigh check.safetensors --claims DIR
    python -m benchmarks.verifier.fit OUT OUT final all=1 # with the held-out quarter
    uv run python -m benchmarks train-verifier keep OUT/final.npz verifier.safetensors

Between the first two, `python -m benchmarks.verifier.teacher MODEL OUT OUT` lets a larger model
read the examples, so that `fit` learns from it as well; the shipped weights were made without it.

`pack` cuts every example to tokens; `weigh` fits how words and reading are weighed (combined.py)
on the quarter that `check` was not trained on. DIR of `--claims` holds ragtruth_*.jsonl,
wice_dev.jsonl and begin_wow.tsv; of `--sets` a folder a set (benchmarks/LOG.md says which, and
their licences).
"""

from __future__ import annotations

import argparse
import lzma
import pickle
import random
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._report import finish, show, tell
from benchmarks.verifier.claims import begin, group_number, responses, wice
from benchmarks.verifier.examples import Example
from benchmarks.verifier.frames import examples, frames
from benchmarks.verifier.sets import public
from benchmarks.verifier.texts import altered, fused, tables
from benchmarks.verifier.weigh import weigh
from rag.config import Settings
from rag.models import registry

_PARAGRAPHS = 3300  # of each file of texts
_FUSED = 700
_FRAMES = 60  # fillings of a frame
_POSITIONS = 320  # as many tokens as a pair can have, and some


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parts = parser.add_subparsers(dest="part", required=True)
    packing = parts.add_parser("pack")
    packing.add_argument("out", type=Path)
    packing.add_argument("--claims", type=Path, required=True)
    packing.add_argument("--sets", type=Path, required=True)
    packing.add_argument("--tables", type=Path, required=True)
    keeping = parts.add_parser("keep")
    keeping.add_argument("weights", type=Path)
    keeping.add_argument("out", type=Path)
    weighing = parts.add_parser("weigh")
    weighing.add_argument("adapter", type=Path)
    weighing.add_argument("--claims", type=Path, required=True)
    given = parser.parse_args()
    if given.part == "pack":
        pack(list(all_examples(given.claims, given.sets, given.tables)), given.out)
    elif given.part == "keep":
        keep(given.weights, given.out)
    else:
        finish("train-verifier", weigh(given.adapter, given.claims))


def all_examples(claims: Path, sets: Path, table_file: Path) -> Iterator[Example]:
    for file in sorted(claims.glob("ragtruth_*.jsonl")):
        yield from responses(file)
    yield from wice(claims / "wice_dev.jsonl")
    yield from begin(claims / "begin_wow.tsv")
    yield from public(sets)
    yield from tables(table_file, random.Random(5))
    yield from altered(sets / "texts", _PARAGRAPHS, random.Random(6))
    yield from fused(sets / "texts", _FUSED, random.Random(8))
    yield from examples(frames(), _FRAMES, random.Random(7))


def pack(found: list[Example], out: Path) -> None:
    """Writes tokens.pkl.xz, texts.pkl.xz and base.npz: MiniLM with the words that occur, ids to
    match."""
    from tokenizers import Tokenizer

    base = registry.embedding_folder(Settings(embedding_model=registry.BUNDLED_EMBEDDING))
    tokenizer = Tokenizer.from_file(str(base / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    texts = {text: number for number, text in enumerate(dict.fromkeys(e.evidence for e in found))}
    claims, claim_sizes = _tokens(tokenizer, [e.claim for e in found])
    evidence, sizes = _tokens(tokenizer, texts)
    used = np.unique(np.concatenate([evidence, claims, np.array([0, 101, 102], np.uint16)]))
    ids = np.zeros(int(used.max()) + 1, np.uint16)
    ids[used] = np.arange(len(used))
    blob = {
        "cl": ids[claims],
        "cll": claim_sizes,
        "ev": ids[evidence],
        "evl": sizes,
        "evi": np.array([texts[e.evidence] for e in found], np.uint32),
        "label": np.array([e.label for e in found], np.uint8),
    }
    meta = {
        "sets": [e.set for e in found],
        "groups": [group_number(e.group) for e in found],
        "kinds": [e.kind for e in found],
        "cls": int(ids[101]),
        "sep": int(ids[102]),
    }
    out.mkdir(parents=True, exist_ok=True)
    with lzma.open(out / "tokens.pkl.xz", "wb", preset=6) as file:
        pickle.dump((blob, meta), file, protocol=5)
    with lzma.open(out / "texts.pkl.xz", "wb", preset=6) as file:
        pickle.dump([(e.claim, e.evidence) for e in found], file, protocol=5)
    np.savez(out / "base.npz", **_base(base, used))
    counts = Counter(e.set for e in found)
    show("Examples", ["set", "n"], [[name, count] for name, count in sorted(counts.items())])


def _tokens(tokenizer: Any, texts: Iterable[str]) -> tuple[Any, Any]:
    encoded = tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
    parts = [np.array(one.ids, np.uint16) for one in encoded]
    return np.concatenate(parts), np.array([len(part) for part in parts], np.uint16)


def _base(folder: Path, used: Any) -> dict[str, Any]:
    from safetensors.numpy import load_file

    weights = {
        name.removeprefix("bert."): value.astype(np.float16)
        for name, value in load_file(folder / "model.safetensors").items()
        if "pooler" not in name and "position_ids" not in name
    }
    words, places = "embeddings.word_embeddings.weight", "embeddings.position_embeddings.weight"
    return weights | {words: weights[words][used], places: weights[places][:_POSITIONS]}


def keep(weights: Path, out: Path) -> None:
    """The adapter as it is shipped: matrices in 8 bits."""
    from safetensors.numpy import save_file

    from rag.verifiers.adapter import packed

    values = {name: value.astype(np.float32) for name, value in np.load(weights).items()}
    save_file({n: np.ascontiguousarray(v) for n, v in packed(values).items()}, out)
    tell(f"{out}: {out.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
