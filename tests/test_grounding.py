"""Verified citations: what is supported, what is not, and what no input may bring about."""

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.types import PAGE_BREAK, Coverage, Document, Hit, Page, StoredChunk, Word
from rag.verification.base import NOT_SAID
from rag.verification.citation_markers import strip_markers
from rag.verification.ground import ground
from rag.verification.notes import note
from rag.verification.segmentation import code_spans
from rag.verification.unmarking import Unmarking

WARSAW = "Warsaw is the capital of Poland. The city has 1.5 million people. It lies on the Vistula."
CASH = (
    "| (Millions) | 2018 | 2017 |\n| --- | --- | --- |\n"
    "| Purchases of property, plant and equipment (PP&E) | (1,577) | (1,373) |\n"
    "| Net income | 5,363 | 4,869 |"
)
FIRM = (
    "The company did not pay dividends in 2018, although revenue rose to $5 million. "
    "Mr. Smith, the U.S. director, resigned on 3 May 2017.\n\n"
    "Costs fell by 12% because of lower freight rates."
)


def make_page(text, number):
    words, x, y = [], 10.0, 20.0
    for match in re.finditer(r"\S+", text):
        width = 5.0 * len(match.group())
        if x + width > 580:
            x, y = 10.0, y + 12
        words.append(Word(match.start(), match.end(), (x, y, min(x + width, 600), y + 10)))
        x += width + 5
    return Page(number, f"p{number}", text, (), tuple(words), 612.0, 792.0, "text")


def make_hit(text, *, first=1, last=None, document="d", title="Report", header=""):
    about = Document(
        document,
        Path(f"{document}.pdf"),
        title,
        "",
        0,
        0,
        1,
        1,
        "en",
        Coverage(1, 0, 0, ()),
        {},
        "",
    )
    chunk = StoredChunk(
        f"{document}-{first}",
        document,
        0,
        text,
        header,
        0,
        len(text),
        first,
        last or first,
        "text",
        9,
    )
    return Hit(chunk, about, 1.0, {})


def setting(*texts):
    """One passage a page, each the whole page."""
    hits = [make_hit(text, first=number) for number, text in enumerate(texts, 1)]
    return hits, {("d", n): make_page(text, n) for n, text in enumerate(texts, 1)}


def grounded(answer, question=""):
    hits, pages = setting(WARSAW, CASH, FIRM)
    return ground(answer, hits, pages, question)


@pytest.mark.parametrize(
    ("answer", "page", "quote"),
    [
        ("Warsaw is the capital of Poland [1].", 1, "Warsaw is the capital of Poland."),
        ("warsaw  is the capital\nof Poland", 1, "Warsaw is the capital of Poland."),
        ("The city has 1,500,000 people. [3]", 1, "The city has 1.5 million people."),
        ("1577", 2, "| Purchases of property, plant and equipment (PP&E) | (1,577) | (1,373) |"),
        ("Net income was $5,363 million in 2018.", 2, "| Net income | 5,363 | 4,869 |"),
        ("The company did not pay dividends.", 3, FIRM.split(". Mr")[0] + "."),
        ("Revenue rose to 5 million dollars.", 3, FIRM.split(". Mr")[0] + "."),
        ("Mr. Smith resigned on May 3, 2017.", 3, FIRM.split("\n")[0].split("million. ")[1]),
        ("12%", 3, "Costs fell by 12% because of lower freight rates."),
        ("12 percent", 3, "Costs fell by 12% because of lower freight rates."),
        ("Vistula", 1, "It lies on the Vistula."),
    ],
)
def test_supported(answer, page, quote):
    found = grounded(answer)
    (citation,) = found.citations
    assert (citation.number, citation.page, citation.page_label) == (1, page, f"p{page}")
    assert citation.quote == quote
    assert citation.boxes
    assert found.text.endswith(" [1]")
    assert [claim.sources for claim in found.claims] == [(1,)]


@pytest.mark.parametrize(
    "answer",
    [
        "Warsaw is the capital of Germany [1].",
        "The city has 1.6 million people [1].",
        "The city has 1.5 billion people [1].",
        "The company paid dividends in 2018 [3].",
        "Warsaw is not the capital of Poland [1].",
        "Revenue did not rise to $5 million [3].",
        "Net income was 5,363 in 2017 [2].",
        "Mr. Jones resigned on May 3, 2017 [3].",
        "Mr. Smith resigned on June 3, 2017 [3].",
        "Costs fell by $12 because of lower freight rates [3].",
        "Berlin [1]",
        "Bananas are rich in potassium [2][12].",
        "The [1]",
        "It was the",
    ],
)
def test_unsupported(answer):
    found = grounded(answer)
    assert found.citations == ()
    assert "[" not in found.text
    assert [claim.sources for claim in found.claims] == [()]
    assert not found.refused


def test_a_wrong_answer_in_the_right_sentence():
    question = "What is the capital of Poland?"
    assert grounded("Warsaw is the capital of Poland.", question).citations
    assert not grounded("Cracovia is the capital of Poland.", question).citations


def test_the_wrong_marker_is_replaced_and_a_source_keeps_its_number():
    found = grounded("It lies on the Vistula [7]. Costs fell by 12% [1]. On the Vistula (3).")
    assert found.text == "It lies on the Vistula. [1] Costs fell by 12%. [2] On the Vistula. [1]"
    assert [citation.page for citation in found.citations] == [1, 3]


def test_the_passage_that_the_model_named_is_preferred():
    hits, pages = setting("The sky is blue.", "It is said: the sky is blue.")
    for named in (1, 2):
        found = ground(f"The sky is blue [{named}].", hits, pages)
        assert [citation.page for citation in found.citations] == [named]


def test_the_question_decides_between_equal_places():
    hits, pages = setting("Rent was 500.", "The salary was 500.")
    for question, page in (("What was the rent?", 1), ("What was the salary?", 2)):
        assert [c.page for c in ground("500", hits, pages, question).citations] == [page]


def test_a_claim_that_two_places_hold_together_has_both():
    hits, pages = setting("Revenue rose to 5 million euros.", "Staff fell to 300 people.")
    found = ground("Revenue rose to 5 million euros and staff fell to 300 people.", hits, pages)
    assert found.text.endswith("people. [1][2]")


def test_a_pronoun_is_resolved_by_the_sentence_before():
    assert grounded("Warsaw lies on the Vistula.").citations
    hits, pages = setting("Prague is old. Towers abound. Trade grew. It lies on the Vistula.")
    assert not ground("Prague lies on the Vistula.", hits, pages).citations


def test_list_and_table():
    found = grounded(
        "Here are the facts:\n- Warsaw has 1.5 million people\n- It has 9 airports\n\n"
        "| Item | 2018 |\n|---|---|\n| Net income | 5,363 |\n\nI hope this helps!"
    )
    assert found.text == (
        "Here are the facts:\n- Warsaw has 1.5 million people [1]\n- It has 9 airports\n\n"
        "| Item | 2018 |\n|---|---|\n| Net income | 5,363 [2] |\n\nI hope this helps!"
    )
    assert [claim.sources for claim in found.claims] == [(1,), (), (2,)]


@pytest.mark.parametrize("answer", ["The documents do not say.", "The documents do not say. [1]"])
def test_refusal(answer):
    found = grounded(answer)
    assert (found.text, found.refused, found.citations) == ("The documents do not say.", True, ())


def test_half_a_refusal_is_none():
    found = grounded("Warsaw is the capital of Poland. The documents do not say when it was built.")
    assert not found.refused
    assert len(found.citations) == 1


@pytest.mark.parametrize("answer", ["Yes.", "No", "", "   ", "```\nWarsaw [1]\n```"])
def test_answers_without_claims(answer):
    found = grounded(answer)
    assert (found.text, found.claims, found.citations) == (answer, (), ())


def test_a_passage_over_two_pages_is_cited_on_the_right_one():
    one, two = "Start. The tower is 50 m high.", "The bridge is 80 m long. End."
    hit = make_hit(f"The tower is 50 m high.{PAGE_BREAK}The bridge is 80 m long.", last=2)
    pages = {("d", 1): make_page(one, 1), ("d", 2): make_page(two, 2)}
    found = ground("The tower is 50 m high. The bridge is 80 m long.", [hit], pages)
    assert [citation.page for citation in found.citations] == [1, 2]
    # "Start." and "End." stand on these pages, but were not shown to the model.
    assert not ground("Start. End.", [hit], pages).citations


@pytest.mark.parametrize(
    ("source", "claim"),
    [
        ("The Tenant pays the Landlord a deposit.", "The Landlord pays the Tenant a deposit."),
        ("Bob sold the house to Alice.", "Alice sold the house to Bob."),
        (
            "Revenue rose from 5 to 10 million in 2018.",
            "Revenue rose from 10 to 5 million in 2018.",
        ),
        ("Anna Meier zahlt Eva Schulz die Miete.", "Eva Schulz zahlt Anna Meier die Miete."),
    ],
)
def test_names_and_numbers_that_changed_places_are_not_supported(source, claim):
    hits, pages = setting(source)
    assert ground(source, hits, pages).citations
    assert not ground(claim, hits, pages).citations


@pytest.mark.parametrize(
    ("source", "claim"),
    [
        (
            "The Tenant pays the Landlord a deposit.",
            "The Landlord is paid a deposit by the Tenant.",
        ),
        (
            "The Landlord is paid a deposit by the Tenant.",
            "The Tenant pays the Landlord a deposit.",
        ),
        ("Alice and Bob signed the deed in Rome.", "Bob and Alice signed the deed in Rome."),
        ("Warsaw is the capital of Poland.", "The capital of Poland is Warsaw."),
        (
            "Revenue rose from 5 million in 2017 to 10 in 2018.",
            "From 5 million revenue rose to 10.",
        ),
        ("Bob paid Alice in May, and Alice paid Bob in June.", "In June Alice paid Bob."),
        (
            "Frau Schulz zahlt der Mieter Meier die Miete.",
            "Der Mieter Meier zahlt Frau Schulz Miete.",
        ),
    ],
)
def test_another_construction_says_nothing_of_the_order(source, claim):
    hits, pages = setting(source)
    assert ground(claim, hits, pages).citations


def test_a_neighbour_lends_no_number_to_a_statement_that_tells_of_the_matter_alone():
    said = "Nixon named Simon as first head of the new office in 1973."
    hits, pages = setting(f"It was planned in 1971. {said}")
    assert ground(said, hits, pages).citations
    assert not ground(said.replace("1973", "1971"), hits, pages).citations


def test_headings_name_the_subject_but_not_the_figure():
    text = "The margin was 12%."
    hit = make_hit(text, title="Acme annual report 2018", header="Acme annual report 2018 > Margin")
    pages = {("d", 1): make_page(text, 1)}
    assert ground("The margin of Acme was 12% in 2018.", [hit], pages).citations
    assert not ground("The margin of Acme was 12% in 2019.", [hit], pages).citations
    assert not ground("2018", [hit], pages).citations


# ── whatever the model writes ─────────────────────────────────────────────────────────────────

PASSAGES = (
    WARSAW,
    CASH,
    FIRM,
    "Die Stadt hat 5 Mio. Euro. Sie ist nicht groß.",
    "東京は首都です。",
)
_pieces = st.sampled_from(
    [
        *(s for text in PASSAGES for s in re.split(r"(?<=[.。|])\s", text)),
        *(" ".join(text.split()[i : i + 4]) for text in PASSAGES for i in (0, 3, 6)),
        *("[1]", "[2]", "[12]", "[1, 3]", "[1][2]", "【1】", "(1)", "[passage 2]", "[0]", "[[1]"),
        *("1577", "5 million", "not", "Yes.", "The documents do not say.", "- ", "| a |", "`x[1]`"),
        *("```", "# Head", "\n", "\n\n", " ", ". ", "**bold**", "1. ", "]", "[", "(", "U.S."),
    ]
)
answers = st.lists(
    st.one_of(_pieces, st.text(alphabet="aZ1 .[](),|\n`*é。", max_size=12)), max_size=14
).flatmap(lambda parts: st.sampled_from(["", " ", "\n"]).map(lambda gap: gap.join(parts)))
MARKER = re.compile(r"\[(\d{1,3})\]")


def markers(text):
    code = code_spans(text)
    return [
        int(match.group(1))
        for match in MARKER.finditer(text)
        if not any(a <= match.start() < b for a, b in code)
    ]


@settings(max_examples=300, deadline=None)
@given(answers, st.lists(st.sampled_from(PASSAGES), max_size=4), st.sampled_from(["", "What?"]))
def test_no_invalid_citation(answer, texts, question):
    hits, pages = setting(*texts)
    found = ground(answer, hits, pages, question)
    shown = {hit.chunk.id: hit for hit in hits}
    for number, citation in enumerate(found.citations, 1):
        page = pages[citation.document.id, citation.page]
        assert citation.number == number
        assert citation.chunk_id in shown
        assert citation.quote in page.text
        assert 0 < len(citation.quote) <= 300
        assert citation.boxes
        assert all(0 <= a < c <= 612 and 0 <= b < d <= 792 for a, b, c, d in citation.boxes)
        assert 0 < citation.score <= 1
    assert list(dict.fromkeys(markers(found.text))) == [c.number for c in found.citations]
    end = 0
    for claim in found.claims:
        assert end <= claim.start < claim.end <= len(found.text)
        assert len(claim.sources) <= 2
        end = claim.end
    cited = [number for claim in found.claims for number in claim.sources]
    assert cited == markers(found.text)
    bare = strip_markers(answer, texts).text
    assert strip_markers(found.text, texts).text == bare
    if found.refused:
        assert (found.text, found.citations) == (bare, ())


@settings(max_examples=200, deadline=None)
@given(answers, st.lists(st.sampled_from(PASSAGES), max_size=4))
def test_grounding_twice_changes_only_numbers(answer, texts):
    hits, pages = setting(*texts)
    once = ground(answer, hits, pages)
    twice = ground(once.text, hits, pages)
    assert MARKER.sub("[]", twice.text) == MARKER.sub("[]", once.text)
    assert twice.refused == once.refused
    assert [(c.start, c.end, len(c.sources)) for c in twice.claims] == [
        (c.start, c.end, len(c.sources)) for c in once.claims
    ]


class SaysNothingIsTrue:
    """A verifier of one's own."""

    def verify(self, claims, evidence, question):
        self.seen = [claim.text for claim in claims]
        return [NOT_SAID for _ in claims]


def test_a_verifier_of_ones_own_judges_all_claims_at_once():
    hits, pages = setting(WARSAW)
    verifier = SaysNothingIsTrue()
    found = ground(
        "Warsaw is the capital. It lies on the Vistula [1].", hits, pages, "", None, verifier
    )
    assert verifier.seen == ["Warsaw is the capital.", "It lies on the Vistula."]
    assert found.citations == ()


@pytest.mark.parametrize(
    ("answer", "finding", "near"),
    [
        ("Costs rose by 12% because of lower freight rates.", "contradicted", "Costs fell by 12%"),
        ("Costs fell by 15% because of lower freight rates.", "contradicted", "Costs fell by 12%"),
        ("Warsaw is not the capital of Poland.", "contradicted", "Warsaw is the capital"),
        ("Bananas are rich in potassium.", "not_said", ""),
        (
            "Cheaper shipping, with its freight rates, helped to bring costs down a bit.",
            "worded_differently",
            "Costs fell",
        ),
    ],
)
def test_what_is_known_of_a_claim_that_is_not_cited(answer, finding, near):
    (claim,) = grounded(answer).claims
    assert (claim.finding, claim.sources) == (finding, ())
    assert (claim.near.quote if claim.near else "").startswith(near)
    assert (claim.near is None) == (near == "")


def test_one_wording_for_what_is_not_cited():
    found = grounded("Costs rose by 12% because of lower freight rates. Bananas are yellow.")
    assert [note(claim) for claim in found.claims] == ["contradicts p. p3", "not in the passages"]
    (cited,) = grounded("Costs fell by 12% because of lower freight rates.").claims
    assert (note(cited), cited.finding, cited.near) == ("", "supported", None)


@given(st.text(alphabet="ab [](1)【】.\n"), st.integers(1, 5))
def test_a_stream_shows_no_marker_and_loses_no_word(text, size):
    unmarking = Unmarking()
    shown = "".join(unmarking.feed(text[i : i + size]) for i in range(0, len(text), size))
    shown += unmarking.rest()
    assert shown == unmarking.told
    whole = strip_markers(text).text
    assert whole.startswith(shown) or not strip_markers(shown).hints


def test_a_stream_takes_markers_out_as_they_come():
    unmarking = Unmarking()
    pieces = [unmarking.feed(piece) for piece in ["It is blue", " [", "1", "]", ". So [2][3]", "."]]
    assert "".join([*pieces, unmarking.rest()]) == "It is blue. So."
    assert pieces[0] == "It is blue"


def test_a_lead_in_does_not_stand_in_a_citations_way():
    said = "Based on the provided passages, it lies on the Vistula."
    assert grounded(said).text == "Based on the provided passages, it lies on the Vistula. [1]"


def test_a_lead_in_vouches_for_nothing():
    result = grounded("Based on the provided passages, it lies on the Rhine.")
    assert [claim.finding for claim in result.claims] != ["supported"]


def test_a_preamble_is_neither_cited_nor_called_unsupported():
    result = grounded("Based on the documents:\n\n- It lies on the Vistula.")
    assert [claim.sources for claim in result.claims] == [(1,)]
