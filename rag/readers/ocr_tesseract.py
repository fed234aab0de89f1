"""OCR by the Tesseract command, where it is installed."""

from __future__ import annotations

import csv
import io
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from statistics import fmean
from typing import ClassVar, Self

from rag.readers.lines import RawWord
from rag.readers.ocr_engine import Picture, SeenLine

_SECONDS = 30.0  # for one picture; a page takes about one
_MIN_CONFIDENCE = 30.0  # per cent


@dataclass(frozen=True, slots=True)
class Tesseract:
    name: ClassVar[str] = "tesseract"
    command: str

    @classmethod
    def find(cls) -> Self | None:
        command = shutil.which("tesseract")
        return cls(command) if command else None

    @property
    def version(self) -> str:
        return f"Tesseract ({self.command})"

    def read(self, picture: Picture, language: str) -> list[SeenLine] | None:
        options = ["-l", language, "--psm", "3", "tsv"]
        table = _run([self.command, "stdin", "stdout", *options], picture)
        if table is None:
            return None
        rows = csv.DictReader(io.StringIO(table), delimiter="\t", quoting=csv.QUOTE_NONE)
        return _lines([row for row in rows if (row["text"] or "").strip()])

    def turn(self, picture: Picture) -> int:
        report = _run([self.command, "stdin", "stdout", "--psm", "0"], picture) or ""
        degrees = re.search(r"Rotate: (\d+)", report)
        sure = re.search(r"Orientation confidence: ([\d.]+)", report)
        if degrees is None or sure is None or float(sure[1]) < 1:
            return 0
        return int(degrees[1]) % 360


def _run(command: list[str], picture: Picture) -> str | None:
    """What Tesseract prints for the picture; one thread, since workers run side by side."""
    try:
        done = subprocess.run(
            command,
            input=picture.pixmap.tobytes("png"),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_SECONDS,
            env={**os.environ, "OMP_THREAD_LIMIT": "1"},
            check=False,
        )
    except (subprocess.TimeoutExpired, OSError):
        return None
    return done.stdout.decode("utf-8", errors="replace") if done.returncode == 0 else None


def _lines(rows: list[dict[str, str]]) -> list[SeenLine]:
    lines: dict[tuple[str, ...], list[tuple[RawWord, float]]] = {}
    for row in rows:
        confidence = float(row["conf"])
        if confidence < _MIN_CONFIDENCE:
            continue
        x, y, width, height = (int(row[name]) for name in ("left", "top", "width", "height"))
        key = (row["block_num"], row["par_num"], row["line_num"])
        word = (x, y, x + width, y + height, row["text"].strip())
        lines.setdefault(key, []).append((word, confidence / 100))
    return [SeenLine([w for w, _ in found], fmean(c for _, c in found)) for found in lines.values()]
