"""Fusion and its rules: pure functions over ranked lists."""

from __future__ import annotations

import asyncio
import string
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from store_factory import addition

from rag.config import Settings, load_settings
from rag.embedders.base import Vectors
from rag.errors import ConfigError
from rag.retrieval.fusion import RetrievalPlan, fuse, gains
from rag.retrieval.named_documents import Titles
from rag.retrieval.query_expansion import FILINGS, expansion, glossary
from rag.retrieval.rank_rules import cover_documents, distinct_pages_first
from rag.retrieval.retrieve import SearchText, retrieve
from rag.store import ChunkRef, Filter, Found, StoreWriter
from rag.testing import FakeEmbedder
from rag.types import Coverage, Document, Hit

PLAN = RetrievalPlan(weights={"dense": 1.0, "full_text": 1.0})
BY_RANK = replace(PLAN, fusion="ranks")


def place(letter: str, page: int = 1, document: str = "d") -> ChunkRef:
    return ChunkRef(1000 - ord(letter), document, ord(letter), page)


def found(*letters: str) -> list[Found]:
    return [Found(place(letter), 1.0 / rank) for rank, letter in enumerate(letters, 1)]


def fused(plan: RetrievalPlan, **lists: list[Found]) -> list[tuple[str, float]]:
    return [(chr(place.ordinal), score) for place, score in fuse(lists, gains(lists, plan))]


def document(title: str, id_: str) -> Document:
    return Document(
        id_, Path(f"/{id_}.pdf"), title, "", 0, 0, 1, 1, "en", Coverage(1, 0, 0, ()), {}, ""
    )


def test_reciprocal_rank_fusion_by_hand() -> None:
    assert fused(BY_RANK, dense=found("a", "b"), full_text=found("b", "c")) == [
        ("b", pytest.approx(1 / 62 + 1 / 61)),
        ("a", pytest.approx(1 / 61)),
        ("c", pytest.approx(1 / 62)),
    ]


def test_score_fusion_by_hand() -> None:
    dense = [Found(place("a"), 0.9), Found(place("b"), 0.8), Found(place("c"), 0.5)]
    text = [Found(place("b"), 12.0), Found(place("d"), 4.0)]
    assert fused(PLAN, dense=dense, full_text=text) == [
        ("b", pytest.approx(0.75 + 1.0)),
        ("a", pytest.approx(1.0)),
        ("c", 0.0),
        ("d", 0.0),
    ]


def test_a_list_of_equal_scores_counts_in_full() -> None:
    text = [Found(place("a"), 3.0), Found(place("b"), 3.0)]
    assert [score for _, score in fused(PLAN, full_text=text)] == [1.0, 1.0]


letters = st.lists(st.sampled_from("abcdefgh"), unique=True, max_size=8)


@given(letters, letters)
def test_fusion_returns_each_chunk_once_best_first(dense: list[str], text: list[str]) -> None:
    both = fused(PLAN, dense=found(*dense), full_text=found(*text))
    assert sorted(letter for letter, _ in both) == sorted({*dense, *text})
    scores = [score for _, score in both]
    assert scores == sorted(scores, reverse=True)


@given(letters)
def test_a_list_alone_keeps_its_order(order: list[str]) -> None:
    assert [id_ for id_, _ in fused(PLAN, dense=found(*order))] == order


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(1, 3)), max_size=12))
def test_distinct_pages_first_loses_nothing_and_keeps_order_within(
    places: list[tuple[str, int]],
) -> None:
    ranked = [(ChunkRef(i, d, i, page), 1.0) for i, (d, page) in enumerate(places)]
    ordered = distinct_pages_first(ranked)
    assert sorted(c.id for c, _ in ordered) == sorted(c.id for c, _ in ranked)
    head = [(c.document_id, c.first_page) for c, _ in ordered[: len(set(places))]]
    assert head == list(dict.fromkeys(places))


LIBRARY = [
    document("Annual report of Northwind Energy 2023", "nw23"),
    document("Annual report of Northwind Energy 2022", "nw22"),
    document("Annual report of Contoso Foods 2023", "co23"),
]


def test_a_question_that_names_a_document_finds_it() -> None:
    assert Titles.of(LIBRARY).named_in("What did Contoso Foods report in 2023?") == ("co23",)


def test_words_that_every_title_has_name_nothing() -> None:
    assert Titles.of(LIBRARY).named_in("What does the annual report of the bank say?") == ()


def test_only_documents_in_scope_can_be_named() -> None:
    assert Titles.of(LIBRARY).within(("nw23", "nw22")).named_in("Contoso Foods 2023") == ()


def test_a_file_name_names_too() -> None:
    odd = replace(LIBRARY[0], id="odd", title="untitled", path=Path("/lease_hillside_road.pdf"))
    assert Titles.of([*LIBRARY, odd]).named_in("rent in the Hillside Road lease") == ("odd",)


FILES = [
    replace(document("", f"{name}_{year}_10K"), title="Annual report")
    for name in ("BESTBUY", "LOCKHEEDMARTIN", "CORNING", "JOHNSON_JOHNSON")
    for year in (2021, 2022)
]


@pytest.mark.parametrize(
    ("question", "named"),
    [
        ("What were Best Buy's sales in 2021?", ("BESTBUY_2021_10K",)),
        ("How many people did Lockheed Martin employ in FY22?", ("LOCKHEEDMARTIN_2022_10K",)),
        ("According to Corning's 10-K for FY2021, what was paid?", ("CORNING_2021_10K",)),
        ("Johnson & Johnson in 2022", ("JOHNSON_JOHNSON_2022_10K",)),
        ("Best Buy in 2021 against 2022", ("BESTBUY_2021_10K", "BESTBUY_2022_10K")),
        # Names that are none: a year alone, a part of a name, a name of another year.
        ("What happened in 2021?", ()),
        ("Is it best to buy in 2030?", ()),
        ("Who is Martin?", ()),
    ],
)
def test_names_run_together_and_short_years_are_names(
    question: str, named: tuple[str, ...]
) -> None:
    assert Titles.of(FILES).named_in(question) == named


# ── documents named, words added ──────────────────────────────────────────────────────────────


def test_each_of_two_named_documents_is_among_the_first() -> None:
    ranked = [(ChunkRef(i, "a", i, i), 1.0 - i / 10) for i in range(6)]
    ranked.append((ChunkRef(9, "b", 0, 1), 0.1))
    covered = cover_documents(ranked, ("a", "b"), 4)
    assert [c.row for c, _ in covered[:4]] == [0, 1, 2, 9]
    assert sorted(c.id for c, _ in covered) == sorted(c.id for c, _ in ranked)


@given(st.lists(st.sampled_from("abc"), max_size=12), st.integers(1, 8))
def test_covering_documents_loses_nothing_and_covers_what_can_be(
    documents: list[str], k: int
) -> None:
    ranked = [(ChunkRef(i, d, i, i), 1.0) for i, d in enumerate(documents)]
    covered = cover_documents(ranked, ("a", "b"), k)
    assert sorted(c.id for c, _ in covered) == sorted(c.id for c, _ in ranked)
    if k >= 4:
        there = {c.document_id for c, _ in covered[:k]}
        assert there >= {"a", "b"} & set(documents)


class Patient(FakeEmbedder):
    """Gives no vector before two are asked for."""

    def __init__(self) -> None:
        super().__init__()
        self._both = asyncio.Barrier(2)

    async def embed_query(self, text: str) -> Vectors:
        await self._both.wait()
        return await super().embed_query(text)


async def test_a_question_and_what_the_glossary_adds_are_embedded_at_once() -> None:
    text, embedder = "What is the EBIT?", FakeEmbedder()
    async with asyncio.timeout(10):
        searched = await SearchText.of(text, Patient(), RetrievalPlan(glossary=FILINGS))
    assert np.array_equal(searched.vector, await embedder.embed_query(text))
    assert searched.with_added is not None
    assert np.array_equal(
        searched.with_added, await embedder.embed_query(f"{text} {searched.added}")
    )
    alone = await SearchText.of("Who is the harbour master?", embedder, RetrievalPlan())
    assert (alone.added, alone.with_added) == ("", None)


def test_the_glossary_adds_the_lines_that_a_ratio_is_made_of() -> None:
    added = expansion("Is the quick ratio of Contoso healthy?", FILINGS)
    assert "total current liabilities" in added
    assert expansion("How do the rapids rate?", FILINGS) == ""
    assert expansion("EBITDA", FILINGS).count("operating income") == 1


# ── the whole search, on a real index ─────────────────────────────────────────────────────────


@pytest.fixture
async def store(tmp_path: Path):
    embedder = FakeEmbedder()
    store = await StoreWriter.create(tmp_path / "c", embedder.id, embedder.dimensions, "fake")
    texts = {
        "harbour": ["The harbour dues rose in March.", "Ships pay the harbour master."],
        "orchard": ["The orchard was planted in March.", "Dues rose; the pickers pay nothing."],
    }
    for name, pages in texts.items():
        vectors = await embedder.embed_documents([f"{name}\n{page}" for page in pages])
        await store.commit([addition(name, pages, list(vectors))])
    await store.optimize()
    yield store
    store.close()


async def search(store: StoreWriter, question: str) -> list[Hit]:
    plan = RetrievalPlan()
    searched = await SearchText.of(question, FakeEmbedder(), plan)
    return await retrieve(searched, store, k=4, where=Filter(), plan=plan)


async def test_a_quoted_phrase_must_stand_as_quoted(store: StoreWriter) -> None:
    hits = await search(store, 'where does it say "dues rose"?')
    quoted = [hit for hit in hits if "phrases" in hit.ranks]
    assert {hit.chunk.text for hit in quoted} == {
        "The harbour dues rose in March.",
        "Dues rose; the pickers pay nothing.",
    }
    assert hits[:2] == quoted


async def test_a_page_that_is_asked_for_comes_first_and_the_others_behind_it(
    store: StoreWriter,
) -> None:
    hits = await search(store, "Who pays on page 2?")
    assert [hit.chunk.first_page for hit in hits] == [2, 2, 1, 1]
    last = await search(store, "When was the orchard planted, on the last page?")
    assert [hit.chunk.first_page for hit in last] == [2, 2, 1, 1]
    nowhere = await search(store, "Who pays the harbour master on page 40?")
    assert nowhere[0].chunk.text == "Ships pay the harbour master."


async def test_a_part_is_found_by_its_label(tmp_path: Path) -> None:
    embedder = FakeEmbedder()
    store = await StoreWriter.create(tmp_path / "c", embedder.id, embedder.dimensions, "fake")
    texts = ["3.1 Rates are high and prices low.", "3.2 Nothing is said.", "Fig. 3 shows prices."]
    texts += [f"Prices and rates of the year {year} in a figure." for year in range(2000, 2012)]
    vectors = await embedder.embed_documents([f"report\n{text}" for text in texts])
    await store.commit([addition("report", texts, list(vectors))])
    await store.optimize()
    section = await search(store, "Which prices and rates are in section 3.2?")
    figure = await search(store, "Which prices and rates of the year are in figure 3?")
    store.close()
    assert "3.2 Nothing is said." in [hit.chunk.text for hit in section[:2]]
    assert "Fig. 3 shows prices." in [hit.chunk.text for hit in figure[:2]]


async def test_a_misspelt_word_still_finds(store: StoreWriter) -> None:
    hits = await search(store, "orchrad")
    assert {hit.document.title for hit in hits if "corrected" in hit.ranks} == {"orchard"}
    assert hits[0].document.title == "orchard"


@pytest.mark.parametrize("kinds", [1, 2, 3, 26])
@pytest.mark.parametrize("length", [40, 41, 48, 2000])
async def test_a_word_of_any_length_can_be_asked_for(
    store: StoreWriter, kinds: int, length: int
) -> None:
    word = (string.ascii_lowercase[-kinds:] * length)[:length]
    hits = await search(store, f"{word} harbour dues")
    assert hits[0].chunk.text == "The harbour dues rose in March."


async def test_every_hit_says_which_lists_had_it(store: StoreWriter) -> None:
    hits = await search(store, "harbour dues")
    assert hits[0].chunk.text == "The harbour dues rose in March."
    assert hits[0].ranks["dense"] == 1
    assert hits[0].ranks["full_text"] == 1
    assert hits[0].similarity is not None
    assert sum(hits[0].gains.values()) == pytest.approx(hits[0].score)
    assert hits[0].gains.keys() == hits[0].ranks.keys()
    assert {hit.header_words for hit in hits if hit.document.title == "harbour"} == {("harbour",)}
    assert {hit.header_words for hit in hits if hit.document.title == "orchard"} == {()}


# ── a glossary of one's own ───────────────────────────────────────────────────────────────────


def test_own_entries_stand_beside_the_built_in_ones() -> None:
    words = glossary(
        "filings", {"the pit": "north quarry", "ebitda": "adjusted profit", "capex": ""}
    )
    assert expansion("Who owns The Pit?", words) == "north quarry"
    assert expansion("Who owns the pitch?", words) == ""
    assert "total current assets" in expansion("the quick ratio", words)
    assert expansion("EBITDA", words) == "adjusted profit"


def test_a_trade_is_asked_for_by_name(settings: Settings) -> None:
    assert not RetrievalPlan.of(settings).glossary
    chosen = settings.model_copy(update={"profile": "filings"})
    assert "total current assets" in expansion("the quick ratio", RetrievalPlan.of(chosen).glossary)


def test_a_glossary_comes_from_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "rag.toml"
    file.write_text('k = 4\n[glossary]\n"the pit|quarry" = "north quarry"\n')
    monkeypatch.setenv("RAG_CONFIG", str(file))
    plan = RetrievalPlan.of(load_settings())
    assert expansion("How deep is the quarry?", plan.glossary) == "north quarry"


@pytest.mark.parametrize("entry", ["(pit", "pit)|(quarry", "", "pit|", "(?i)pit"])
def test_an_entry_that_is_no_expression_is_named(entry: str) -> None:
    with pytest.raises(ConfigError, match="glossary") as error:
        load_settings(glossary={"fine": "words", entry: "words"})
    assert repr(entry) in str(error.value)
