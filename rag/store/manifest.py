"""`index.json`: which tables make up a collection. Replaced as a whole, never edited."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

from rag.errors import IndexCorrupt, IndexMismatch, IndexMissing
from rag.store.schema import FORMAT

NAME = "index.json"
CALIBRATION = "calibration.json"


@dataclass(frozen=True, slots=True)
class Manifest:
    """`chunks` is the table in use, `model` the name its embedder was opened by.

    `retired` tables served before a change of the embedder and are dropped by the next writer.
    `tags` name moments that `Store.open(tag=…)` goes back to: tag → chunks table of that moment.
    `former` are the models of tables that served before: table → model.
    """

    chunks: str
    model: str
    retired: tuple[str, ...] = ()
    tags: dict[str, str] = field(default_factory=dict)
    former: dict[str, str] = field(default_factory=dict)
    format: int = FORMAT

    def model_of(self, tag: str | None) -> str:
        """The embedding model of the collection, or of a moment in its past."""
        return self.former.get(self.tags.get(tag, ""), self.model) if tag else self.model


def read_manifest(directory: Path) -> Manifest:
    """Of this format or an earlier one. Raises IndexMissing, IndexMismatch (made by a newer
    version of this program), IndexCorrupt."""
    path = directory / NAME
    try:
        fields = json.loads(path.read_text())
        found = fields["format"]
        if type(found) is not int or found < 1:
            raise ValueError(f"format {found!r}")
        if found <= FORMAT:
            return Manifest(**{**fields, "retired": tuple(fields.get("retired", ()))})
    except FileNotFoundError:
        name = directory.name
        raise IndexMissing(f"nothing was ingested into the collection {name} yet") from None
    except (ValueError, TypeError, KeyError) as error:
        raise IndexCorrupt(f"{path} is damaged: {error}") from error
    raise IndexMismatch(
        f"a newer version of this program wrote this collection: format {found}, "
        f"and this one knows formats up to {FORMAT}",
        hint="Update this program, or use another collection (--collection).",
    )


def write_manifest(directory: Path, manifest: Manifest) -> None:
    """Put `manifest` in place, atomically and durably."""
    put_in_place(directory / NAME, json.dumps(asdict(manifest), indent=2))


def put_in_place(path: Path, text: str) -> None:
    """Write a whole file over what stands there, atomically and durably."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    with draft.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
