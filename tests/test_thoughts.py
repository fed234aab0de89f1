"""Thoughts apart from answers, for every way in which a stream can be cut into pieces."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import combinations, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.engines.thought_format import ANY, TAGS, WRAPPERS, ThoughtFormat
from rag.engines.thoughts import ThoughtFilter
from rag.errors import ThoughtsCutOff
from rag.testing import FakeEngine
from rag.types import Message, Piece

ASKED = [Message("user", "How long?")]
OWN = ThoughtFormat(TAGS, dropped=WRAPPERS, certain=True)
HARMONY = ThoughtFormat(harmony=True, certain=True)
GPT_OSS = (
    "<|channel|>analysis<|message|>{thought}<|end|><|start|>assistant"
    "<|channel|>final<|message|>{answer}<|return|>"
)
# As models write them: template, format, and the closing tag where the prompt has the opening one.
WRITTEN: dict[str, tuple[str, ThoughtFormat, str]] = {
    "qwen": ("<think>\n{thought}\n</think>\n\n{answer}", OWN, ""),
    "qwen-server": ("<think>\n{thought}\n</think>\n\n{answer}", ANY, ""),
    "r1": ("{thought}\n</think>\n\n{answer}", OWN, "</think>"),
    "r1-server": ("{thought}\n</think>\n\n{answer}", ANY, ""),
    "magistral": ("[THINK]{thought}[/THINK]{answer}", OWN, ""),
    "gemma": ("<|channel>thought\n{thought}<channel|>{answer}", OWN, ""),
    "seed": ("<seed:think>{thought}</seed:think>{answer}", ANY, ""),
    "cohere": (
        "<|START_THINKING|>{thought}<|END_THINKING|><|START_RESPONSE|>{answer}<|END_RESPONSE|>",
        OWN,
        "",
    ),
    "gpt-oss": (GPT_OSS, HARMONY, ""),
    "gpt-oss-server": (GPT_OSS, ANY, ""),
    "gpt-oss, a commentary": (
        "<|channel|>analysis<|message|>{thought}<|end|><|start|>assistant<|channel|>commentary"
        "<|message|>{thought}<|end|><|start|>assistant<|channel|>final <|constrain|>json<|message|>"
        "{answer}",
        HARMONY,
        "",
    ),
    "twice": ("<think>{thought}</think>\n<think>{thought}</think>{answer}", OWN, ""),
    "late": ("<think>{thought}</think>{answer}<think>{thought}</think>{answer}", OWN, ""),
}


def told(pieces: Sequence[Piece]) -> tuple[str, str]:
    """(answer, thoughts) of what was streamed."""
    answer = thoughts = ""
    for piece in pieces:
        if piece.restart:
            answer, thoughts = "", thoughts + answer
        answer, thoughts = answer + piece.text, thoughts + piece.thought
    return answer, thoughts


def filtered(
    pieces: Sequence[str],
    form: ThoughtFormat,
    inside: str = "",
    *,
    hold: bool = False,
    cut: bool = False,
) -> tuple[str, str]:
    made = ThoughtFilter(form, inside=inside, hold=hold)
    out = [piece for text in pieces for piece in made.feed(text)]
    return told([*out, *made.end(cut=cut)])


def split(text: str, at: Sequence[int]) -> list[str]:
    edges = [0, *sorted(at), len(text)]
    return [text[a:b] for a, b in pairwise(edges)]


@pytest.mark.parametrize("name", WRITTEN)
@pytest.mark.parametrize("hold", [False, True])
def test_each_way_of_writing_at_every_cut(name: str, hold: bool) -> None:
    """All ways to cut the text once or twice, and letter by letter."""
    template, form, inside = WRITTEN[name]
    hold = hold and name == "r1-server"
    text = template.format(thought="Hm < 3 | [so]", answer="Two | <b>years</b> [1].")
    answers = template.count("{answer}")
    cuts = [(), *combinations(range(1, len(text)), 1), *combinations(range(1, len(text), 3), 2)]
    for at in [*cuts, tuple(range(1, len(text)))]:
        answer, thoughts = filtered(split(text, at), form, inside, hold=hold)
        assert answer.strip() == "Two | <b>years</b> [1]." * answers, at
        assert thoughts.count("Hm < 3 | [so]") == template.count("{thought}"), at
        assert "Hm" not in answer, at


MARKS = sorted({*ANY.markers, *OWN.markers}, key=len)
# Markers, their beginnings and endings, and what stands around them.
FRAGMENTS = st.one_of(
    st.sampled_from([*MARKS, "<think>", "</think>", "</think>\n", "<|channel|>final<|message|>"]),
    st.sampled_from(MARKS).flatmap(lambda m: st.integers(1, len(m)).map(lambda n: m[:n])),
    st.sampled_from(MARKS).flatmap(lambda m: st.integers(1, len(m)).map(lambda n: m[-n:])),
    st.sampled_from(["\n", " ", "a", "B.", "final", "thought", "<", "|", "</", "analysis", "é"]),
)
TEXTS = st.lists(FRAGMENTS, max_size=12).map("".join)


@settings(max_examples=600, deadline=None)
@given(
    text=TEXTS,
    cuts=st.lists(st.floats(0, 1), max_size=8),
    form=st.sampled_from([OWN, HARMONY, ANY]),
    inside=st.sampled_from(["", "</think>", "[/THINK]"]),
    hold=st.booleans(),
    ended=st.booleans(),
)
def test_how_a_stream_is_cut_makes_no_difference(
    text: str, cuts: list[float], form: ThoughtFormat, inside: str, hold: bool, ended: bool
) -> None:
    pieces = split(text, [round(share * len(text)) for share in cuts])
    whole = filtered([text], form, inside, hold=hold, cut=ended)
    assert filtered(pieces, form, inside, hold=hold, cut=ended) == whole
    assert filtered(list(text), form, inside, hold=hold, cut=ended) == whole


@settings(max_examples=300, deadline=None)
@given(
    blocks=st.lists(st.tuples(st.text("abc \n<|/[", max_size=9), st.text("XYZ .>]", max_size=9))),
    pair=st.sampled_from([pair for pair in TAGS if "thought" not in pair[0]]),
    cuts=st.lists(st.floats(0, 1), max_size=6),
)
def test_no_letter_of_a_thought_becomes_answer_nor_the_other_way(
    blocks: list[tuple[str, str]], pair: tuple[str, str], cuts: list[float]
) -> None:
    """Small letters are thought, capitals are answered."""
    text = "".join(f"{pair[0]}{thought}{pair[1]}{answer}" for thought, answer in blocks)
    pieces = split(text, [round(share * len(text)) for share in cuts])
    answer, thoughts = filtered(pieces, OWN)
    assert re.sub("[^abc]", "", thoughts) == re.sub("[^abc]", "", "".join(t for t, _ in blocks))
    assert re.sub("[^XYZ]", "", answer) == re.sub("[^XYZ]", "", "".join(a for _, a in blocks))


def test_an_answer_of_a_model_without_thoughts_is_left_alone() -> None:
    text = " \n<think>is a tag</think>, as is </think>\n and <|channel|>\n"
    assert filtered(list(text), ThoughtFormat()) == (text, "")


@pytest.mark.parametrize(
    "text",
    [
        "The template closes with `</think>`, then answers.",
        "Use <think> and </think> around thoughts.",
        "It says: <|channel|>analysis, then <|message|>.",
        "a </think> b </think> c",
    ],
)
def test_a_servers_answer_may_speak_of_tags(text: str) -> None:
    """Where the template is not known, only what stands where thoughts stand is thought."""
    for at in range(len(text)):
        assert filtered(split(text, [at]), ANY) == (text, "")


def test_an_unopened_thought_is_taken_back_or_held_back() -> None:
    text = "First I add.\n</think>\n\nFour."
    made = ThoughtFilter(ANY)
    pieces = [piece for letter in text for piece in made.feed(letter)]
    assert any(piece.text for piece in pieces)  # it was told, for nobody could know
    assert any(piece.restart for piece in pieces)
    assert told([*pieces, *made.end(cut=False)]) == ("Four.", "First I add.\n")
    held = ThoughtFilter(ANY, hold=True)
    out = [piece for letter in text for piece in held.feed(letter)] + held.end(cut=False)
    assert not any(piece.restart for piece in out)
    assert told(out)[0] == "Four."


def test_what_was_held_back_in_vain_is_the_answer_unless_it_was_cut() -> None:
    assert filtered(["Four", "."], ANY, hold=True) == ("Four.", "")
    assert filtered(["Four", "."], ANY, hold=True, cut=True) == ("", "Four.")


# ── streams with limits ───────────────────────────────────────────────────────────────────────


async def heard(engine: FakeEngine, max_tokens: int = 4) -> list[Piece]:
    return [piece async for piece in engine.stream(ASKED, max_tokens=max_tokens, temperature=0)]


def thinker(text: str, *, thinking_tokens: int = 10, inside: str = "") -> FakeEngine:
    return FakeEngine(text, thoughts=OWN, inside=inside, thinking_tokens=thinking_tokens)


async def test_thoughts_do_not_eat_the_answer() -> None:
    pieces = await heard(thinker("<think> a b c d e f </think> one two three four"))
    assert told(pieces)[0].split() == ["one", "two", "three", "four"]
    assert pieces[-1].finish is not None
    assert pieces[-1].finish.reason == "stop"


async def test_an_answer_behind_thoughts_has_its_own_limit() -> None:
    pieces = await heard(thinker("<think> a b c </think> one two three four five six"))
    assert told(pieces)[0].split() == ["one", "two", "three", "four"]
    assert pieces[-1].finish is not None
    assert pieces[-1].finish.reason == "length"


@pytest.mark.parametrize(
    ("text", "inside"),
    [
        ("<think> " + "hm " * 40, ""),
        ("hm " * 40, "</think>"),
        ("<think> hm", ""),
        ("<think> hm </think>", ""),
        ("<think> hm </think> \n ", ""),
        ("hm", "</think>"),
    ],
)
async def test_without_an_answer_behind_the_thoughts_it_is_an_error(text: str, inside: str) -> None:
    engine = thinker(text, inside=inside)
    with pytest.raises(ThoughtsCutOff) as caught:
        await heard(engine)
    assert "think" in str(caught.value) or "thought" in str(caught.value)
    assert "thinking_tokens" in caught.value.hint


async def test_thoughts_stop_at_their_limit() -> None:
    engine = thinker("<think> " + "hm " * 400, thinking_tokens=6)
    with pytest.raises(ThoughtsCutOff, match=r"its 6 tokens"):
        await heard(engine)
    assert engine.active == 0
