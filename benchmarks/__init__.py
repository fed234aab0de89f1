"""Measurements, each runnable by itself: `uv run python -m benchmarks.NAME --help`."""
