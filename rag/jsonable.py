"""Our frozen data as JSON: the one form that NDJSON, server-sent events and HTTP share."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

# The metadata of a dataclass's field that stays inside the program.
UNTOLD: Final[Mapping[str, object]] = MappingProxyType({"told": False})


def jsonable(value: Any) -> Any:
    """Dataclasses become objects by field name, tuples arrays, paths strings."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = [f for f in dataclasses.fields(value) if f.metadata.get("told", True)]
        return {field.name: jsonable(getattr(value, field.name)) for field in fields}
    if isinstance(value, Mapping):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [jsonable(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    return value


def to_json(value: Any) -> str:
    """One line of pure ASCII: text from a PDF or a file name may hold terminal escapes, or lone
    surrogates that no encoding takes, and any JSON reader turns `\\u` escapes back."""
    return json.dumps(jsonable(value), ensure_ascii=True)
