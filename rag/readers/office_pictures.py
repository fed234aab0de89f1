"""Pictures in office files, which are not read: how many may hold text."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

_A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_DRAWN = "{http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing}"
_SLIDE = "{http://schemas.openxmlformats.org/presentationml/2006/main}"
_LEAST = (2 * 914_400, 914_400)  # width and height in EMU, 914,400 an inch; logos are smaller


def warning_of(roots: Iterable[Any]) -> tuple[str, ...]:
    """Of the XML of a text or of slides: the large pictures in it, if there are any."""
    large = sum(_is_large(picture) for root in roots for picture in _pictures(root))
    if not large:
        return ()
    return (f"pictures not read: {large}; exported as PDF, they are read by OCR",)


def _pictures(root: Any) -> Iterable[Any]:
    for picture in root.iter(f"{_DRAWN}inline", f"{_DRAWN}anchor", f"{_SLIDE}pic"):
        if next(picture.iter(f"{_A}blip"), None) is not None:
            yield picture


def _is_large(picture: Any) -> bool:
    """By its size on the page; without one it has its placeholder's, which is large."""
    size = next(picture.iter(f"{_DRAWN}extent", f"{_A}ext"), None)
    try:
        return size is None or all(
            int(size.get(side, least)) >= least
            for side, least in zip(("cx", "cy"), _LEAST, strict=True)
        )
    except ValueError:
        return False
