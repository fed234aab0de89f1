"""Answers that begin with the passages' own sentences, and what follows them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from asking import events_of, pipeline_over

from rag.answering.conversation import Conversation
from rag.answering.quotes_first import quotes_first
from rag.config import Settings
from rag.events import Delta, Quoted
from rag.options import AskOptions, QuotesMode
from rag.testing import FakeEngine
from rag.types import Answer
from rag.verification.ground import ground
from tests.test_grounding import setting

PAGES = {
    "lease.pdf": ["The yearly rent is 12,000 crowns. Dogs must be on a lead.", "It ends in May."]
}
QUESTION = "How high is the yearly rent?"
RIGHT = "The rent is 12,000 crowns yearly. [1] It ends in May. [2]"
WRONG = "The yearly rent is 13,000 crowns. [1]"


async def asked(
    settings: Settings,
    engine: FakeEngine,
    quotes: QuotesMode | bool | None,
    question: str = QUESTION,
) -> tuple[list[Quoted], Answer]:
    async with pipeline_over(settings, engine, PAGES) as pipeline:
        events, done = await events_of(pipeline, question, options=AskOptions(quotes=quotes))
    return [event for event in events if isinstance(event, Quoted)], done.answer


async def test_verified_words_stand_behind_the_quotes(settings: Settings) -> None:
    [quoted], answer = await asked(settings, FakeEngine(RIGHT), "first")
    assert answer.text.startswith(quoted.text + "\n\n")
    assert answer.text[: answer.quoted] == quoted.text
    assert answer.text[answer.quoted :].lstrip().startswith("The rent is 12,000 crowns yearly. [1]")
    assert quoted.text.startswith("The yearly rent is 12,000 crowns. [1]")
    assert all(claim.sources for claim in answer.claims)
    shown = [answer.text[claim.start : claim.end] for claim in answer.claims]
    assert "The rent is 12,000 crowns yearly." in " ".join(shown)
    assert [c.number for c in answer.citations] == list(range(1, len(answer.citations) + 1))


async def test_words_that_are_not_verified_are_left_out(settings: Settings) -> None:
    [quoted], answer = await asked(settings, FakeEngine(WRONG), "first")
    assert answer.text == quoted.text
    assert answer.citations == quoted.citations
    assert "13,000" not in answer.text


async def test_a_model_that_refuses_does_not_take_the_quotes_back(settings: Settings) -> None:
    [quoted], answer = await asked(settings, FakeEngine("The documents do not say."), "first")
    assert not answer.refused
    assert answer.text == quoted.text


async def test_words_that_only_repeat_the_quotes_are_left_out(settings: Settings) -> None:
    [quoted], answer = await asked(
        settings, FakeEngine("The yearly rent is **12,000** crowns."), "first"
    )
    assert answer.text == quoted.text


@pytest.mark.parametrize("mode", ["auto", None])
@pytest.mark.parametrize("capable", [True, False])
async def test_auto_goes_by_what_was_measured(
    settings: Settings, mode: QuotesMode | None, capable: bool
) -> None:
    engine = FakeEngine(RIGHT, fingerprint="" if capable else "poor")
    own = settings.model_copy(update={"cache": settings.home / "cache"})
    quoted, answer = await asked(own, engine, mode)
    assert bool(quoted) is not capable
    assert bool(answer.quoted) is not capable


async def test_quotes_come_before_the_model_is_asked(settings: Settings) -> None:
    engine = FakeEngine(RIGHT)
    async with pipeline_over(settings, engine, PAGES) as pipeline:
        events = pipeline.ask(QUESTION, options=AskOptions(quotes="first"))
        async for event in events:
            if isinstance(event, Quoted):
                assert engine.calls == []
                break
            assert not isinstance(event, Delta)
        else:
            pytest.fail("no quotes")
        await events.aclose()


@pytest.mark.parametrize("quotes", [False, "off"])
async def test_without_quotes_the_models_words_stand_alone(
    settings: Settings, quotes: QuotesMode | bool
) -> None:
    quoted, answer = await asked(settings, FakeEngine(RIGHT, fingerprint="poor"), quotes)
    assert quoted == []
    assert answer.quoted == 0
    assert answer.text.startswith("The rent is 12,000 crowns yearly. [1]")


@pytest.mark.parametrize("question", ["Summarise all documents.", "List every fee."])
async def test_a_broad_question_begins_with_no_quotes(settings: Settings, question: str) -> None:
    quoted, _ = await asked(settings, FakeEngine(RIGHT), "first", question)
    assert quoted == []


@pytest.mark.parametrize(("said", "kept"), [(WRONG, False), (RIGHT, True)])
async def test_the_conversation_keeps_the_models_words_only_where_they_are_shown(
    settings: Settings, said: str, kept: bool
) -> None:
    conversation = Conversation()
    async with pipeline_over(settings, FakeEngine(said), PAGES) as pipeline:
        options = AskOptions(quotes="first")
        await events_of(pipeline, QUESTION, conversation=conversation, options=options)
    [turn] = conversation.turns
    assert (turn.answer == said) is kept
    assert kept or turn.answer.startswith("The yearly rent is 12,000 crowns.")


def test_words_about_another_document_are_no_answer() -> None:
    """A weak model leaves the question: what it says of another document may be true."""
    hits, pages = setting("A berth costs 5 crowns.", "The chief executive is paid well.")
    document = replace(hits[1].document, id="e")
    apart = [hits[0], replace(hits[1], document=document)]
    places = {("d", 1): pages["d", 1], ("e", 2): pages["d", 2]}
    quotes = ground("A berth costs 5 crowns.", apart, places)
    words = ground("The chief executive is paid well.", apart, places, cited=quotes.citations)
    assert words.claims[0].sources
    assert quotes_first(quotes, words) == quotes


def test_claims_point_to_their_words() -> None:
    hits, pages = setting("A berth costs 5 crowns. Dogs bark. Cats sleep all day.")
    quotes = ground("Dogs bark.", hits, pages)
    words = ground(
        "Cats sleep all day.\n\n| a | b |\n| --- | --- |\n", hits, pages, cited=quotes.citations
    )
    both = quotes_first(quotes, words)
    assert both.text.startswith("Dogs bark. [1]\n\nCats sleep all day. [2]")
    said = [both.text[claim.start : claim.end] for claim in both.claims]
    assert said == ["Dogs bark.", "Cats sleep all day."]


@pytest.mark.parametrize(
    ("given", "mode"),
    [
        (True, "only"),
        ("TRUE", "only"),
        ("false", "off"),
        (False, "off"),
        ("First", "first"),
        ("auto", "auto"),
    ],
)
def test_the_setting_takes_yes_and_no_too(given: str | bool, mode: str) -> None:
    assert Settings(quotes=given).quotes == mode  # type: ignore[arg-type]
