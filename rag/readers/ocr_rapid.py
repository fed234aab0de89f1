"""OCR by RapidOCR: PaddleOCR's models in ONNX Runtime, all of it in one Python package.

Its bundled models read Latin, Chinese and Japanese script, whatever the language; other scripts
need Tesseract or Vision.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import math
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from rag.readers.lines import RawWord
from rag.readers.ocr_engine import Picture, SeenLine

_PROBE = 1000  # pixels of the longer side, to find out which way a page lies


@dataclass(frozen=True, slots=True)
class RapidOcr:
    name: ClassVar[str] = "rapidocr"

    @classmethod
    def find(cls) -> Self | None:
        return cls() if importlib.util.find_spec("rapidocr") is not None else None

    @property
    def version(self) -> str:
        return f"RapidOCR {importlib.metadata.version('rapidocr')}"

    def read(self, picture: Picture, language: str) -> list[SeenLine] | None:  # noqa: ARG002
        return _read(_pixels(picture))

    def turn(self, picture: Picture) -> int:
        """The turn of which most is read."""
        larger = max(picture.pixmap.w, picture.pixmap.h) / _PROBE
        pixels = _pixels(picture, max(round(math.log2(larger)), 0))
        sure = {turn: _sureness(_read(np.rot90(pixels, -turn // 90))) for turn in (0, 90, 180, 270)}
        return max(sure, key=lambda turn: sure[turn])


def _sureness(lines: list[SeenLine]) -> float:
    return sum(line.confidence**4 * len(word[4]) for line in lines for word in line.words)


def _pixels(picture: Picture, halvings: int = 0) -> npt.NDArray[np.uint8]:
    import pymupdf

    pixmap = picture.pixmap
    if halvings:
        pixmap = pymupdf.Pixmap(pixmap)
        pixmap.shrink(halvings)
    rows = np.frombuffer(pixmap.samples, np.uint8).reshape(pixmap.h, pixmap.stride)
    return rows[:, : pixmap.w]


def _read(pixels: npt.NDArray[np.uint8]) -> list[SeenLine]:
    found = _model()(np.ascontiguousarray(np.repeat(pixels[:, :, None], 3, axis=2)))
    if not found.word_results:
        return []
    return [
        SeenLine(words, confidence) for words, confidence in map(_line, found.word_results) if words
    ]


def _line(words: Any) -> tuple[list[RawWord], float]:
    boxes: list[RawWord] = []
    for text, _, corners in words:
        xs, ys = zip(*corners, strict=True)
        if text.strip():
            boxes.append((min(xs), min(ys), max(xs), max(ys), text.strip()))
    return boxes, min((float(score) for _, score, _ in words), default=0.0)


@cache
def _model() -> Any:
    """Loaded once a process (270 MB with OpenCV); one thread, since workers run side by side."""
    from rapidocr import RapidOCR

    threads = "EngineConfig.onnxruntime"
    return RapidOCR(
        params={
            f"{threads}.intra_op_num_threads": 1,
            f"{threads}.inter_op_num_threads": 1,
            "Global.log_level": "error",
            "Global.return_word_box": True,
        }
    )
