"""All benchmarks as one tool.

    uv run python -m benchmarks NAME [options]      (NAME --help says which)
    uv run python -m benchmarks compare before.json after.json

Each prints tables, then one JSON line: `… | tail -n 1 > after.json` keeps it.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec

# Name: module, and what it measures.
BENCHMARKS = {
    "extraction": ("extraction", "what reading keeps: words, order, tables; OCR"),
    "ingest": ("ingest", "files to index: stages, change, survival"),
    "embedding": ("embedding", "texts a second, by backend"),
    "vector-index": ("vector_index", "kinds of vector index: latency and recall"),
    "retrieval": ("retrieval", "quality and time of each list and rule"),
    "scale": ("scale", "search against corpus size"),
    "answers": ("answers", "how good answers are, what chats and whole documents cost"),
    "quotes": ("quotes", "answers in the passages' own sentences, without a model"),
    "prompts": ("prompts", "what a model is given: passages or sentences"),
    "arithmetic": ("arithmetic", "questions that want arithmetic, computed without a model"),
    "refusal": ("refusal", "refusing before a word is written"),
    "support": ("support", "labelled claims: what is cited, what is caught"),
    "train-verifier": ("train_verifier", "the weights of the bundled verifier"),
    "support-threshold": ("support_threshold", "the share of words that supports a sentence"),
    "serve": ("serve", "many readers at once"),
    "gpu": ("gpu", "embedding and answers on a GPU"),
    "gpu-whole": ("gpu_whole", "a whole document on a GPU, parts at once"),
    "prefill": ("prefill", "a prompt read on a CPU: operators, ours against MLX"),
    "prefix-cache": ("prefix_cache", "follow-ups after a restart; the cache in fewer bits"),
    "cold-start": ("cold_start", "commands from cold processes"),
    "peers": ("peers", "side by side with other programs"),
    "languages": ("languages", "XQuAD as PDFs with their questions, for retrieval"),
    "multilingual-e5": ("multilingual_e5", "another embedder to measure with, converted"),
    "compare": ("compare", "ratios of two runs"),
}


def main() -> None:
    """Hand over to the benchmark that the first argument names."""
    found = {
        name: (f"benchmarks.{module}", brief)
        for name, (module, brief) in BENCHMARKS.items()
        if find_spec(f"benchmarks.{module}")
    }
    name = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if name not in found:
        lines = [f"  {each:19}{brief}" for each, (_, brief) in found.items()]
        print("\n".join([(__doc__ or "").strip(), "", *lines]))
        raise SystemExit(0 if name in ("-h", "--help") else 2)
    module = import_module(found[name][0])
    sys.argv = [f"{sys.argv[0]} {name}", *sys.argv[2:]]
    module.main()


if __name__ == "__main__":
    main()
