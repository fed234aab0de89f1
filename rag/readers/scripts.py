"""What scripts ask of reading."""

from __future__ import annotations


def is_dense(char: str) -> bool:
    """Scripts written without spaces between words (Chinese, Japanese)."""
    return (
        "\u3000" <= char <= "\u30ff" or "\u3400" <= char <= "\u9fff" or "\uff00" <= char <= "\uffef"
    )
