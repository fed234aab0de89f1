"""Splitting a text into statements, and markers out of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.verification.citation_markers import strip_markers
from rag.verification.numbers import numbers
from rag.verification.refusal_detection import is_pleasantry, is_refusal
from rag.verification.segmentation import statements


def split(text):
    return [text[s.start : s.end] for s in statements(text)]


@pytest.mark.parametrize(
    "sentence",
    [
        "It cost 1.5 million, e.g. in the U.S. and the U.K. last year.",
        "Mr. J. R. Smith of Acme Inc. met Dr. Jones at 5 p.m. on Jan. 3 in St. Louis.",
        "See Fig. 3, No. 5 and pp. 12 f. of vol. 2 (approx. 3.5 kg).",
        "Das gilt z.B. am 3. Mai 2018 bzw. nach Abs. 2 Nr. 4 für ca. 5 Mio. Euro.",
        "Version 2.0.1 costs $1,577.50.",
    ],
)
def test_one_sentence_stays_one(sentence):
    assert split(sentence) == [sentence]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("He left Acme Inc. The firm went on.", ["He left Acme Inc.", "The firm went on."]),
        (
            '"It is." She left! Why? Nobody knows…',
            ['"It is."', "She left!", "Why?", "Nobody knows…"],
        ),
        ("Policy no. HX-55120 is in force.", ["Policy no. HX-55120 is in force."]),
        ("The answer is no. Why? See No. 5.", ["The answer is no.", "Why?", "See No. 5."]),
        ("It rose to 5. Then it fell.", ["It rose to 5.", "Then it fell."]),
        ("東京は首都です。人口は多い。", ["東京は首都です。", "人口は多い。"]),
        ("Es ist groß. Die Stadt wächst.", ["Es ist groß.", "Die Stadt wächst."]),
    ],
)
def test_sentences(text, expected):
    assert split(text) == expected


def test_structure_of_markdown():
    text = (
        "# Results\n\n**Sales**\n\n- Sales rose 5%\n  in all regions\n2. Costs fell. Staff too.\n\n"
        "| Year | Sales |\n|---|---|\n| 2018 | 5 |\n\n```\nx = 1. And 2.\n```\n\nThe end."
    )
    assert split(text) == [
        "Sales rose 5%\n  in all regions",
        "Costs fell.",
        "Staff too.",
        "| 2018 | 5 |",
        "The end.",
    ]


@given(st.text(alphabet="ab.AB 1|-\n#*`。!", max_size=200))
def test_spans_are_ordered_and_trimmed(text):
    end = 0
    for found in statements(text):
        assert end <= found.start < found.end <= len(text)
        assert text[found.start : found.end].strip() == text[found.start : found.end]
        end = found.end


@pytest.mark.parametrize(
    ("text", "bare", "hints"),
    [
        ("Paris [1].", "Paris.", (1,)),
        ("Paris [1, 3][2] it is", "Paris it is", (1, 3, 2)),
        ("Paris. 【4】", "Paris.", (4,)),
        ("Paris [passage 2], so", "Paris, so", (2,)),
        ("Paris [1, page 60].", "Paris.", (1,)),
        ("Paris (1).", "Paris.", (1,)),
        ("[2] Paris", "Paris", (2,)),
        ("Paris[1] and [2]", "Paris", (1, 2)),
    ],
)
def test_markers_go(text, bare, hints):
    found = strip_markers(text)
    assert found.text == bare
    assert tuple(n for _, numbers in found.hints for n in numbers) == hints


@pytest.mark.parametrize(
    "text", ["`a[1]` it is", "```\nb[2]\n```", "in [2018]", "(1) first", "| Loss | (5) |", "[a]"]
)
def test_what_is_no_marker_stays(text):
    assert strip_markers(text).text == text


def test_a_bracketed_figure_of_the_passage_stays():
    assert strip_markers("under section 12 (1).", ["see section 12 (1)."]).text.endswith("(1).")


@given(st.text(alphabet="a [](),12【】`\n.", max_size=60))
def test_markers_go_at_once(text):
    bare = strip_markers(text).text
    assert strip_markers(bare).text == bare


@pytest.mark.parametrize(
    "text",
    [
        "The documents do not say.",
        "The passages don't mention the CEO's name.",
        "There is no information about this in the provided passages.",
        "I'm sorry, but I cannot find the answer in the context.",
        "The answer is not mentioned in the documents.",
        "Die Dokumente enthalten dazu keine Angaben.",
        "In den Textstellen steht dazu nichts.",
    ],
)
def test_refusals(text):
    assert is_refusal(text)


@pytest.mark.parametrize(
    "text",
    [
        "The company did not pay dividends.",
        "The treaty does not apply to Ireland.",
        "Paris is the capital of France.",
        "Der Vertrag gilt nicht für Irland.",
        "The documents were signed in 1951.",
    ],
)
def test_statements_are_no_refusals(text):
    assert not is_refusal(text)
    assert not is_pleasantry(text)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("1,577", "1577"),
        ("1.5 million", "1,500,000"),
        ("1,5 Mio.", "1.500.000"),
        ("5 percent", "5%"),
        ("three", "3"),
        ("$2bn", "2 billion dollars"),
        ("1'577", "1577"),
        ("one million", "1,000,000"),
    ],
)
def test_numbers_that_agree(a, b):
    (one,), (other,) = numbers(a), numbers(b)
    assert one.agrees(other)


@pytest.mark.parametrize(
    ("claim", "source"),
    [
        ("1,577", "1,578"),
        ("5%", "$5"),
        ("5 km", "5 miles"),
        ("-5", "5"),
        ("1950", "1950s"),
        ("2 million", "2 billion"),
        ("2 million", "2"),
    ],
)
def test_numbers_that_differ(claim, source):
    (one,), (other,) = numbers(claim), numbers(source)
    assert not one.agrees(other)


def test_figures_of_a_page_in_millions():
    (claim,), (figure,) = numbers("$1,577 million"), numbers("(1,577)")
    assert claim.agrees(figure, scales=frozenset({6}))
    assert not claim.agrees(figure, scales=frozenset({3}))
