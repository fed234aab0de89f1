"""A conversation through the pipeline: prompts grow, refused turns count, citations stay honest."""

from __future__ import annotations

import pytest
from asking import events_of, pipeline_over

from rag.calibration import BUNDLED
from rag.config import Settings
from rag.events import Retrieved
from rag.pipeline import AskOptions, Conversation
from rag.testing import FakeEngine
from rag.types import Message

PAGES = {
    "lease": [
        "The yearly rent of the wharf is 4,200 crowns.",
        "The deposit of the wharf is 900 crowns.",
        "Dogs may not enter the wharf at night.",
    ],
    "boats": ["The green boat won the harbour race in May.", "The red boat sank in June."],
}
QUESTIONS = ["How high is the yearly rent of the wharf?", "And the deposit?", "May dogs enter?"]


async def test_every_prompt_continues_the_one_before(settings: Settings) -> None:
    engine = FakeEngine("The yearly rent of the wharf is 4,200 crowns. [1]")
    conversation = Conversation()
    async with pipeline_over(settings, engine, PAGES) as pipeline:
        for question in QUESTIONS:
            await events_of(pipeline, question, conversation=conversation, options=AskOptions(k=2))
    said = Message("assistant", "The yearly rent of the wharf is 4,200 crowns. [1]")
    for before, after in zip(engine.calls, engine.calls[1:], strict=False):
        assert after[: len(before) + 1] == (*before, said)
    assert [turn.question for turn in conversation.turns] == QUESTIONS


async def test_a_restored_conversation_goes_on_where_it_was(settings: Settings) -> None:
    engine, conversation = FakeEngine("Yes. [1]"), Conversation()
    async with pipeline_over(settings, engine, PAGES) as pipeline:
        await events_of(pipeline, QUESTIONS[0], conversation=conversation)
        kept = [turn.to_json() for turn in conversation.turns]
        restored = Conversation(type(conversation.turns[0]).from_json(turn) for turn in kept)
        await events_of(pipeline, QUESTIONS[1], conversation=conversation)
        await events_of(pipeline, QUESTIONS[1], conversation=restored)
    assert engine.calls[1] == engine.calls[2]


async def test_a_passage_referred_to_can_be_cited(settings: Settings) -> None:
    engine, conversation = (
        FakeEngine("The yearly rent of the wharf is 4,200 crowns."),
        Conversation(),
    )
    async with pipeline_over(settings, engine, PAGES) as pipeline:
        await events_of(pipeline, QUESTIONS[0], conversation=conversation)
        _, done = await events_of(
            pipeline, "Was the yearly rent 4,200 crowns?", conversation=conversation
        )
    newest = engine.calls[-1][-1].content
    assert "4,200" not in newest.partition("Question:")[0]
    assert "See also above" in newest
    assert [citation.page for citation in done.answer.citations] == [1]


async def test_an_earlier_passage_that_is_not_referred_to_cannot(settings: Settings) -> None:
    engine, conversation = (
        FakeEngine("The yearly rent of the wharf is 4,200 crowns. [1]"),
        Conversation(),
    )
    one = AskOptions(k=1, whole=False)
    async with pipeline_over(settings, engine, PAGES) as pipeline:
        await events_of(pipeline, QUESTIONS[0], conversation=conversation, options=one)
        _, done = await events_of(
            pipeline,
            "The green boat won the harbour race in May?",
            conversation=conversation,
            documents=("boats",),
            options=one,
        )
    assert "4,200" in engine.calls[-1][1].content
    assert done.answer.citations == ()


async def test_the_question_that_is_searched_for_is_told(settings: Settings) -> None:
    conversation = Conversation()
    async with pipeline_over(settings, FakeEngine("Yes."), PAGES) as pipeline:
        await events_of(pipeline, QUESTIONS[0], conversation=conversation)
        events, done = await events_of(pipeline, "And the deposit?", conversation=conversation)
    first = events[0]
    assert isinstance(first, Retrieved)
    assert first.search_text == done.answer.search_text
    assert "wharf" in first.search_text


async def test_what_the_documents_do_not_hold_is_refused_unasked(settings: Settings) -> None:
    engine, conversation = FakeEngine("Made up."), Conversation()
    sure = settings.model_copy(update={"refusal_threshold": 0.99})
    async with pipeline_over(sure, engine, PAGES, embedder=BUNDLED) as pipeline:
        _, done = await events_of(pipeline, "Who is the pope?", conversation=conversation)
    assert engine.calls == []
    assert done.answer.refused
    assert "Looked for: Who is the pope?" in done.answer.text
    assert ", page " in done.answer.text
    assert [turn.question for turn in conversation.turns] == ["Who is the pope?"]


@pytest.mark.parametrize(
    "question", ["And who won the Nobel prize of 1987?", "Do they keep yellow cats?"]
)
async def test_a_follow_up_about_something_else_is_refused_unasked(
    settings: Settings, question: str
) -> None:
    """The passages hold all the names that are carried over, and none of the question's own."""
    pages = ["The yearly rent of Kestrel Wharf in Hill Road is 4,200 crowns.",
             "Northwind Energy leases Kestrel Wharf from Ada Thew.", PAGES["lease"][2]]  # fmt: skip
    first = "Does Northwind Energy pay 4,200 crowns of rent for Kestrel Wharf in Hill Road?"
    engine, conversation = FakeEngine("Made up."), Conversation()
    strict = settings.model_copy(update={"refusal_threshold": 0.35})
    documents = {"lease": pages, "boats": PAGES["boats"]}
    async with pipeline_over(strict, engine, documents, embedder=BUNDLED) as pipeline:
        await events_of(pipeline, first, conversation=conversation)
        assert len(engine.calls) == 1
        _, other = await events_of(pipeline, question, conversation=conversation)
        assert other.answer.refused
        assert len(engine.calls) == 1


async def test_a_follow_up_that_leans_on_the_question_before_is_answered(
    settings: Settings,
) -> None:
    engine, conversation = FakeEngine("900 crowns."), Conversation()
    strict = settings.model_copy(update={"refusal_threshold": 0.35})
    async with pipeline_over(strict, engine, PAGES, embedder=BUNDLED) as pipeline:
        await events_of(pipeline, QUESTIONS[0], conversation=conversation)
        await events_of(pipeline, "And the deposit?", conversation=conversation)
    assert len(engine.calls) == 2


async def test_an_unsupported_answer_to_an_unlikely_question_is_taken_back(
    settings: Settings,
) -> None:
    engine = FakeEngine("The pope is Otto the Ninth of Lower Saxony.")
    hardly = settings.model_copy(update={"refusal_threshold": 0.001})
    async with pipeline_over(hardly, engine, PAGES, embedder=BUNDLED) as pipeline:
        _, done = await events_of(pipeline, "Who is the pope?")
    assert len(engine.calls) == 1
    assert done.answer.refused
    assert "Otto" not in done.answer.text
    assert "What came nearest" in done.answer.text


async def test_a_threshold_of_0_neither_refuses_nor_takes_back(settings: Settings) -> None:
    engine = FakeEngine("The pope is Otto the Ninth of Lower Saxony.")
    never = settings.model_copy(update={"refusal_threshold": 0.0})
    async with pipeline_over(never, engine, PAGES, embedder=BUNDLED) as pipeline:
        _, done = await events_of(pipeline, "Who is the pope?")
    assert not done.answer.refused
    assert done.answer.text == "The pope is Otto the Ninth of Lower Saxony."


async def test_a_model_that_the_rule_was_not_fitted_to_refuses_nothing_unasked(
    settings: Settings,
) -> None:
    engine = FakeEngine("The red boat sank in June.")
    sure = settings.model_copy(update={"refusal_threshold": 1.0})
    async with pipeline_over(sure, engine, PAGES) as pipeline:
        _, done = await events_of(pipeline, "Which boat sank in June?")
    assert not done.answer.refused
