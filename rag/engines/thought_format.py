"""How models set their thoughts apart from their answers."""

from __future__ import annotations

from dataclasses import dataclass

# Pairs in the chat templates of models that think: Qwen, DeepSeek, GLM, SmolLM and LFM have the
# first; then Magistral, Seed-OSS, EXAONE, LongCat, Kimi, Apertus, Gemma 4, Cohere.
TAGS = (
    ("<think>", "</think>"),
    ("[THINK]", "[/THINK]"),
    ("<seed:think>", "</seed:think>"),
    ("<thought>", "</thought>"),
    ("<longcat_think>", "</longcat_think>"),
    ("◁think▷", "◁/think▷"),
    ("<|inner_prefix|>", "<|inner_suffix|>"),
    ("<|channel>thought\n", "<channel|>"),
    ("<|channel>thought", "<channel|>"),
    ("<|channel>", "<channel|>"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
)
# Around an answer, and no part of it.
WRAPPERS = ("<|START_RESPONSE|>", "<|END_RESPONSE|>", "<|START_TEXT|>", "<|END_TEXT|>")
MESSAGE = "<|message|>"
HEADERS = ("<|start|>", "<|channel|>")
ENDS = ("<|end|>", "<|return|>", "<|call|>")


@dataclass(frozen=True, slots=True)
class ThoughtFormat:
    """How a model sets its thoughts apart. `certain`: its tokenizer has these markers, so they mean
    what they say wherever they stand; else an opening one counts at the beginning alone, and a
    closing one where its line ends."""

    tags: tuple[tuple[str, str], ...] = ()
    harmony: bool = False
    dropped: tuple[str, ...] = ()
    certain: bool = False

    @property
    def openings(self) -> tuple[str, ...]:
        return tuple(start for start, _ in self.tags) + (HEADERS if self.harmony else ())

    @property
    def markers(self) -> tuple[str, ...]:
        """All texts that are no part of an answer."""
        harmony = (*HEADERS, MESSAGE, *ENDS) if self.harmony else ()
        return (*(mark for pair in self.tags for mark in pair), *self.dropped, *harmony)

    def unclosed(self, text: str) -> str:
        """The closing tag that is to come where a text, as a prompt's end, leaves one open."""
        for start, close in self.tags:
            if text.rstrip().endswith(start):
                return close
        return ""


PLAIN = ThoughtFormat()
# Of a model behind a server, whose template nobody shows us.
ANY = ThoughtFormat(TAGS, harmony=True, dropped=WRAPPERS)
