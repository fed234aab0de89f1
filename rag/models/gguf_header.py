"""What the head of a GGUF file says of the model. The package `gguf` takes seconds for it, because
it reads the vocabulary, too."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO, Final

# By number of the type: how struct reads it. 8 is text, 9 a list.
_FORMS: Final = {
    0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q",
    12: "<d",
}  # fmt: skip
_TEXT, _LIST = 8, 9
_LONGEST: Final = 1 << 20  # of a text, in bytes


def facts(file: Path) -> dict[str, object]:
    """Its values in their order, up to the vocabulary. None for what is no GGUF file, or ends too
    soon."""
    found: dict[str, object] = {}
    try:
        with file.open("rb") as source:
            if source.read(4) != b"GGUF":
                return {}
            _version, _tensors, count = struct.unpack("<IQQ", source.read(20))
            for _ in range(count):
                name, kind = _text(source), _number(source, "<I")
                if kind == _LIST or name.startswith("tokenizer."):
                    break
                found[name] = _text(source) if kind == _TEXT else _number(source, _FORMS[kind])
    except (OSError, struct.error, ValueError, KeyError):
        pass
    return found


def _number(source: BinaryIO, form: str) -> int:
    (value,) = struct.unpack(form, source.read(struct.calcsize(form)))
    return value  # type: ignore[no-any-return]


def _text(source: BinaryIO) -> str:
    length = _number(source, "<Q")
    if length > _LONGEST:
        raise ValueError("no text is as long")
    return source.read(length).decode("utf-8")
