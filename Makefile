.PHONY: setup test lint format demo samples bench constraints

setup:
	uv sync

test:
	uv run pytest

lint:
	uv run ruff check .
	uv run ruff format --check .
	uv run mypy

format:
	uv run ruff check --fix .
	uv run ruff format .

demo:
	uv run rag demo

samples:
	uv run python data/make_samples.py

bench:  # those that need no index and no questions; each prints a table, then one JSON line
	for name in embedding vector-index scale; do uv run python -m benchmarks $$name || exit 1; done

constraints:  # the versions of this environment, whose tests have passed, for installations of the wheel
	{ echo "# The versions that were tested: uv tool install --constraints constraints.txt …"; \
	  echo "# Written by: make constraints"; \
	  uv export --quiet --no-hashes --no-header --no-annotate --no-emit-project --no-default-groups --all-extras \
	  | grep -vE "(;|and) sys_platform == 'never'$$"; } > docs/install/constraints.txt
