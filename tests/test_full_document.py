"""Documents read whole: every page once, in one prompt or in parts at once, with citations."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from asking import events_of, pipeline_over
from hypothesis import given
from hypothesis import strategies as st
from store_factory import addition, unit

from rag.answering.full_document import is_broad, is_list, page_hits, parts
from rag.config import Settings
from rag.events import MapProgress
from rag.pipeline import AskOptions, Conversation, Scope
from rag.testing import FakeEngine
from rag.types import Hit, Message

SHORT = {
    "lease": ["The rent is 4,200 crowns.", "The deposit is 900 crowns.", "Dogs stay outside."],
    "boats": ["The green boat won the race."],
}
ROOMS = [f"Room {n} holds {n * 7} old chairs. " + "Dust lies there. " * 60 for n in range(1, 13)]


def words(hit: Hit) -> int:
    return len(hit.chunk.text.split())


def one_room_each(messages: Sequence[Message]) -> str:
    """Says of each room in a part how many chairs it holds."""
    found = [n for n in range(1, 13) if f"Room {n} holds" in messages[-1].content]
    return "\n".join(f"- Room {n} holds {n * 7} old chairs." for n in found) or "Nothing."


@pytest.mark.parametrize(
    "question",
    ["Summarise the lease", "list every fine", "Compare both years", "Fasse den Bericht zusammen"],
)
def test_questions_about_all_of_a_text(question: str) -> None:
    assert is_broad(question)


@pytest.mark.parametrize("question", ["How high is the rent?", "Is every dog allowed in?"])
def test_questions_about_a_place_in_it(question: str) -> None:
    assert not is_broad(question)


def test_only_a_list_must_leave_nothing_out() -> None:
    assert is_list("List all rooms")
    assert not is_list("Summarise the rooms")


@given(st.lists(st.integers(0, 30), max_size=12), st.integers(5, 40))
def test_parts_hold_every_passage_once_in_order(lengths: list[int], limit: int) -> None:
    texts = [" ".join(["word"] * length) for length in lengths]
    added = addition("d", texts or ["x"], [unit(1, 0, 0, 0)] * max(1, len(texts)))
    hits = page_hits(added.document, added.pages, words, limit)
    groups = parts(hits, [words(hit) for hit in hits], limit)
    assert [index for group in groups for index in group] == list(range(len(hits)))
    assert all(sum(words(hits[i]) for i in group) <= limit or len(group) == 1 for group in groups)
    assert {hit.chunk.first_page for hit in hits} == {
        page.number for page in added.pages if page.text.strip()
    }


async def test_one_short_document_is_given_whole_of_itself(settings: Settings) -> None:
    engine = FakeEngine("The deposit is 900 crowns.")
    async with pipeline_over(settings, engine, SHORT) as pipeline:
        events, done = await events_of(pipeline, "How high is it?", documents=("lease",))
    assert MapProgress(1, 1, 3, 3) in events
    assert all(text in engine.calls[0][-1].content for text in SHORT["lease"])
    assert [citation.page for citation in done.answer.citations] == [2]


async def test_a_document_given_whole_is_not_given_again(settings: Settings) -> None:
    engine, conversation = FakeEngine("The deposit is 900 crowns."), Conversation()
    async with pipeline_over(settings, engine, SHORT) as pipeline:
        for question in ("How high is the deposit?", "Was it 900 crowns?"):
            _, done = await events_of(
                pipeline, question, documents=("lease",), conversation=conversation
            )
    first, second = engine.calls
    assert second[: len(first)] == first
    assert "See also above: [1], [2], [3]" in second[-1].content
    assert "4,200" not in second[-1].content
    assert [citation.page for citation in done.answer.citations] == [2]


async def test_whole_takes_everything_in_scope(settings: Settings) -> None:
    engine = FakeEngine("The green boat won the race.")
    async with pipeline_over(settings, engine, SHORT) as pipeline:
        events, done = await events_of(pipeline, "Who won?", options=AskOptions(whole=True))
    assert MapProgress(1, 1, 4, 4) in events
    assert [citation.document.name for citation in done.answer.citations] == ["boats"]


async def test_without_a_choice_of_documents_nothing_is_given_whole(settings: Settings) -> None:
    engine = FakeEngine("The rent is 4,200 crowns.")
    async with pipeline_over(settings, engine, SHORT) as pipeline:
        events, _ = await events_of(pipeline, "Summarise the rent", options=AskOptions(k=1))
    assert not any(isinstance(event, MapProgress) for event in events)


async def test_a_long_document_is_read_in_parts_and_nothing_is_left_out(
    settings: Settings,
) -> None:
    engine = FakeEngine(one_room_each, context_tokens=1200)
    small = settings.model_copy(update={"max_tokens": 200})
    async with pipeline_over(small, engine, {"rooms": ROOMS}) as pipeline:
        events, done = await events_of(
            pipeline, "List every room with its chairs", documents=("rooms",)
        )
    progress = [event for event in events if isinstance(event, MapProgress)]
    assert progress[0].pages_done == 0
    assert (progress[-1].pages_done, progress[-1].pages_total) == (12, 12)
    done_parts = [p.parts_done for p in progress]
    assert done_parts == sorted(done_parts)
    assert done_parts[-1] == progress[-1].parts_total
    assert progress[-1].parts_total > 1
    assert [citation.page for citation in done.answer.citations] == list(range(1, 13))
    assert len(engine.calls) == progress[-1].parts_total


async def test_notes_are_reduced_by_the_model(settings: Settings) -> None:
    def model(messages: Sequence[Message]) -> str:
        notes = messages[-1].content.startswith("Notes:")
        return "Room 3 holds 21 old chairs." if notes else one_room_each(messages)

    engine = FakeEngine(model, context_tokens=1200)
    small = settings.model_copy(update={"max_tokens": 200})
    async with pipeline_over(small, engine, {"rooms": ROOMS}) as pipeline:
        _, done = await events_of(pipeline, "Summarise the rooms", documents=("rooms",))
    assert "Room 12 holds 84 old chairs. [12]" in engine.calls[-1][-1].content
    assert [citation.page for citation in done.answer.citations] == [3]


async def test_inventions_about_a_part_never_reach_the_answer(settings: Settings) -> None:
    engine = FakeEngine("Room 99 holds 5 golden thrones.", context_tokens=1200)
    small = settings.model_copy(update={"max_tokens": 200})
    async with pipeline_over(small, engine, {"rooms": ROOMS}) as pipeline:
        _, done = await events_of(pipeline, "List all thrones", documents=("rooms",))
    assert done.answer.refused
    assert "golden" not in done.answer.text


async def test_stopping_stops_every_part(settings: Settings) -> None:
    engine = FakeEngine(one_room_each, context_tokens=1200, delay_s=0.05)
    small = settings.model_copy(update={"max_tokens": 200})
    async with pipeline_over(small, engine, {"rooms": ROOMS}) as pipeline:
        asked = pipeline.ask("List every room", scope=Scope(("rooms",)))
        async for event in asked:
            if isinstance(event, MapProgress):
                await asyncio.sleep(0.02)
                assert engine.active > 1
                break
        await asked.aclose()
        assert engine.active == 0
        assert engine.closed > 1
