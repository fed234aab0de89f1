"""An embedding model's use, with the name and content that an index remembers it by."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rag.embedders.fingerprint import fingerprint
from rag.errors import ConfigError
from rag.models.embedding_families import Pooling
from rag.models.embedding_use import read_use


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """How texts become vectors with this model."""

    name: str
    content: str  # follows from the weights and from how they are used, not from where they are
    folder: Path
    model_type: str
    pooling: Pooling
    dense: bool  # layers after the pooling, which the MLX model applies itself
    size: int  # dimensions that the model gives
    dimensions: int  # dimensions that are kept
    max_tokens: int  # special tokens and prompt included
    query_prompt: str
    document_prompt: str

    @property
    def id(self) -> str:
        """name@content, and /dimensions where they are cut."""
        cut = f"/{self.dimensions}" if self.dimensions != self.size else ""
        return f"{self.name}@{self.content}{cut}"

    @property
    def tokenizer_file(self) -> Path:
        return self.folder / "tokenizer.json"


def read_model_config(
    folder: Path, name: str, dimensions: int | None = None, *, hub_id: str = ""
) -> ModelConfig:
    """Read a folder in Hugging Face or sentence-transformers layout; look at no whole weights.

    `dimensions` cuts the vectors (Matryoshka). Raises ModelLoadFailed, ConfigError.
    """
    use = read_use(folder, hub_id)
    if dimensions is not None and dimensions > use.size:
        raise ConfigError(
            f"embedding_dimensions is {dimensions}, but {name} gives {use.size}",
            hint=f"Set it to at most {use.size}, or leave it out.",
        )
    how = (use.pooling, use.max_tokens, use.query_prompt, use.document_prompt)
    return ModelConfig(
        name=name,
        content=fingerprint(folder, extra=repr(how)),
        folder=folder,
        model_type=use.model_type,
        pooling=use.pooling,
        dense=use.dense,
        size=use.size,
        dimensions=dimensions or use.size,
        max_tokens=use.max_tokens,
        query_prompt=use.query_prompt,
        document_prompt=use.document_prompt,
    )
