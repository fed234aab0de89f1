"""Messages to the tokens that a chat model was trained on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rag.types import Message

if TYPE_CHECKING:
    from mlx_lm.tokenizer_utils import TokenizerWrapper


class ChatTemplate:
    """The chat template of a tokenizer. Encoding is pure: any thread may do it."""

    def __init__(self, tokenizer: TokenizerWrapper) -> None:
        self.tokenizer = tokenizer
        # Of the special tokens none belongs in an answer, so each of them ends it.
        self.stop_ids: list[int] = sorted({*tokenizer.eos_token_ids, *tokenizer.all_special_ids})

    def encode(self, messages: Sequence[Message]) -> list[int]:
        """The whole prompt, up to where the assistant begins to speak. Thinking is off."""
        from jinja2 import TemplateError

        turns = [{"role": message.role, "content": message.content} for message in messages]
        try:
            return self._apply(turns)
        except TemplateError:  # Gemma's and others' templates know no system role
            return self._apply(_without_system(turns))

    def _apply(self, turns: list[dict[str, str]]) -> list[int]:
        tokens: list[Any] = self.tokenizer.apply_chat_template(
            turns, add_generation_prompt=True, enable_thinking=False
        )
        return [int(token) for token in tokens]


def _without_system(turns: list[dict[str, str]]) -> list[dict[str, str]]:
    """The system message as the beginning of the message after it."""
    if len(turns) < 2 or turns[0]["role"] != "system":
        return turns
    first, second, *rest = turns
    return [{**second, "content": f"{first['content']}\n\n{second['content']}"}, *rest]
