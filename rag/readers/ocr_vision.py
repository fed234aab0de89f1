"""OCR by Apple's Vision, through ocrmac, on macOS."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import sys
from dataclasses import dataclass
from typing import ClassVar, Self

from rag.readers.lines import RawWord
from rag.readers.ocr_engine import Picture, SeenLine

# Tesseract's names, which the setting has, as Vision says them.
_LANGUAGES = {
    "eng": "en-US", "deu": "de-DE", "fra": "fr-FR", "spa": "es-ES", "ita": "it-IT",
    "por": "pt-BR", "rus": "ru-RU", "ukr": "uk-UA", "jpn": "ja-JP", "kor": "ko-KR",
    "ara": "ar-SA", "chi_sim": "zh-Hans", "chi_tra": "zh-Hant", "tha": "th-TH", "vie": "vi-VT",
    "tur": "tr-TR", "pol": "pl-PL", "ces": "cs-CZ", "dan": "da-DK", "nld": "nl-NL",
    "nor": "no-NO", "ron": "ro-RO", "swe": "sv-SE",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Vision:
    name: ClassVar[str] = "vision"

    @classmethod
    def find(cls) -> Self | None:
        there = sys.platform == "darwin" and importlib.util.find_spec("ocrmac") is not None
        return cls() if there else None

    @property
    def version(self) -> str:
        return f"Apple Vision (ocrmac {importlib.metadata.version('ocrmac')})"

    def read(self, picture: Picture, language: str) -> list[SeenLine] | None:
        from ocrmac import ocrmac

        wanted = [_LANGUAGES[name] for name in language.split("+") if name in _LANGUAGES]
        found = ocrmac.OCR(picture.pixmap.pil_image(), language_preference=wanted or None)
        width, height = picture.pixmap.w, picture.pixmap.h
        lines = []
        for text, confidence, (x, y, w, h) in found.recognize():  # shares, from the bottom left
            box = (x * width, (1 - y - h) * height, (x + w) * width, (1 - y) * height)
            if text.strip():
                lines.append(SeenLine(_words(text, box), float(confidence)))
        return lines

    def turn(self, picture: Picture) -> int:  # noqa: ARG002
        return 0  # Vision reads each line whichever way it runs


def _words(text: str, box: tuple[float, float, float, float]) -> list[RawWord]:
    """A line's words, its width shared out by letters."""
    x0, y0, x1, y1 = box
    step = (x1 - x0) / max(len(text), 1)
    words: list[RawWord] = []
    start = 0
    for word in text.split():
        start = text.index(word, start)
        end = start + len(word)
        words.append((x0 + start * step, y0, x0 + end * step, y1, word))
        start = end
    return words
