"""A question that wants arithmetic, asked of an index: computed, cited, without a model."""

from __future__ import annotations

import json

import pytest
from asking import events_of, pipeline_over
from test_arithmetic import FERRIES, GERMAN, SENTENCES

from rag.answering.computation_words import computation_words
from rag.config import Settings
from rag.jsonable import to_json
from rag.options import AskOptions
from rag.testing import FakeEngine
from rag.types import Answer

CHANGE = "What was the change in day tickets from 2030 to 2031?"


async def answer(
    settings: Settings,
    question: str,
    pages: list[str],
    *,
    options: AskOptions | None = None,
    said: str = "Never said.",
) -> tuple[Answer, FakeEngine]:
    engine = FakeEngine(said)
    async with pipeline_over(settings, engine, {"ferries.pdf": pages}) as pipeline:
        events = await events_of(pipeline, question, options=options or AskOptions())
    return events[-1].answer, engine


async def test_the_formula_is_told_with_a_citation_on_each_operand(settings: Settings) -> None:
    found, engine = await answer(settings, CHANGE, ["Dogs must be on a lead.", FERRIES])
    assert engine.calls == []
    assert not found.refused
    first, *operands = found.text.split("\n")
    assert first == "Change: 250 thousand = 1,250 [1] - 1,000 [1]"
    assert [line.rpartition(": ")[2] for line in operands if line] == ["1,250 [1]", "1,000 [1]"]
    (citation,) = found.citations
    assert (citation.page, citation.quote) == (2, "| Day tickets | 1,250 | 1,000 | 800 |")
    assert [found.text[c.start : c.end][:6] for c in found.claims] == ["Change", "Day ti", "Day ti"]
    assert all(claim.sources == (1,) and claim.finding == "supported" for claim in found.claims)


async def test_its_data_is_told_too(settings: Settings) -> None:
    found, _ = await answer(settings, CHANGE, [FERRIES])
    data = json.loads(to_json(found))["computation"]
    assert (data["operation"], data["result"], data["scale"]) == ("change", "250", 3)
    assert data["formula"] == "1,250 - 1,000"
    assert [(one["value"], one["period"], one["citation"]) for one in data["operands"]] == [
        ("1250", "2031", 1),
        ("1000", "2030", 1),
    ]


async def test_a_missing_operand_is_named(settings: Settings) -> None:
    found, engine = await answer(
        settings, "What was the change in day tickets from 2026 to 2031?", [FERRIES]
    )
    assert engine.calls == []
    assert found.text.startswith(
        "This cannot be computed. Not in the passages: Day tickets, 2026.\n\n- Day tickets"
    )
    assert found.computation is not None
    assert found.computation.result is None
    assert [found.text[claim.start : claim.end][-3:] for claim in found.claims] == ["[1]"]


async def test_sentences_are_cited_each(settings: Settings) -> None:
    found, _ = await answer(
        settings, "What was the change in rental income from 2030 to 2031?", [SENTENCES]
    )
    assert found.text.startswith("Change: $1.5 million = $4.5 [1] - $3 [1]")
    assert "Rental income was $4.5 million" in found.citations[0].quote


async def test_the_answer_is_in_the_language_of_the_question(settings: Settings) -> None:
    found, _ = await answer(
        settings, "Wie hoch ist die Veränderung der Umsatzerlöse von 2030 auf 2031?", [GERMAN]
    )
    assert found.text.startswith("Veränderung: 250,5 Tausend = 1.250,5 [1] - 1.000 [1]")


async def test_any_other_question_goes_to_the_model(settings: Settings) -> None:
    found, engine = await answer(settings, "What were day tickets in 2031?", [FERRIES])
    assert len(engine.calls) == 1
    assert found.computation is None


async def test_a_schema_is_filled_by_the_model(settings: Settings) -> None:
    options = AskOptions(schema={"type": "object"})
    found, engine = await answer(settings, CHANGE, [FERRIES], options=options, said="{}")
    assert len(engine.calls) == 1
    assert found.computation is None


@pytest.mark.parametrize("language", ["en", "de", "fr", "es", "it", "nl"])
def test_every_language_has_its_words(language: str) -> None:
    words = computation_words(language)
    assert len(words.names) == 7
    assert words.missing.format("x") != words.missing
