"""The prompt of a model that was not measured to be capable: sentences instead of passages."""

from __future__ import annotations

import pytest
from asking import events_of, pipeline_over

from rag.answering.conversation import Conversation, Turn
from rag.answering.prompting import Budget
from rag.answering.question_match import QuestionMatch, Sentence
from rag.answering.sentence_prompt import sentence_prompt
from rag.config import Settings
from rag.errors import PromptTooLong
from rag.options import AskOptions
from rag.testing import FakeEngine
from rag.types import Message
from tests.test_grounding import setting

PAGES = {
    "lease.pdf": [
        "The yearly rent is 12,000 crowns. Dogs must be on a lead. The roof is repaired by the"
        " landlord. The lease ends in May."
    ]
}
QUESTION = "How high is the yearly rent?"
RIGHT = "The rent is 12,000 crowns yearly."


def weak(answer: str = RIGHT) -> FakeEngine:
    """One that fails the questions by which models are measured."""
    return FakeEngine(answer, fingerprint="weak")


def own(settings: Settings, **changed: object) -> Settings:
    return settings.model_copy(update={"cache": settings.home / "cache", **changed})


async def told(
    settings: Settings, engine: FakeEngine, options: AskOptions | None = None
) -> tuple[Message, ...]:
    """What the engine was told for the question itself."""
    async with pipeline_over(settings, engine, PAGES) as pipeline:
        await events_of(pipeline, QUESTION, options=options or AskOptions())
    return engine.calls[-1]


async def test_a_weak_model_gets_sentences(settings: Settings) -> None:
    [message] = await told(own(settings), weak())
    assert message.role == "user"
    assert message.content.startswith("The yearly rent is 12,000 crowns.")
    assert message.content.endswith(f"\n\nAnswer in one sentence: {QUESTION}")
    assert "[1]" not in message.content
    assert "lease" not in message.content.splitlines()[0]


async def test_a_capable_model_gets_passages(settings: Settings) -> None:
    system, message = await told(own(settings), FakeEngine(RIGHT))
    assert system.role == "system"
    assert message.content.startswith("Passages:\n\n[1]")


@pytest.mark.parametrize("wanted", ["sentences", "passages"])
async def test_the_setting_goes_before_the_measure(settings: Settings, wanted: str) -> None:
    engine = FakeEngine(RIGHT) if wanted == "sentences" else weak()
    messages = await told(own(settings, prompt=wanted), engine)
    assert messages[-1].content.startswith("Passages:") is (wanted == "passages")


async def test_json_is_filled_in_from_passages(settings: Settings) -> None:
    schema = {"type": "object", "properties": {"rent": {"type": "string"}}}
    messages = await told(own(settings), weak('{"rent": "12,000"}'), AskOptions(schema=schema))
    assert messages[-1].content.startswith("Passages:")


async def test_its_words_are_checked_against_the_passages(settings: Settings) -> None:
    async with pipeline_over(own(settings), weak(), PAGES) as pipeline:
        _, done = await events_of(pipeline, QUESTION, options=AskOptions(quotes="off"))
    assert done.answer.text == f"{RIGHT} [1]"
    assert done.answer.citations[0].page == 1


async def test_a_follow_up_sees_the_turn_before_without_its_sentences(settings: Settings) -> None:
    engine, conversation = weak(), Conversation()
    async with pipeline_over(own(settings), engine, PAGES) as pipeline:
        options = AskOptions(quotes="off")
        await events_of(pipeline, QUESTION, conversation=conversation, options=options)
        await events_of(
            pipeline, "And who repairs the roof?", conversation=conversation, options=options
        )
    asked, answered, message = engine.calls[-1]
    assert asked.content == QUESTION
    assert answered.content == RIGHT
    assert "The roof is repaired by the landlord." in message.content


# ── the budget ────────────────────────────────────────────────────────────────────────────────


def match_of(*texts: str) -> QuestionMatch:
    hits, _ = setting(" ".join(texts))
    near = tuple(
        Sentence(hits[0], text, frozenset(), 0.9 - n / 100) for n, text in enumerate(texts)
    )
    match = QuestionMatch.of(QUESTION, QUESTION, hits)
    return QuestionMatch(
        match.question, match.searched, match.hits, match.weights, match.passages,
        match.sentences, near,
    )  # fmt: skip


def counted(messages: object) -> int:
    assert isinstance(messages, list | tuple)
    return sum(len(message.content.split()) for message in messages)


SENTENCES = ("It is 12,000 crowns.", "Dogs stay outside.", "The roof is new.")


@pytest.mark.parametrize(("room", "kept"), [(100, 3), (17, 2), (14, 1)])
def test_the_best_sentences_that_fit(room: int, kept: int) -> None:
    prompt = sentence_prompt(QUESTION, [], match_of(*SENTENCES), Budget(room, room, counted))
    assert prompt is not None
    assert prompt.tokens <= room
    assert [s in prompt.messages[-1].content for s in SENTENCES] == [n < kept for n in range(3)]


def test_no_room_for_one_sentence_is_an_error() -> None:
    with pytest.raises(PromptTooLong):
        sentence_prompt(QUESTION, [], match_of(*SENTENCES), Budget(8, 8, counted))


def test_no_sentence_is_no_prompt() -> None:
    assert sentence_prompt(QUESTION, [], match_of(), Budget(99, 99, counted)) is None


def test_of_a_long_conversation_the_newest_turns_are_told() -> None:
    turns = [Turn(f"question {n}?", "", f"answer {n}.") for n in range(20)]
    prompt = sentence_prompt(QUESTION, turns, match_of(*SENTENCES), Budget(80, 80, counted))
    assert prompt is not None
    past = prompt.messages[:-1]
    assert [m.content for m in past[-2:]] == ["question 19?", "answer 19."]
    assert counted(past) <= 20
