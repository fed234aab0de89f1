"""What an embedder's cosines are worth in an index: measured, kept, and used by search and
refusal, for embedders whose cosines and languages differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from asking import events_of
from hypothesis import given
from hypothesis import strategies as st
from store_factory import addition

from rag.answering.answerability import ENOUGH
from rag.calibration import (
    FLOOR,
    UNMEASURED,
    Calibration,
    Likeness,
    bare_words,
    known_by_tokens,
    likeness,
)
from rag.collection import another_embedder, hardly_known
from rag.config import Settings
from rag.embedders.base import Vectors
from rag.ingest.calibration import calibrate
from rag.pipeline import Pipeline
from rag.runtime import Runtime
from rag.store import Store, StoreWriter
from rag.testing import FakeEmbedder, FakeEngine

ENGLISH = {
    "lease": [
        "The yearly rent of Kestrel Wharf is 4,200 crowns. It is payable in May at the town hall."
        " The deposit is 900 crowns and goes back thirty days after the keys.",
        "Repairs of the roof and the gutters are for the landlord to pay. Paint and glass are for"
        " the tenant to replace. Neither may cut down the two lime trees in front.",
        "The lease ends after nine years. Either side may end it sooner with six months' notice in"
        " writing. Sheds that the tenant builds stay where they are.",
    ],
    "boats": [
        "The red boat sank in June off the northern lighthouse. All of its cargo went down with the"
        " hull. Divers searched the reef for a week and gave up.",
        "Its captain, Otto Lindqvist, swam ashore at night. He walked home through the marshes"
        " without his boots. His wife had already sold the piano.",
        "The insurers paid for masts and sails. They refused the barrels of salted herring. A judge"
        " in the capital took the merchants' part four winters later.",
    ],
}
RUSSIAN = {
    "аренда": [
        "Годовая арендная плата за пристань составляет четыре тысячи крон. Срок оплаты наступает в"
        " мае каждого года. Залог составляет девятьсот крон и возвращается быстро.",
        "Ремонт крыши и водостоков оплачивает владелец дома. Краску и стекло заменяет сам"
        " арендатор. Никто не вправе рубить две старые липы перед входом.",
    ],
    "лодки": [
        "Красная лодка затонула в июне у северного маяка. Весь её груз ушёл на дно вместе с"
        " корпусом. Водолазы искали её целую неделю и сдались.",
        "Её капитан доплыл до берега тёмной ночью. Он вернулся домой пешком через болота. Его жена"
        " уже продала пианино соседям.",
    ],
}


class NearEmbedder(FakeEmbedder):
    """All its cosines lie above 0.8, as E5's do: a direction that all texts share."""

    def _vector(self, text: str) -> Vectors:
        shared = np.full(self.dimensions, self.dimensions**-0.5, np.float32)
        total = super()._vector(text) + 2.5 * shared
        return np.asarray(total / np.linalg.norm(total), np.float32)


class LatinEmbedder(FakeEmbedder):
    """Spells out what is not in the Latin script, and knows nothing of it."""

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(t.split()) if t.isascii() else len(t) for t in texts]

    def _vector(self, text: str) -> Vectors:
        return super()._vector(text if text.isascii() else f"cyrillic {len(text) % 3}")


async def index(
    settings: Settings, embedder: FakeEmbedder, languages: dict[str, dict[str, list[str]]]
) -> StoreWriter:
    """An index of documents by language, each page a chunk, measured."""
    directory = settings.collection_dir
    store = await StoreWriter.create(directory, embedder.id, embedder.dimensions, "fake")
    additions = []
    for language, documents in languages.items():
        for name, pages in documents.items():
            vectors = list(await embedder.embed_documents(pages))
            additions.append(addition(name, pages, vectors, language=language))
    await store.commit(additions)
    await store.optimize()
    await calibrate(store, embedder)
    return store


# ── the scale ─────────────────────────────────────────────────────────────────────────────────


@given(
    st.floats(-1, 1), st.floats(-1, 1), st.floats(-0.5, 0.9), st.floats(0.01, 0.5)
)  # fmt: skip
def test_a_likeness_lies_between_0_and_1_and_rises_with_the_cosine(
    a: float, b: float, unrelated: float, apart: float
) -> None:
    scale = Likeness(unrelated, unrelated + apart)
    low, high = sorted((a, b))
    assert 0 <= scale.of(low) <= scale.of(high) <= 1
    assert scale.of(unrelated) == 0


def test_two_embedders_that_order_alike_have_one_scale() -> None:
    wide, narrow = Likeness(0.0, 0.6), Likeness(0.75, 0.87)
    assert wide.of(0.3) == pytest.approx(narrow.of(0.81))


def test_a_calibration_is_read_as_it_was_written() -> None:
    made = Calibration("x@1", 7, {"en": Likeness(0.1, 0.6, 0.5), "": Likeness(0.2, 0.5)})
    assert Calibration.read(made.json()) == made


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"languages": 3}', '{"languages": {"en": 1}}'])
def test_what_is_no_calibration_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="no calibration"):
        Calibration.read(text)


def test_a_language_that_was_not_measured_counts_whole_and_is_scaled_as_the_first() -> None:
    made = Calibration("x", 1, {"en": Likeness(0.1, 0.6, 1.0), "ru": Likeness(0.4, 0.5, 0.0)})
    assert (made.known("en"), made.known("ru"), made.known("fi")) == (1.0, FLOOR, 1.0)
    assert made.likeness("fi") == made.languages["en"]


def test_letters_a_token_tell_what_a_tokenizer_knows() -> None:
    words = [bare_words("The 1,200 dogs (and 3 cats) were running, weren't they?")]
    assert not any(char.isdigit() for char in words[0])
    letters = sum(map(str.isalpha, words[0]))
    assert known_by_tokens(words, [letters // 4]) == 1
    assert known_by_tokens(words, [letters]) == 0
    assert known_by_tokens(words, [1]) == 0  # one [UNK] for all of it
    assert known_by_tokens(["夏季剧院位于附近的萨克森花园"], [12]) > 0.5
    assert known_by_tokens([], []) == 0


def test_what_lies_no_nearer_than_others_has_no_scale() -> None:
    flat = np.array([0.5, 0.5], np.float32)
    apart = np.array([0.0, 0.1], np.float32)
    assert likeness(flat, flat, flat, 1.0) is None
    assert likeness(flat[:0], apart, apart, 1.0) is None


def test_documents_that_are_all_alike_do_not_pass_for_unrelated() -> None:
    own, far = np.array([0.7, 0.6], np.float32), np.array([0.0, 0.1], np.float32)
    alike = np.array([0.6, 0.5, 0.55], np.float32)
    scale = likeness(own, alike, far, 1.0)
    assert scale is not None
    assert scale.unrelated < 0.3
    assert scale.of(0.5) > 0.3


# ── measuring ─────────────────────────────────────────────────────────────────────────────────


async def test_an_index_is_measured_by_its_own_sentences(settings: Settings) -> None:
    store = await index(settings, FakeEmbedder(), {"en": ENGLISH})
    made = await store.calibration()
    assert made is not None
    assert made.languages["en"].known == 1
    assert made.languages["en"].own > made.languages["en"].unrelated + 0.3


async def test_a_language_that_the_embedder_does_not_know_counts_little(
    settings: Settings,
) -> None:
    store = await index(settings, LatinEmbedder(), {"en": ENGLISH, "ru": RUSSIAN})
    made = await store.calibration()
    assert made is not None
    assert made.known("en") == 1
    assert made.known("ru") == FLOOR


async def test_one_document_is_measured_against_other_matters(settings: Settings) -> None:
    store = await index(settings, FakeEmbedder(), {"en": {"lease": ENGLISH["lease"]}})
    made = await store.calibration()
    assert made is not None
    assert made.languages["en"].own > made.languages["en"].unrelated


async def test_an_empty_index_and_one_without_sentences_are_no_trouble(settings: Settings) -> None:
    store = await index(settings, FakeEmbedder(), {"en": {"table": ["| 1 | 2 |", "3"]}})
    assert await store.calibration() == Calibration(FakeEmbedder().id, 2, {})


async def test_it_is_measured_again_when_the_index_has_changed_by_a_quarter(
    settings: Settings,
) -> None:
    embedder = FakeEmbedder()
    store = await index(settings, embedder, {"en": ENGLISH})
    calls = embedder.calls
    await calibrate(store, embedder)
    assert embedder.calls == calls
    pages = RUSSIAN["лодки"]
    vectors = list(await embedder.embed_documents(pages))
    await store.commit([addition("лодки", pages, vectors, language="ru")])
    await calibrate(store, embedder)
    made = await store.calibration()
    assert made is not None
    assert (made.chunks, set(made.languages)) == (8, {"en", "ru"})


@pytest.mark.parametrize("text", ["", "{", '{"embedder": "another", "chunks": 6, "languages": {}}'])
async def test_a_damaged_file_or_another_embedders_counts_as_none(
    settings: Settings, text: str
) -> None:
    store = await index(settings, FakeEmbedder(), {"en": ENGLISH})
    Path(store.directory, "calibration.json").write_text(text, encoding="utf-8")
    again = await Store.open(settings.collection_dir)
    assert await again.calibration() is None
    await calibrate(store, FakeEmbedder())
    assert await again.calibration() is not None


async def test_where_most_passages_are_in_other_languages_a_model_is_named(
    settings: Settings,
) -> None:
    russian = {f"{name} {n}": pages for n in range(9) for name, pages in RUSSIAN.items()}
    store = await index(settings, LatinEmbedder(), {"en": ENGLISH, "ru": russian})
    found = await hardly_known(store)
    assert found == {"ru": round(36 / 42, 3)}
    told = another_embedder(found, "fake@1")
    assert told.startswith("fake hardly knows the language of most passages (ru 86%)")
    assert "rag reembed --model intfloat/multilingual-e5-small (a download of 0.5 GB" in told
    itself = another_embedder(found, "intfloat/multilingual-e5-small@1")
    assert "--model Qwen/Qwen3-Embedding" in itself
    assert another_embedder({}, "fake@1") == ""


@pytest.mark.parametrize("copies", [1, 7])
async def test_a_few_foreign_passages_are_no_reason_for_another_model(
    settings: Settings, copies: int
) -> None:
    english = {f"{name} {n}": pages for n in range(copies) for name, pages in ENGLISH.items()}
    store = await index(settings, LatinEmbedder(), {"en": english, "ru": RUSSIAN})
    assert await hardly_known(store) == {}


# ── use ───────────────────────────────────────────────────────────────────────────────────────


async def test_vectors_count_as_much_as_their_language_is_known(settings: Settings) -> None:
    embedder = LatinEmbedder()
    await index(settings, embedder, {"en": ENGLISH, "ru": RUSSIAN})
    pipeline = Pipeline(settings, Runtime(settings, embedder=embedder, engine=FakeEngine()))
    found = (await pipeline.search("Где затонула красная лодка, rent?")).hits
    pipeline.close()
    gains = {hit.document.language: [] for hit in found}
    for hit in found:
        gains[hit.document.language].append(hit.gains["dense"])
    assert max(gains["ru"]) <= FLOOR
    assert found[0].document.name == "лодки"


@pytest.mark.parametrize("embedder", [FakeEmbedder(id="wide"), NearEmbedder(id="near")])
async def test_any_measured_embedder_refuses_what_is_not_there_and_answers_what_is(
    settings: Settings, embedder: FakeEmbedder
) -> None:
    store = await index(settings, embedder, {"en": ENGLISH})
    made = await store.calibration()
    assert made is not None
    store.set_calibration(replace(made, chunks=ENOUGH))
    strict = settings.model_copy(update={"refusal_threshold": 0.3})
    engine = FakeEngine("It is 4,200 crowns.")
    pipeline = Pipeline(strict, Runtime(strict, embedder=embedder, engine=engine))
    _, there = await events_of(pipeline, "How high is the yearly rent of Kestrel Wharf?")
    _, absent = await events_of(pipeline, "Which comet did Halley see from Islington?")
    pipeline.close()
    assert not there.answer.refused
    assert absent.answer.refused
    assert len(engine.calls) == 1


async def test_an_embedder_that_was_not_measured_refuses_nothing_unasked(
    settings: Settings,
) -> None:
    embedder, engine = NearEmbedder(id="near"), FakeEngine("A comet.")
    store = await index(settings, embedder, {"en": ENGLISH})
    Path(store.directory, "calibration.json").unlink()
    pipeline = Pipeline(settings, Runtime(settings, embedder=embedder, engine=engine))
    await events_of(pipeline, "Which comet did Halley see from Islington?")
    pipeline.close()
    assert len(engine.calls) == 1


def test_what_is_unmeasured_has_the_bundled_models_scale_in_any_language() -> None:
    assert UNMEASURED.likeness("xx") == UNMEASURED.likeness("")
