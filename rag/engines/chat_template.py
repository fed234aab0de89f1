"""Messages to the tokens that a chat model was trained on."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from rag.engines.thought_format import PLAIN, TAGS, WRAPPERS, ThoughtFormat
from rag.types import Message

if TYPE_CHECKING:
    from mlx_lm.tokenizer_utils import TokenizerWrapper

_EXAMPLE = [Message("user", "Hello")]
_ANSWER = "\u2e3a answer \u2e3a"  # stands for one, to see what a template puts behind it
_TAIL = 16  # tokens of a prompt's end that hold an opening tag, if it ends in one


class ChatTemplate:
    """The chat template of a tokenizer. Encoding is pure: any thread may do it."""

    def __init__(self, tokenizer: TokenizerWrapper, *, thinking: str = "off") -> None:
        """`thinking` is the setting: off, or how much where the template takes that."""
        self.tokenizer = tokenizer
        self._source = _source(tokenizer)
        self._switches = self._accepted(thinking)
        self.format = _format(tokenizer, self._source)
        vocabulary = tokenizer.get_vocab()
        marks = {vocabulary[mark] for mark in self.format.markers if mark in vocabulary}
        # Of the special tokens none but those of thoughts belongs in an answer: the others end it.
        added = {id_ for id_, one in tokenizer.added_tokens_decoder.items() if one.special}
        specials = {*tokenizer.all_special_ids, *added} - marks
        self.stop_ids: list[int] = sorted({*tokenizer.eos_token_ids, *specials})
        ends = tokenizer.eos_token_id
        self.end_id: int = min(tokenizer.eos_token_ids) if ends is None else ends
        self.thinks = self._may_think(thinking)

    def encode(self, messages: Sequence[Message]) -> list[int]:
        """The whole prompt, up to where the assistant begins to speak."""
        from jinja2 import TemplateError

        turns = [{"role": message.role, "content": message.content} for message in messages]
        try:
            tokens = self._apply(turns)
        except TemplateError:  # Gemma's and others' templates know no system role
            tokens = self._apply(_without_system(turns))
        return [int(token) for token in tokens]

    def after_answer(self, message: Message) -> list[int]:
        """What follows an answer: its end, the user's next message, and where the assistant begins
        to speak again. Empty for a template from which that cannot be told."""
        from jinja2 import TemplateError

        turns = [
            {"role": "user", "content": "?"},
            {"role": "assistant", "content": _ANSWER},
            {"role": message.role, "content": message.content},
        ]
        try:
            text = self._apply(turns, tokenize=False)
        except TemplateError:
            return []
        found: list[int] = self._tokens(str(text).partition(_ANSWER)[2])
        return found

    def unclosed(self, prompt: Sequence[int]) -> str:
        """The tag that ends the thoughts which a prompt leaves open; empty where it opens none."""
        return self.format.unclosed(self.tokenizer.decode(list(prompt[-_TAIL:])))

    def closing(self, prompt: Sequence[int]) -> list[int]:
        """Tokens that make a model answer at once, where its prompt has it think: JSON by a schema
        leaves no room for thoughts."""
        text = self.unclosed(prompt) and f"\n{self.unclosed(prompt)}\n\n"
        if self.format.harmony:
            text = "<|channel|>final<|message|>"
        return self._tokens(text)

    def _tokens(self, text: str) -> list[int]:
        found: list[int] = self.tokenizer.encode(text, add_special_tokens=False) if text else []
        return found

    def _apply(self, turns: list[dict[str, str]], *, tokenize: bool = True) -> Any:
        """The ids of the prompt, or its text."""
        return self.tokenizer.apply_chat_template(
            turns, tokenize=tokenize, add_generation_prompt=True, **self._switches
        )

    def _accepted(self, thinking: str) -> dict[str, Any]:
        """What the template is told of thinking: only words that it knows."""
        from jinja2 import TemplateError

        wanted = _switched(thinking, self._source)
        for effort in (wanted.get("reasoning_effort"), "high", None):
            self._switches = wanted if effort is None else {**wanted, "reasoning_effort": effort}
            if effort is None:
                self._switches.pop("reasoning_effort", None)
            with suppress(TemplateError):
                self.encode(_EXAMPLE)
                break
        return self._switches

    def _may_think(self, thinking: str) -> bool:
        """Whether thoughts are to be expected before an answer."""
        if self.format is PLAIN:
            return False
        prompt = self.encode(_EXAMPLE)
        if self.unclosed(prompt) or self.format.harmony:
            return True
        if thinking == "off":
            on = ChatTemplate(self.tokenizer, thinking="high")
            if on.encode(_EXAMPLE) != prompt:  # the template has a switch, and it is off
                return False
        return any(close in self._source for _, close in self.format.tags)


def _switched(thinking: str, source: str) -> dict[str, Any]:
    """The setting in the words of the templates that have any for it."""
    switches: dict[str, Any] = {"enable_thinking": thinking != "off"}
    if "thinking" in source.replace("enable_thinking", ""):  # DeepSeek, Granite
        switches["thinking"] = thinking != "off"
    if "reasoning_effort" in source:
        least = "low" if "<|channel|>" in source else "none"  # gpt-oss cannot do without
        switches["reasoning_effort"] = least if thinking == "off" else thinking
    return switches


def _source(tokenizer: TokenizerWrapper) -> str:
    """The template's text: one, or several by name."""
    template: Any = tokenizer.chat_template
    if isinstance(template, dict):
        return "\n".join(map(str, template.values()))
    return str(template or "")


def _format(tokenizer: TokenizerWrapper, source: str) -> ThoughtFormat:
    """How this model sets its thoughts apart, by its vocabulary, then by its template."""
    vocabulary = tokenizer.get_vocab()
    if "<|channel|>" in vocabulary and "<|message|>" in vocabulary:
        return ThoughtFormat(harmony=True, certain=True)
    tags = [pair for pair in TAGS if {*pair} <= vocabulary.keys()]
    tags += [pair for pair in TAGS if pair[1] in (close for _, close in tags)]
    tags += [pair for pair in TAGS if all(mark in source for mark in pair)]
    if tokenizer.has_thinking:
        tags.append((tokenizer.think_start, tokenizer.think_end))
    if not tags:
        return PLAIN
    dropped = tuple(mark for mark in WRAPPERS if mark in vocabulary)
    dropped += tuple(getattr(tokenizer, "structural_markers", ()))
    return ThoughtFormat(tuple(dict.fromkeys(tags)), dropped=dropped, certain=True)


def _without_system(turns: list[dict[str, str]]) -> list[dict[str, str]]:
    """The system message as the beginning of the message after it."""
    if len(turns) < 2 or turns[0]["role"] != "system":
        return turns
    first, second, *rest = turns
    return [{**second, "content": f"{first['content']}\n\n{second['content']}"}, *rest]
